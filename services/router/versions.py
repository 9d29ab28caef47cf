"""How the configuration came to be as it is: each version of a queue, an agent or a policy, with who and when.

Written with the projection, so it reaches back as far as the log was read: a projection that is built again has what
the log still holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from libs.common.events import Event
from libs.common.events.codec import Envelope, moment
from libs.common.events.routing import AgentUpdated
from libs.common.events.rules import PolicyUpdated, QueueUpdated
from libs.common.http import ViewModel
from libs.common.log import Record
from libs.common.machine import ACTOR_HEADER
from libs.common.postgres import Database

Kind = Literal["queue", "agent", "policy"]
INSERT: Final = """
    INSERT INTO router_versions (workspace, pool, kind, id, version, partition, at, actor, deleted, doc)
    SELECT workspace, pool, kind, id, version, partition, at, actor, deleted, doc
    FROM json_populate_recordset(NULL::router_versions, $1::text::json) ON CONFLICT DO NOTHING
"""
READ: Final = """
    SELECT version, at, actor, deleted, doc::text AS doc FROM router_versions
    WHERE workspace = $1 AND kind = $2 AND id = $3 AND version < $4 ORDER BY version DESC LIMIT $5
"""
NOT_CONFIGURED: Final = ("sequence", "cause", "schema", "at", "deleted", "config_version", "policy_version",
                         "queue_id", "agent_id", "pool_id", "successor")  # fmt: skip


class VersionView(ViewModel):
    version: int
    at: datetime | None
    actor: str | None
    """The API key's id, or `agent:<id>`; `router` for hours that were compiled again."""
    deleted: bool
    configuration: dict[str, Any]
    """As it was from then on; empty for a deletion. Names are not kept here."""


async def write_versions(connection: Any, events: Iterable[tuple[Record, Envelope]]) -> None:
    rows = [row for record, envelope in events for row in rows_of(record, envelope.event)]
    if rows:
        await connection.execute(INSERT, msgspec.json.encode(rows).decode())


def rows_of(record: Record, event: Event) -> Iterable[dict[str, Any]]:
    """The row of an event that changes configuration; none for any other."""
    match event:
        case QueueUpdated():
            kind, version, deleted = "queue", event.config_version, event.deleted
        case AgentUpdated():
            kind, version, deleted = "agent", event.config_version, event.deleted
        case PolicyUpdated():
            kind, version, deleted = "policy", event.policy_version, False
        case _:
            return
    assert record.value is not None
    yield {
        "workspace": event.workspace, "pool": event.pool, "kind": kind, "id": event.subject, "version": version,
        "partition": record.partition, "at": event.at, "actor": record.headers.get(ACTOR_HEADER),
        "deleted": deleted, "doc": msgspec.Raw(record.value),
    }  # fmt: skip


class Versions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, workspace: str, kind: Kind, id_: str, before: int, limit: int) -> list[Any]:
        """At most `limit` versions below the given one, the newest first."""
        rows: list[Any] = await self._database.pool.fetch(READ, workspace, kind, id_, before, limit)
        return rows


def version_view(row: Any) -> VersionView:
    return VersionView(
        version=row["version"], at=moment(row["at"]), actor=row["actor"], deleted=row["deleted"],
        configuration={} if row["deleted"] else configuration(msgspec.json.decode(row["doc"])),
    )  # fmt: skip


def configuration(said: dict[str, Any]) -> dict[str, Any]:
    """What was configured, of all that the event says; the table of hours is long and follows from them."""
    kept = {name: value for name, value in said.items() if name not in NOT_CONFIGURED}
    if kept.get("hours"):
        kept["hours"] = {name: value for name, value in kept["hours"].items() if name != "open"}
    return kept
