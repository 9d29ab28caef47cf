"""Runs the migrations on the database that the caller names.

A program passes its own open connection, so that nothing is connected twice:
    config.attributes["connection"] = connection        # inside AsyncConnection.run_sync
The command line takes the address from OMNIROUTE_DATABASE_URL (postgresql://…).
"""

import asyncio
import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from libs.common.postgres import create_engine

ROOT = Path(__file__).resolve().parent.parent
TABLE_FILES = ("libs/**/tables.py", "services/**/tables.py")
PARTITIONS = text("SELECT relname FROM pg_class WHERE relispartition")
MIGRATION_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('omniroute.migrations'))")


def import_tables() -> None:
    """Fills SQLModel.metadata: every table stands in a file called tables.py."""
    for file in sorted(file for pattern in TABLE_FILES for file in ROOT.glob(pattern)):
        importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def migrate(connection: Connection) -> None:
    """Two processes that start at once migrate once: the second waits, then finds nothing to do."""

    @cache
    def partitions() -> frozenset[str]:
        return frozenset(connection.execute(PARTITIONS).scalars())

    def ours(thing: Any, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
        table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", None)
        return table not in partitions()  # Days of a partitioned table come and go while the program runs.

    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        include_object=ours,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(MIGRATION_LOCK)
        context.run_migrations()


async def migrate_address(address: str) -> None:
    engine = create_engine(address, {})
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def main() -> None:
    import_tables()
    connection = context.config.attributes.get("connection")
    address = os.environ.get("OMNIROUTE_DATABASE_URL")
    if connection is not None:
        migrate(connection)
    elif address:
        asyncio.run(migrate_address(address))
    else:
        raise CommandError("OMNIROUTE_DATABASE_URL names no database to migrate")


main()
