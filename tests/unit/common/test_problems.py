"""Trouble that passes says so and when to try again; a mistake of our own is one."""

import asyncpg
import httpx
import pytest
from asyncpg.exceptions import _base

from libs.common.http import ApiRouter, build_app
from libs.common.log.port import LogError

TROUBLE = [
    ("the log", LogError()),
    ("a deadline", TimeoutError()),
    ("a connection refused", ConnectionRefusedError()),
    ("the embedded server's socket is gone", FileNotFoundError()),
    ("a connection that broke", asyncpg.ConnectionDoesNotExistError("")),
    ("a connection that died in a transaction", asyncpg.InterfaceError("the underlying connection is closed")),
    ("an answer cut off", asyncpg.InternalClientError()),
    ("a statement that took too long", asyncpg.QueryCanceledError("")),
    ("a server that stops", asyncpg.AdminShutdownError("")),
    ("a server that crashed", asyncpg.CrashShutdownError("")),
    ("a server that starts", asyncpg.CannotConnectNowError("")),
    ("a server that is full", asyncpg.TooManyConnectionsError("")),
]
MISTAKES = [
    ("an argument that no column takes", _base.DataError("")),
    ("a row twice", asyncpg.UniqueViolationError("")),
    ("no such table", asyncpg.UndefinedTableError("")),
    ("a bug", KeyError()),
]


async def answer_to(failure: Exception) -> httpx.Response:
    router = ApiRouter()

    @router.get("/fails")
    async def fail() -> None:
        raise failure

    transport = httpx.ASGITransport(build_app("test", [router], {}))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.get("/fails")


@pytest.mark.parametrize(("what", "failure"), TROUBLE, ids=[what for what, _ in TROUBLE])
async def test_what_passes_is_answered_with_when_to_try_again(what: str, failure: Exception) -> None:
    response = await answer_to(failure)
    assert (response.status_code, response.headers.get("retry-after")) == (503, "1"), what


@pytest.mark.parametrize(("what", "failure"), MISTAKES, ids=[what for what, _ in MISTAKES])
async def test_a_mistake_of_ours_is_no_trouble_that_passes(what: str, failure: Exception) -> None:
    response = await answer_to(failure)
    assert (response.status_code, response.json()["code"]) == (500, "internal"), what
