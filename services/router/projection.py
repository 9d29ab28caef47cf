"""The router's tables as a mirror of its state and its decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from libs.common.events import ROUTER_STATE, ROUTING, Topic
from libs.common.events.codec import Envelope, Unreadable, decode
from libs.common.log import Record
from libs.common.projection import IsNews, Projection
from libs.common.telemetry import log
from services.router import metrics
from services.router.mirror import write_entities, write_events
from services.router.stream import Streams
from services.router.versions import write_versions

Decisions = list[tuple[Record, Envelope]]
RouterProjection = Projection[Decisions]


class RouterMirror:
    service = "router"
    state: Topic = ROUTER_STATE
    events: Topic = ROUTING

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def clear(self, connection: Any) -> None:
        await connection.execute("DELETE FROM router_entities")
        await connection.execute("DELETE FROM router_events")
        await connection.execute("DELETE FROM router_versions")

    async def apply(self, connection: Any, records: Sequence[Record]) -> Decisions:
        """The state first: a contact's last entity is there when the event that ends it comes."""
        await write_entities(connection, [record for record in records if record.topic == ROUTER_STATE])
        decisions = [pair for record in records if record.topic == ROUTING for pair in _read(record)]
        await write_events(connection, decisions)
        await write_versions(connection, decisions)
        return decisions

    def tell(
        self, read: Sequence[Record], records: Sequence[Record], applied: Decisions, is_news: IsNews
    ) -> None:
        news = [envelope for record, envelope in applied if is_news(record)]
        metrics.count(envelope.event for envelope in news)
        if len(news) < len(applied):
            self._streams.look_again()
        if len(read) > len(records):  # Another process was first: those who watch this one want to know too.
            decisions = [pair for record in read if record.topic == ROUTING for pair in _read(record)]
            news = [envelope for record, envelope in decisions if is_news(record)]
        self._streams.publish(news)


def _read(record: Record) -> Iterable[tuple[Record, Envelope]]:
    try:
        yield record, decode(record.key, record.value, record.headers)
    except Unreadable as error:
        log.error("unreadable_decision", position=record.position, error=str(error)[:80])
