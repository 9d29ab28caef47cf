"""The examples in `docs/examples` do what `docs/integrators.md` says, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest

from docs.examples.consumer import TOPICS, Once, consume
from docs.examples.feed import follow
from docs.examples.webhook import TOLERANCE_SECONDS, Forged, verified
from libs.common.clock import SystemClock, VirtualClock
from libs.common.events import CONTACTS, SECOND
from libs.common.log import Draft, Record
from libs.common.log.kafka import open_kafka_log
from libs.common.log.topics import create_topics
from services.notifier.channels.webhook import Letter, open_webhooks
from services.notifier.egress import Guard
from tests.contract.events.recorded import recorded
from tests.integration.notifier.desk import Desk, closed, left
from tests.integration.notifier.receiver import SECRET, WAIT_SECONDS
from tests.integration.notifier.test_feed import serving

PARTITIONS = 2
BODY = b'{"type":"contact.closed","timestamp":"2026-11-22T09:30:00.000000Z","data":{"contact_id":"con_1"}}'


# -- the consumer ------------------------------------------------------------------------------------------------


class Inbox:
    """What a consumer handled, and the moment at which it has handled enough."""

    def __init__(self, count: int) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.full = asyncio.Event()
        self._count = count

    def take(self, kind: str, event: dict[str, Any]) -> None:
        self.got.append((kind, event))
        if len(self.got) == self._count:
            self.full.set()


def draft_of(record: Record) -> Draft:
    return Draft(topic=record.topic, key=record.key, value=record.value, headers=record.headers)


async def written(bootstrap: str, prefix: str, day: Sequence[Record]) -> None:
    """A day on the log: contacts twice, as a relay that died leaves them; a workspace's events on every partition."""
    await create_topics(bootstrap, TOPICS, partitions=PARTITIONS, topic_prefix=prefix)
    everywhere = [draft_of(record) for record in day if record.key.endswith("/*")]
    async with open_kafka_log(bootstrap, partitions=PARTITIONS, topic_prefix=prefix) as log:
        for record in day:
            for _ in range(1 + (record.topic == CONTACTS)):
                await log.append(0, [draft_of(record)])
        await log.append(1, everywhere)


async def handled(bootstrap: str, prefix: str, inbox: Inbox) -> Inbox:
    topics = [prefix + topic for topic in TOPICS]
    task = asyncio.create_task(consume(bootstrap, Once(inbox.take), topics, group=prefix))
    async with asyncio.timeout(WAIT_SECONDS):
        await inbox.full.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return inbox


async def test_the_consumer_handles_every_event_once_and_in_order(kafka_bootstrap: str) -> None:
    day, prefix = recorded(), f"docs-{uuid4().hex[:8]}."
    ids = [record.headers["ce_id"] for record in day]
    assert len(ids) == len({*ids}), "an id is one event's"
    await written(kafka_bootstrap, prefix, day)
    inbox = await handled(kafka_bootstrap, prefix, Inbox(len(day)))
    assert len(inbox.got) == len(day)
    # A subject's event out of its order would be dropped, or told as a hole.
    assert "gap" not in {kind for kind, _ in inbox.got}
    assert sorted(event["at"] + kind for kind, event in inbox.got) == sorted(
        record.headers["ce_time"] + record.headers["ce_type"] for record in day
    )


@pytest.mark.parametrize(
    ("what", "sequences", "handled_as"),
    [
        ("each is handled once", [1, 1, 2, 1, 2], ["x", "x"]),
        ("a hole is told", [1, 4], ["x", "gap", "x"]),
        ("where it begins is no hole", [7, 8], ["x", "x"]),
    ],
)
def test_what_the_consumer_makes_of_sequences(what: str, sequences: list[int], handled_as: list[str]) -> None:
    inbox = Inbox(0)
    once = Once(inbox.take)
    for sequence in sequences:
        headers = {"ce_source": "/omniroute/w/p", "ce_id": f"con_1.routing.{sequence}", "ce_type": "x"}
        once.take(headers, {"sequence": sequence})
    assert [kind for kind, _ in inbox.got] == handled_as, what


# -- webhooks ----------------------------------------------------------------------------------------------------


async def signed(body: bytes = BODY, sent_seconds_ago: int = 0) -> dict[str, str]:
    """The headers of a real attempt."""
    wall = VirtualClock(SystemClock().now() - sent_seconds_ago * SECOND)
    async with open_webhooks(Guard([ip_network("127.0.0.0/8")]), wall) as webhooks:
        return webhooks.headers(Letter(id="dlv_1", url="http://127.0.0.1/hook", secret=SECRET, body=body))


async def test_a_webhook_is_verified() -> None:
    assert verified(SECRET, await signed(), BODY)["data"] == {"contact_id": "con_1"}


async def test_what_is_not_ours_is_refused() -> None:
    headers = await signed()
    forged = {
        "another body": (SECRET, headers, BODY + b" "),
        "another secret": ("whsec_" + "QUJD" * 8, headers, BODY),
        "another id": (SECRET, headers | {"webhook-id": "dlv_2"}, BODY),
        "another time": (SECRET, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, BODY),
        "no signature": (SECRET, headers | {"webhook-signature": ""}, BODY),
        "no headers": (SECRET, {}, BODY),
        "an old one, sent again": (SECRET, await signed(sent_seconds_ago=TOLERANCE_SECONDS + 5), BODY),
    }
    for why, (secret, told, body) in forged.items():
        with pytest.raises(Forged):
            pytest.fail(f"{why} was taken: {verified(secret, told, body)}")


# -- the feed ----------------------------------------------------------------------------------------------------


async def test_the_feed_goes_on_behind_the_position(desk: Desk) -> None:
    desk.publish(closed("con_1"), left("con_2"), closed("con_3"))
    async with desk.open() as opened:
        await opened.stored()
        async with serving(opened) as address, asyncio.timeout(WAIT_SECONDS):
            events = follow(address, desk.given["default"], 1)
            first = await anext(events)
            desk.publish(closed("con_4"))
            rest = [await anext(events), await anext(events)]
            await events.aclose()
    positions = [position for position, _, _ in (first, *rest)]
    assert positions == [2, 3, 4]
    assert rest[-1][1:] == ("contact.closed", rest[-1][2] | {"contact_id": "con_4", "sequence": 1})
