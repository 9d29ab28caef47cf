"""The feed over HTTP: from any position, in order, with its gaps told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from services.notifier.feed import Entry, Feed, Gap, Heartbeat, items_of
from services.notifier.forgetting import DAY, forget_before
from services.notifier.limits import FOLLOWERS_PER_WORKSPACE_MAX
from tests.integration.notifier.desk import PARTITIONS, Desk, Open, closed
from tests.integration.notifier.receiver import WAIT_SECONDS


@dataclass(frozen=True)
class Sent:
    event: str
    id: int
    data: dict[str, Any]


@asynccontextmanager
async def serving(opened: Open) -> AsyncIterator[str]:
    """The address of a real server: a stream has no end that a test client could wait for."""
    server = uvicorn.Server(
        uvicorn.Config(opened.app, port=0, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
    )
    socket = server.config.bind_socket()
    task = asyncio.create_task(server.serve([socket]))
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def following(opened: Open, address: str, whose: str = "default", **query: Any) -> AsyncIterator[httpx.Response]:
    headers = {"authorization": f"Bearer {opened.desk.given[whose]}", **query.pop("headers", {})}
    timeout = httpx.Timeout(WAIT_SECONDS)
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, timeout=timeout, trust_env=False) as client,
        client.stream("GET", "/v1/feed", params=query) as response,
    ):
        yield response


async def events(response: httpx.Response) -> AsyncIterator[Sent]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and "event" in fields:
            yield Sent(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}
        elif not line:
            fields = {}


async def first(response: httpx.Response, count: int) -> list[Sent]:
    found: list[Sent] = []
    async for event in events(response):
        found.append(event)
        if len(found) == count:
            break
    return found


@pytest.fixture
async def address(opened: Open) -> AsyncIterator[str]:
    async with serving(opened) as address:
        yield address


async def test_every_event_comes_with_its_position_and_its_value(opened: Open, address: str) -> None:
    opened.desk.publish(closed("c1"), closed("c1"), closed("c2"))
    async with following(opened, address, after=0) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        sent = await first(response, 3)
    assert [one.id for one in sent] == [1, 2, 3]
    assert {one.event for one in sent} == {"contact.closed"}
    assert sent[1].data["id"] == "c1.routing.2"
    assert (sent[1].data["type"], sent[1].data["contact_id"], sent[1].data["sequence"]) == ("contact.closed", "c1", 2)


async def test_without_a_position_it_begins_now(opened: Open, address: str) -> None:
    opened.desk.publish(closed("c1"))
    await opened.stored()
    async with following(opened, address) as response:
        assert await anext(response.aiter_lines()) == ": from 1"


async def test_who_comes_back_misses_nothing_while_much_happens(opened: Open, address: str) -> None:
    """Cut off after every seventh event, from both partitions at once."""
    seen: list[Sent] = []
    for n in range(100):
        opened.desk.publish(closed(f"c{n}"), partition=n % PARTITIONS)
    while len(seen) < 98:
        headers = {"Last-Event-ID": str(seen[-1].id)} if seen else {}
        query: dict[str, Any] = {} if seen else {"after": 0}
        async with following(opened, address, headers=headers, **query) as response:
            seen += await first(response, 7)
    assert [one.id for one in seen] == list(range(1, 99))
    assert len({one.data["contact_id"] for one in seen}) == 98


async def test_what_is_no_longer_kept_is_told_as_a_gap(opened: Open, address: str) -> None:
    desk = opened.desk
    desk.publish(*(closed(f"c{n}") for n in range(5)))
    await opened.stored()
    desk.clock.move_to(desk.clock.now() + 8 * DAY)
    desk.publish(closed("c5"))
    await opened.stored()
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, desk.clock.now())
    async with following(opened, address, headers={"Last-Event-ID": "2"}) as response:
        gap, event = await first(response, 2)
    assert (gap.event, gap.id, gap.data) == ("gap", 5, {"first": 3, "last": 5})
    assert (event.id, event.data["contact_id"]) == (6, "c5")


async def test_a_feed_of_which_nothing_is_kept_goes_on_after_a_gap(opened: Open, address: str) -> None:
    desk = opened.desk
    desk.publish(closed("c1"), closed("c2"))
    await opened.stored()
    await forget_before(opened.notifier.deliveries, opened.notifier.feed, desk.clock.now() + 8 * DAY)
    async with following(opened, address, after=0) as response:
        stream = events(response)
        assert (await anext(stream)).data == {"first": 1, "last": 2}
        desk.publish(closed("c3"))
        assert (await anext(stream)).id == 3


async def test_nobody_sees_another_workspaces_events(opened: Open, address: str) -> None:
    opened.desk.publish(closed("c1"), closed("c2", "other"), closed("c3"))
    async with following(opened, address, after=0) as mine, following(opened, address, "other", after=0) as theirs:
        assert [one.data["contact_id"] for one in await first(mine, 2)] == ["c1", "c3"]
        [other] = await first(theirs, 1)
        assert (other.id, other.data["contact_id"]) == (1, "c2")


@pytest.mark.parametrize(("whose", "status"), [("viewer", 200), ("integration", 200), ("agent", 403)])
async def test_who_may_follow(opened: Open, address: str, whose: str, status: int) -> None:
    async with following(opened, address, whose, after=0) as response:
        assert response.status_code == status


async def revoked(desk: Desk) -> None:
    await desk.keys.delete("other", "tests")


async def workspace_deleted(desk: Desk) -> None:
    await desk.delete_workspace("other")


@pytest.mark.parametrize("end", [revoked, workspace_deleted])
async def test_a_key_that_opens_nothing_any_more_reads_nothing_more(
    opened: Open, address: str, end: Callable[[Desk], Awaitable[None]]
) -> None:
    async with following(opened, address, "other", after=0) as theirs, following(opened, address, after=0) as mine:
        await end(opened.desk)
        opened.desk.publish(closed("c1", "other"), closed("c2"))
        assert await first(theirs, 1) == []
        assert [one.data["contact_id"] for one in await first(mine, 1)] == ["c2"]


@pytest.mark.parametrize("position", ["x", "-1", "1.5", "9" * 19, "１"])
async def test_a_position_that_is_none(opened: Open, position: str) -> None:
    answer = await opened.call("GET", "/v1/feed", headers={"Last-Event-ID": position.encode()})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_too_many_followers_are_refused_aloud(opened: Open) -> None:
    feed = opened.notifier.feed
    held = [feed.opened("default") for _ in range(FOLLOWERS_PER_WORKSPACE_MAX)]
    for one in held:
        one.__enter__()
    refused = await opened.call("GET", "/v1/feed")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    with feed.opened("other"):
        held.pop().__exit__(None, None, None)
        with feed.opened("default"):
            pass


async def test_a_quiet_feed_has_heartbeats(desk: Desk) -> None:
    feed = Feed(desk.database, heartbeat_seconds=0.01)
    assert isinstance(await asyncio.wait_for(anext(aiter(feed.follow("default", 0))), 5), Heartbeat)


async def test_a_follower_of_another_process_sees_what_this_one_stored(desk: Desk) -> None:
    elsewhere = Feed(desk.database)
    follow = aiter(elsewhere.follow("default", 0))
    waiting = asyncio.ensure_future(anext(follow))
    async with desk.open():
        desk.publish(closed("c1"))
        item = await asyncio.wait_for(waiting, WAIT_SECONDS)
    assert isinstance(item, Entry)
    assert item.position == 1


def row(position: int | None, head: int) -> dict[str, Any]:
    return {"head": head, "position": position, "event_id": "e", "type": "t", "value": b"{}"}


@pytest.mark.parametrize(
    ("rule", "after", "rows", "told"),
    [
        ("what follows", 4, [row(5, 6), row(6, 6)], [5, 6]),
        ("nothing new", 6, [row(None, 6)], []),
        ("nothing ever", 0, [], []),
        ("some are gone", 1, [row(5, 5)], [(2, 4, 4), 5]),
        ("a hole in between", 4, [row(5, 8), row(8, 8)], [5, (6, 7, 7), 8]),
        ("all are gone", 1, [row(None, 6)], [(2, 6, 6)]),
        ("a position from before a restore", 9, [row(None, 6)], [(7, 9, 6)]),
        ("a position of nobody's", 9, [], [(1, 9, 0)]),
    ],
)
def test_items_of(rule: str, after: int, rows: list[dict[str, Any]], told: list[Any]) -> None:
    items = items_of(rows, after)
    assert [(i.first, i.last, i.goes_on_after) if isinstance(i, Gap) else i.position for i in items] == told, rule
