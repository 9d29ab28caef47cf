"""What every process stands on, opened from the settings: database, log, clock, keys, pools, commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from libs.common.alone import alone_on
from libs.common.auth import Keys, Workspaces
from libs.common.clock import Clock, SystemClock, VirtualClock
from libs.common.events import TOPICS
from libs.common.log import Log
from libs.common.log.kafka import open_kafka_log
from libs.common.log.postgres import open_postgres_log
from libs.common.log.topics import RETENTION_MS, check_topics, create_topics
from libs.common.pools import Pools, check_partitions, check_secret_key
from libs.common.postgres import Database, embedded, migrate, open_database
from libs.common.secrets import SecretBox, master_key
from libs.common.settings import Settings, SettingsError

LOG_KEPT_DAYS: Final = RETENTION_MS // 86_400_000


@dataclass(frozen=True)
class Foundation:
    settings: Settings
    database_url: str
    database: Database
    log: Log
    clock: Clock
    keys: Keys
    workspaces: Workspaces
    pools: Pools
    box: SecretBox
    master_key: bytes


@asynccontextmanager
async def founded(settings: Settings, *, set_up: bool) -> AsyncIterator[Foundation]:
    """Opens everything; with `set_up` brings tables and topics up to date first, and where the log is in a database
    that others can reach too, is the only program that owns its partitions. Who only reads does without.

    Raises SettingsError for what the settings get wrong about servers that are there, OSError for those that aren't.
    """
    async with AsyncExitStack() as opened:
        url = settings.database_url
        if url is None:
            url = await opened.enter_async_context(embedded(settings.data_dir))
        elif set_up and settings.kafka is None:
            await opened.enter_async_context(alone_on(url))
        if set_up:
            await bring_up_to_date(settings, url)
        clock: Clock = SystemClock() if settings.clock is None else VirtualClock(settings.clock)
        database = await opened.enter_async_context(open_database(url))
        key = master_key(settings)
        await check_partitions(database, settings.partitions)
        await check_secret_key(database, key)
        keys = Keys(database, clock, key)
        yield Foundation(
            settings=settings,
            database_url=url,
            database=database,
            log=await opened.enter_async_context(log_of(settings, url)),
            clock=clock,
            keys=keys,
            workspaces=Workspaces(database, keys, clock),
            pools=Pools(database, settings.partitions),
            box=SecretBox(key),
            master_key=key,
        )


async def bring_up_to_date(settings: Settings, database_url: str) -> list[str]:
    """Migrate the tables and create missing topics; returns the topics it created."""
    await migrate(database_url)
    if settings.kafka is None:
        return []
    return await create_topics(settings.kafka, TOPICS, partitions=settings.partitions)


@asynccontextmanager
async def log_of(settings: Settings, database_url: str) -> AsyncIterator[Log]:
    """Kafka where it is named; else the log lives in PostgreSQL, for one process.

    Raises WrongTopics where Kafka's topics aren't what this installation was set up with."""
    if settings.kafka is not None:
        await check_topics(settings.kafka, partitions=settings.partitions)
        async with open_kafka_log(settings.kafka, partitions=settings.partitions) as log:
            yield log
    else:
        async with open_postgres_log(database_url, partitions=settings.partitions, retain_days=LOG_KEPT_DAYS) as log:
            yield log


def check_can_share(settings: Settings) -> None:
    """Raises SettingsError: more than one process needs servers that all of them reach."""
    missing = [
        f"OMNIROUTE_{name}: is needed by `omniroute serve`; without it run everything in one process: `omniroute up`"
        for name, value in (("KAFKA", settings.kafka), ("DATABASE_URL", settings.database_url))
        if value is None
    ]
    if missing:
        raise SettingsError(missing)
