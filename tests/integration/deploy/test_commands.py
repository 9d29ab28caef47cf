"""`omniroute keys` and `omniroute topics`, as an operator types them."""

import asyncio

import pytest
from typer.testing import CliRunner, Result

from libs.common.clock import SystemClock
from libs.common.keys import Keys
from libs.common.pools import check_secret_key
from libs.common.postgres import open_database
from libs.common.workspaces import Workspaces
from services.all.__main__ import app

SECRET = "a secret key for tests"
OTHER_PARTITIONS = "7"


@pytest.fixture
def database(database_url: str) -> str:
    asyncio.run(begin(database_url))
    return database_url


async def begin(database_url: str) -> None:
    async with open_database(database_url) as database:
        await check_secret_key(database, SECRET.encode())
        keys = Keys(database, SystemClock(), SECRET.encode())
        await Workspaces(database, keys, SystemClock()).ensure_first_start(None)


async def role_of(database_url: str, key: str) -> str | None:
    async with open_database(database_url) as database:
        caller = await Keys(database, SystemClock(), SECRET.encode()).authenticate(key)
        return caller.role if caller else None


def typed(command: str, database_url: str, **settings: str) -> Result:
    env = {"OMNIROUTE_DATABASE_URL": database_url, "OMNIROUTE_SECRET_KEY": SECRET, "COLUMNS": "200", **settings}
    return CliRunner().invoke(app, command.split(), env=env)


def test_a_key_is_made_shown_and_revoked(database: str) -> None:
    made = typed("keys put ops --role supervisor --expires-at 2099-01-01T00:00:00+01:00", database)
    key = made.output.strip()
    assert asyncio.run(role_of(database, key)) == "supervisor"
    assert "2098-12-31T23:00:00" in typed("keys list", database).output
    assert key not in typed("keys list", database).output
    assert typed("keys delete ops", database).exit_code == 0
    assert asyncio.run(role_of(database, key)) is None


@pytest.mark.parametrize(
    ("rule", "command", "why"),
    [
        ("an agent's key names its agent", "keys put k --role agent", "names its agent"),
        ("there are six roles", "keys put k --role king", "role"),
        ("an id is an id", "keys put a/b --role viewer", "id"),
        ("a key that isn't there", "keys delete k", "no such key"),
        ("a workspace that isn't there", "keys list --workspace acme", "no such workspace"),
        ("topics are Kafka's", "topics describe", "OMNIROUTE_KAFKA"),
    ],
)
def test_what_cannot_be_done_is_said(database: str, rule: str, command: str, why: str) -> None:
    refused = typed(command, database)
    assert (refused.exit_code, why in refused.output) == (2, True), f"{rule}: {refused.output}"


@pytest.mark.parametrize("command", ["topics describe", "serve router"])
def test_topics_with_other_partitions_are_refused(database: str, kafka_bootstrap: str, command: str) -> None:
    settings = {"OMNIROUTE_KAFKA": kafka_bootstrap, "OMNIROUTE_PARTITIONS": OTHER_PARTITIONS}
    refused = typed(command, database, **settings)
    assert (refused.exit_code, f"PARTITIONS is {OTHER_PARTITIONS}" in refused.output) == (2, True), refused.output
