"""What works in the background ends with the body, and the body with it should it fail."""

import asyncio

import pytest

from libs.common.beside import beside


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise LookupError("the work")


async def test_work_ends_with_the_body() -> None:
    async with beside(for_ever()) as working:
        await asyncio.sleep(0)
    assert working.cancelled()


async def test_a_failure_of_the_work_ends_the_body_and_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="the work"):
        async with asyncio.timeout(10), beside(for_ever()), beside(fail()):
            await for_ever()


async def test_the_bodys_own_failure_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with beside(for_ever()), beside(for_ever()):
            raise KeyError("the body")


async def test_of_two_failures_the_work_is_the_cause() -> None:
    with pytest.raises(LookupError, match="the work"):
        async with asyncio.timeout(10), beside(fail()):
            await fail_at_the_end()


async def fail_at_the_end() -> None:
    try:
        await for_ever()
    finally:
        raise KeyError("while the body ended")
