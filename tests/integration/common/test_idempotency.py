"""A POST under an Idempotency-Key happens once, whoever repeats it and whatever dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends

from libs.common.auth import Caller, caller
from libs.common.commands import new_command_id
from libs.common.errors import Conflict, OutcomeUnknown, Problem
from libs.common.http import ApiRouter, StrictModel
from libs.common.idempotency import (
    KEPT_MICROSECONDS,
    RUN_MICROSECONDS_MAX,
    Idempotency,
    Scope,
    about_customer,
    forget_customer,
)
from tests.integration.common.conftest import MASTER_KEY, Platform

Known = Annotated[Caller, Depends(caller("viewer"))]
UnderWay = tuple[asyncio.Task[httpx.Response], httpx.AsyncClient]
ROWS = "SELECT count(*) FROM platform_idempotency"


class Order(StrictModel):
    number: int


@dataclass
class Shop:
    """Counts what it did; fails as it is told, and waits where it is told."""

    done: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def router(self) -> ApiRouter:
        router = ApiRouter()

        @router.post("/orders", status_code=201)
        async def order(body: Order, _known: Known) -> dict[str, Any]:
            command_id = new_command_id()
            about_customer(f"cus_{body.number}")
            self.entered.set()
            await self.open.wait()
            self.done.append(command_id)
            if self.failures:
                raise self.failures.pop(0)
            return {"number": body.number, "done": len(self.done)}

        return router


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def order(http: httpx.AsyncClient, number: int = 1, key: str = "k") -> httpx.Response:
    return await http.post("/orders", json={"number": number}, headers={"idempotency-key": key})


async def test_a_repeat_gets_the_same_answer_and_does_nothing(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        first, again = await order(http), await order(http)
        other = await order(http, key="other")
    assert (first.status_code, first.json(), first.headers.get("idempotency-replayed")) == (
        201,
        {"number": 1, "done": 1},
        None,
    )
    assert (again.status_code, again.content, again.headers["idempotency-replayed"]) == (201, first.content, "true")
    assert again.headers["content-type"] == first.headers["content-type"]
    assert other.json()["done"] == 2
    assert len(set(shop.done)) == 2


async def test_the_same_key_with_another_body_is_refused(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        await order(http)
        other_body = await order(http, number=2)
        other_query = await http.post("/orders?x=1", json={"number": 1}, headers={"idempotency-key": "k"})
    for refused in (other_body, other_query):
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert len(shop.done) == 1


async def test_keys_of_others_have_nothing_to_do_with_it(platform: Platform, shop: Shop) -> None:
    other = await platform.keys.put("default", "other", "viewer")
    router = shop.router()
    async with platform.client(platform.root_key, router) as mine, platform.client(other, router) as theirs:
        assert [(await order(http)).json()["done"] for http in (mine, theirs)] == [1, 2]


async def test_of_many_at_once_one_happens(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        answers = await asyncio.gather(*(order(http) for _ in range(30)))
    assert {(one.status_code, one.content) for one in answers} == {(201, answers[0].content)}
    assert len(shop.done) == 1


@asynccontextmanager
async def under_way(platform: Platform, shop: Shop) -> AsyncIterator[UnderWay]:
    """An order that one process works on until the shop opens, and a client of another process."""
    shop.open.clear()
    elsewhere = Idempotency(platform.database, platform.clock, MASTER_KEY, alone=False)
    second = Platform(platform.database, platform.clock, platform.keys, platform.workspaces, elsewhere, "")
    router = shop.router()
    async with platform.client(platform.root_key, router) as here, second.client(platform.root_key, router) as there:
        first = asyncio.create_task(order(here))
        await shop.entered.wait()
        yield first, there


async def test_another_process_is_told_that_it_is_in_progress(platform: Platform, shop: Shop) -> None:
    async with under_way(platform, shop) as (first, there):
        refused = await order(there)
        shop.open.set()
        answered = await first
        again = await order(there)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (409, "in_progress", "1")
    assert again.content == answered.content
    assert len(shop.done) == 1


async def test_what_takes_long_is_not_taken_over(platform: Platform, shop: Shop) -> None:
    async with under_way(platform, shop) as (first, there):
        for _ in range(3):
            platform.clock.move_to(platform.clock.now() + RUN_MICROSECONDS_MAX - 1)
            await until_renewed(platform)
        refused = await order(there)
        shop.open.set()
        assert ((await first).status_code, refused.status_code, len(shop.done)) == (201, 409, 1)


async def until_renewed(platform: Platform) -> None:
    begun, until = platform.clock.now(), "SELECT runs_until FROM platform_idempotency"
    async with asyncio.timeout(20):
        while await platform.database.pool.fetchval(until) < begun + RUN_MICROSECONDS_MAX:  # noqa: ASYNC110 - in a table
            await asyncio.sleep(0)


async def killed_while_running(platform: Platform) -> None:
    """Another process began the request and was killed: what it had written stays, nothing of it runs on."""
    gone = Idempotency(platform.database, platform.clock, MASTER_KEY, alone=False)
    entered = asyncio.Event()

    async def never_answers() -> Any:
        new_command_id()
        entered.set()
        await asyncio.Event().wait()

    scope = Scope("default", "admin", "/orders", "k")
    running = asyncio.create_task(gone.answer(scope, b"\x00" + b'{"number":1}', never_answers))
    await entered.wait()
    runner = await platform.database.pool.fetchval("SELECT runner FROM platform_idempotency")
    running.cancel()
    await asyncio.wait([running])  # A killed process would not have tidied up:
    await platform.database.pool.execute("UPDATE platform_idempotency SET runner = $1", runner)


async def test_after_a_crash_it_runs_again_under_the_same_command_id(platform: Platform, shop: Shop) -> None:
    await killed_while_running(platform)
    begun = await platform.database.pool.fetchval("SELECT command_id FROM platform_idempotency")
    async with platform.client(platform.root_key, shop.router()) as http:
        early = await order(http)
        platform.clock.move_to(platform.clock.now() + RUN_MICROSECONDS_MAX + 1)
        late = await order(http)
    assert (early.status_code, late.status_code) == (409, 201)
    assert shop.done == [begun]


async def test_a_process_that_is_alone_needs_no_patience_after_a_crash(platform: Platform, shop: Shop) -> None:
    await killed_while_running(platform)
    platform.idempotency = Idempotency(platform.database, platform.clock, MASTER_KEY, alone=True)
    async with platform.client(platform.root_key, shop.router()) as http:
        assert (await order(http)).status_code == 201


@pytest.mark.parametrize("failure", [OutcomeUnknown("cmd_x"), KeyError("bug"), TimeoutError()])
async def test_what_nobody_knows_the_end_of_runs_again_as_the_same_command(
    platform: Platform, shop: Shop, failure: Exception
) -> None:
    shop.failures = [failure]
    async with platform.client(platform.root_key, shop.router()) as http:
        first, again = await order(http), await order(http)
    assert (first.status_code >= 500, again.status_code) == (True, 201)
    assert len(shop.done) == 2
    assert len(set(shop.done)) == 1


@pytest.mark.parametrize("refusal", [Conflict("taken", members={"state": {"agent": "bob"}})])
async def test_a_refusal_is_an_answer_too(platform: Platform, shop: Shop, refusal: Problem) -> None:
    shop.failures = [refusal]
    async with platform.client(platform.root_key, shop.router()) as http:
        first, again = await order(http), await order(http)
    assert (first.status_code, again.status_code, len(shop.done)) == (409, 409, 1)
    assert again.json() == first.json()
    assert again.headers["content-type"] == "application/problem+json"


async def test_a_body_that_was_never_run_doesnt_use_the_key_up(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        wrong = await http.post("/orders", json={"number": "x"}, headers={"idempotency-key": "k"})
        right = await order(http)
    assert (wrong.status_code, right.status_code) == (422, 201)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ключ".encode()])
async def test_strange_keys_are_refused(platform: Platform, shop: Shop, key: Any) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        assert (await order(http, key=key)).status_code == 422
    assert shop.done == []


async def test_after_a_day_a_key_is_new(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        await order(http)
        platform.clock.move_to(platform.clock.now() + KEPT_MICROSECONDS)
        assert (await order(http)).json()["done"] == 1
        platform.clock.move_to(platform.clock.now() + 1)
        assert (await order(http, number=2)).json()["done"] == 2
    assert await platform.idempotency.sweep() == 0
    platform.clock.move_to(platform.clock.now() + KEPT_MICROSECONDS + 1)
    assert await platform.idempotency.sweep() == 1
    assert await platform.database.pool.fetchval(ROWS) == 0


async def test_erasing_a_customer_erases_the_answers_about_them(platform: Platform, shop: Shop) -> None:
    async with platform.client(platform.root_key, shop.router()) as http:
        await order(http, number=1, key="a")
        await order(http, number=2, key="b")
    async with platform.database.transaction() as connection:
        await forget_customer(connection, "default", "cus_1")
        await forget_customer(connection, "acme", "cus_2")
    assert await platform.database.pool.fetch("SELECT customer_id FROM platform_idempotency") == [("cus_2",)]
