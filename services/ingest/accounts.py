"""The company's own addresses: which provider calls for them, with which secrets, into which pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from libs.common.errors import Conflict, FieldError, Invalid, NotFound
from libs.common.postgres import Database
from libs.common.secrets import SecretBox

COLUMNS: Final = "workspace, account, provider, pool, public_url, routable, secrets"
ONE: Final = f"SELECT {COLUMNS} FROM ingest_accounts WHERE workspace = $1 AND account = $2"  # noqa: S608
BY_WEBHOOK: Final = f"""
    SELECT {COLUMNS} FROM ingest_accounts JOIN platform_workspaces USING (workspace)
    WHERE account = $1 AND deleted_at IS NULL
"""  # noqa: S608
SOME: Final = f"SELECT {COLUMNS} FROM ingest_accounts WHERE workspace = $1 AND account > $2 ORDER BY account LIMIT $3"  # noqa: S608
PUT: Final = """
    INSERT INTO ingest_accounts (workspace, account, provider, pool, public_url, routable, secrets, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (account) DO UPDATE SET provider = $3, public_url = $5, routable = $6, secrets = $7, changed_at = $8
    WHERE ingest_accounts.workspace = $1 AND ingest_accounts.pool = $4
    RETURNING xmax = 0 AS created
"""
FREE: Final = """
    DELETE FROM ingest_accounts AS a USING platform_workspaces AS w
    WHERE a.account = $1 AND w.workspace = a.workspace AND w.deleted_at IS NOT NULL
"""
DELETE: Final = "DELETE FROM ingest_accounts WHERE workspace = $1 AND account = $2 RETURNING account"


class AccountTaken(Conflict):
    """Webhook addresses name the account alone, so its id is taken once in all workspaces."""

    code = "account_taken"


@dataclass(frozen=True, kw_only=True)
class Account:
    workspace: str
    account: str
    provider: str
    pool: str
    public_url: str | None
    routable: tuple[str, ...]
    sealed: bytes

    @property
    def key(self) -> str:
        return f"{self.workspace}/{self.pool}"


class Accounts:
    def __init__(self, database: Database, box: SecretBox) -> None:
        self._pool = database.pool
        self._box = box

    async def get(self, workspace: str, account: str) -> Account:
        """Raises NotFound."""
        return _found(await self._pool.fetchrow(ONE, workspace, account), account)

    async def of_webhook(self, account: str) -> Account:
        """The account that a provider calls for, in whichever workspace that isn't deleted. Raises NotFound."""
        return _found(await self._pool.fetchrow(BY_WEBHOOK, account), account)

    async def some(self, workspace: str, *, after: str, limit: int) -> list[Account]:
        return [_account(row) for row in await self._pool.fetch(SOME, workspace, after, limit)]

    async def put(self, account: Account, at: int) -> bool:
        """Create (True) or replace. Raises AccountTaken, or Invalid when it would move to another pool.

        A deleted workspace keeps no account id from others.
        """
        await self._pool.execute(FREE, account.account)
        row = await self._pool.fetchrow(
            PUT, account.workspace, account.account, account.provider, account.pool, account.public_url,
            msgspec.json.encode(account.routable).decode(), account.sealed, at,
        )  # fmt: skip
        if row is not None:
            return bool(row["created"])
        if await self._pool.fetchrow(ONE, account.workspace, account.account) is None:
            raise AccountTaken("this account id is in use")
        raise Invalid("an account stays in its pool", errors=[FieldError("/pool", "can't be changed")])

    async def delete(self, workspace: str, account: str) -> None:
        """Raises NotFound."""
        if await self._pool.fetchval(DELETE, workspace, account) is None:
            raise NotFound("there is no such account")

    def seal(self, secrets: dict[str, str]) -> bytes:
        return self._box.seal(msgspec.json.encode(secrets))

    def secrets(self, account: Account) -> dict[str, str]:
        return msgspec.json.decode(self._box.open(account.sealed), type=dict[str, str])


def _found(row: Any, account: str) -> Account:
    if row is None:
        raise NotFound("there is no such account")
    return _account(row)


def _account(row: Any) -> Account:
    return Account(
        workspace=row["workspace"], account=row["account"], provider=row["provider"], pool=row["pool"],
        public_url=row["public_url"], routable=tuple(msgspec.json.decode(row["routable"])), sealed=row["secrets"],
    )  # fmt: skip
