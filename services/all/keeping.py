"""What an operator does to an installation from its own machine: keys in the database, topics on the brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from pydantic import TypeAdapter, ValidationError

from libs.common.clock import SystemClock
from libs.common.errors import Problem
from libs.common.events import COMPACTED_TOPICS, TOPICS
from libs.common.events.codec import instant_of
from libs.common.http import Id
from libs.common.keys import Key, Keys
from libs.common.log.topics import describe_topics, topic_config
from libs.common.pools import check_secret_key
from libs.common.postgres import embedded, migrate, open_database
from libs.common.secrets import master_key
from libs.common.settings import Settings, SettingsError
from libs.common.workspaces import Workspaces
from services.console.access import KeyWanted

KEYS_PAGE: Final = 200


class NotPossible(Exception):
    """What was asked for is refused; the message says why."""


@asynccontextmanager
async def keys_of(settings: Settings, workspace: str) -> AsyncIterator[Keys]:
    """The keys as they stand in the database. Raises NotPossible for a workspace that there isn't."""
    async with AsyncExitStack() as opened:
        url = settings.database_url
        if url is None:
            url = await opened.enter_async_context(embedded(settings.data_dir))
            await migrate(url)
        database = await opened.enter_async_context(open_database(url))
        key, clock = master_key(settings), SystemClock()
        await check_secret_key(database, key)
        keys = Keys(database, clock, key)
        try:
            await Workspaces(database, keys, clock).get(workspace)
            yield keys
        except Problem as refused:
            raise NotPossible(refused.detail) from None


async def list_keys(settings: Settings, workspace: str) -> list[Key]:
    async with keys_of(settings, workspace) as keys:
        listed: list[Key] = []
        while page := await keys.page(workspace, listed[-1].id if listed else "", KEYS_PAGE):
            listed += page
        return listed


async def put_key(settings: Settings, workspace: str, key_id: str, wanted: KeyWanted) -> str:
    """Create or replace, and return the key: it can't be read again."""
    expires = instant_of(wanted.expires_at)
    async with keys_of(settings, workspace) as keys:
        return await keys.put(workspace, key_id, wanted.role, agent=wanted.agent, expires_at=expires)


async def delete_key(settings: Settings, workspace: str, key_id: str) -> None:
    """Revoke; running processes let it in for three seconds more."""
    async with keys_of(settings, workspace) as keys:
        await keys.delete(workspace, key_id)


def key_wanted(key_id: str, role: str, agent: str | None, expires_at: str | None) -> KeyWanted:
    """What REST would take. Raises NotPossible."""
    try:
        TypeAdapter(Id).validate_python(key_id)
        return KeyWanted.model_validate({"role": role, "agent": agent, "expires_at": expires_at})
    except ValidationError as wrong:
        lines = [f"{'.'.join(map(str, error['loc'])) or 'id'}: {error['msg']}" for error in wrong.errors()]
        raise NotPossible("\n".join(lines)) from None


def brokers(settings: Settings) -> str:
    if settings.kafka is None:
        raise SettingsError(["OMNIROUTE_KAFKA: isn't set: the log is in PostgreSQL and has no topics to keep"])
    return settings.kafka


async def topics_table(settings: Settings) -> Sequence[tuple[str, str, str]]:
    """Every topic of ours: its name, its partitions on the cluster, how long it keeps a record."""
    found = await describe_topics(brokers(settings))
    return [(topic, str(found.get(topic, "missing")), kept(topic)) for topic in TOPICS]


def kept(topic: str) -> str:
    if topic in COMPACTED_TOPICS:
        return "the last of each key"
    return f"{int(topic_config(topic)['retention.ms']) // 3_600_000} hours"
