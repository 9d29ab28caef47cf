"""The days by which the log's records are cut: made ahead, dropped when they are old."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import asyncpg

from libs.common.clock import Clock

DAYS_AHEAD = 2
DAYS_LOCK = "SELECT pg_advisory_xact_lock(hashtext('omniroute.log.days'))"
TABLE_PREFIX = "log_records_"
DAY_TABLES = """
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'log_records'::regclass ORDER BY c.relname
"""
IS_THERE = "SELECT to_regclass($1) IS NOT NULL"
REFILE = """
    INSERT INTO log_records (place, position, day, key, value, headers)
    SELECT old.place, old.position, $1, old.key, old.value, old.headers
    FROM {table} AS old JOIN log_state AS last ON last.place = old.place AND last.position = old.position
"""


def day_of(clock: Clock) -> date:
    return datetime.fromtimestamp(clock.now() / 1_000_000, UTC).date()


def day_table(day: date) -> str:
    return f"{TABLE_PREFIX}{day:%Y%m%d}"


async def create_days(connection: asyncpg.Connection, today: date) -> frozenset[date]:
    """Tables for today and the days ahead; the days for which there is one now."""
    days = frozenset(today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1))
    async with connection.transaction():
        await connection.execute(DAYS_LOCK)
        for day in sorted(days):
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {day_table(day)} PARTITION OF log_records "
                f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
            )
    return days


async def drop_days_before(connection: asyncpg.Connection, first_kept: date, today: date) -> list[str]:
    """Drops older days and names their tables."""
    tables = [row["relname"] for row in await connection.fetch(DAY_TABLES)]
    return [table for table in tables if table < day_table(first_kept) and await drop_day(connection, table, today)]


async def drop_day(connection: asyncpg.Connection, table: str, today: date) -> bool:
    """Whether it was there to be dropped: another handle may have been quicker. The last value of a compacted topic's
    key outlives its day: it is filed under today, at its own position, so that whoever reads the topic from its start
    finds every key. A transaction of its own, since the drop keeps all others from the log until it is committed."""
    async with connection.transaction():
        await connection.execute(DAYS_LOCK)
        if not await connection.fetchval(IS_THERE, table):
            return False
        await connection.execute(REFILE.format(table=table), today)
        await connection.execute(f"DROP TABLE {table}")
        return True
