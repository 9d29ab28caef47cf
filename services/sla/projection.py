"""The SLA service's tables as a mirror of its state and its escalations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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

PARTS: Final = ("sla_targets", "sla_calendars", "sla_clocks", "sla_exposures")
EXPOSED: Final = """
    INSERT INTO sla_exposures (partition, entity_key) SELECT * FROM unnest($1::int[], $2::text[])
    ON CONFLICT DO NOTHING RETURNING partition, entity_key
"""
FORGOTTEN: Final = """
    DELETE FROM sla_exposures WHERE (partition, entity_key) IN (SELECT * FROM unnest($1::int[], $2::text[]))
"""


class Told(NamedTuple):
    """An escalations record as it was applied, and the outcome that it decided."""

    record: Record
    event: Event
    outcome: Outcome | None


class Applied(NamedTuple):
    """`exposures` are the contacts whose exposure is known now and was not counted before."""

    told: list[Told]
    exposures: list[tuple[Record, Contact]]


SlaProjection = Projection[Applied]


class SlaMirror:
    service = "sla"
    state: Topic = SLA_STATE
    events: Topic = ESCALATIONS

    async def clear(self, connection: Any) -> None:
        for table in PARTS:
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

    async def apply(self, connection: Any, records: Sequence[Record]) -> Applied:
        await write_entities(connection, [record for record in records if record.topic == SLA_STATE])
        exposures = await _write_exposures(connection, [record for record in records if _is_contact(record)])
        read = [pair for record in records if record.topic == ESCALATIONS for pair in _read(record)]
        told = [Told(record, event, await write_event(connection, record.partition, event)) for record, event in read]
        return Applied(told, exposures)

    def tell(
        self, read: Sequence[Record], records: Sequence[Record], applied: Applied, is_news: IsNews
    ) -> None:
        for told in applied.told:
            if is_news(told.record):
                metrics.count(told.event, told.outcome)
        for record, contact in applied.exposures:
            if is_news(record):
                metrics.count_exposure(contact)


def _is_contact(record: Record) -> bool:
    return record.topic == SLA_STATE and record.key.startswith(f"{CONTACT}|")


async def _write_exposures(connection: Any, records: Sequence[Record]) -> list[tuple[Record, Contact]]:
    """The first record of each public contact that says its exposure, if nobody noted it before."""
    known: dict[tuple[int, str], tuple[Record, Contact]] = {}
    for record in records:
        contact = msgspec.json.decode(record.value, type=Contact) if record.value is not None else None
        if contact is not None and contact.visibility == "public" and not contact.exposed:
            known.setdefault((record.partition, record.key), (record, contact))
    new = await connection.fetch(EXPOSED, *_columns(known)) if known else []
    gone = [(record.partition, record.key) for record in records if record.value is None]
    if gone:
        await connection.execute(FORGOTTEN, *_columns(gone))
    return [known[row["partition"], row["entity_key"]] for row in new]


def _columns(places: Collection[tuple[int, str]]) -> tuple[list[int], list[str]]:
    return [partition for partition, _ in places], [key for _, key in places]


def _read(record: Record) -> Iterable[tuple[Record, Event]]:
    try:
        yield record, decode(record.key, record.value, record.headers).event
    except Unreadable as error:
        log.error("unreadable_event", position=record.position, error=str(error)[:80])
