"""What is kept for a day is gone after it, without anybody asking."""

import asyncio

import asyncpg

from libs.common.housekeeping import keeping_house


async def test_sweeps_go_on_until_nothing_is_left_and_survive_a_database_that_fails() -> None:
    left = [3, 2, 0, 1, 0]
    failures = [asyncpg.ConnectionDoesNotExistError()]
    done = asyncio.Event()

    async def fails_once() -> int:
        if failures:
            raise failures.pop()
        return 0

    async def sweep() -> int:
        if not left:
            done.set()
            return 0
        return left.pop(0)

    async with asyncio.timeout(10), keeping_house({"a": fails_once, "b": sweep}, each_seconds=0):
        await done.wait()
    assert (left, failures) == ([], [])
