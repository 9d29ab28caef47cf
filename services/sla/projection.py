"""The SLA service's tables as a mirror of its state and its escalations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from libs.common.events import ESCALATIONS, SLA_STATE, Event, Topic
from libs.common.events.codec import Unreadable, decode
from libs.common.log import Record
from libs.common.projection import IsNews, Projection
from libs.common.telemetry import log
from services.sla import metrics
from services.sla.core.state import CONTACT, Contact
from services.sla.mirror import Outcome, write_entities, write_event

PARTS: Final = ("sla_targets", "sla_calendars", "sla_clocks")


class Told(NamedTuple):
    """An escalations record as it was applied, and the outcome that it decided."""

    record: Record
    event: Event
    outcome: Outcome | None


SlaProjection = Projection[list[Told]]


class SlaMirror:
    service = "sla"
    state: Topic = SLA_STATE
    events: Topic = ESCALATIONS

    def __init__(self) -> None:
        self._exposures = metrics.Exposures()

    async def clear(self, connection: Any) -> None:
        for table in PARTS:
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    async def apply(self, connection: Any, records: Sequence[Record]) -> list[Told]:
        await write_entities(connection, [record for record in records if record.topic == SLA_STATE])
        read = [pair for record in records if record.topic == ESCALATIONS for pair in _read(record)]
        return [Told(record, event, await write_event(connection, record.partition, event)) for record, event in read]

    def tell(
        self, read: Sequence[Record], records: Sequence[Record], applied: list[Told], is_news: IsNews
    ) -> None:
        for told in applied:
            if is_news(told.record):
                metrics.count(told.event, told.outcome)
        for record in records:
            if record.topic == SLA_STATE and record.key.startswith(f"{CONTACT}|") and is_news(record):
                value = record.value
                contact = msgspec.json.decode(value, type=Contact) if value is not None else None
                self._exposures.note(record.key, contact)


def _read(record: Record) -> Iterable[tuple[Record, Event]]:
    try:
        yield record, decode(record.key, record.value, record.headers).event
    except Unreadable as error:
        log.error("unreadable_event", position=record.position, error=str(error)[:80])
