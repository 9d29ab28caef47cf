"""What came of an import, counted from the topics themselves: nothing is believed that isn't on the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from libs.common.events import PUBLIC_TOPICS, Event
from libs.common.events.codec import decode
from libs.common.events.contacts import ContactOpened, Message, MessageAdded, ResponseObserved
from libs.common.events.escalations import ClockMet, EscalationRaised, TargetBreached
from libs.common.events.routing import ContactAssigned, ContactOffered
from libs.common.log import Log, Record
from libs.common.log.port import Place
from services.all.recorded import Recorded

READ_MAX: Final = 2_000
READ_WAIT_SECONDS: Final = 1.0


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of an import. `attainment`: share of first responses in time, by channel."""

    conversations: int
    contacts_opened: int
    messages_joined: int
    responses_observed: int
    duplicates: int
    lost: int
    offers: int
    assigned: int
    breaches: int
    escalations: int
    attainment: dict[str, float]


@dataclass(frozen=True)
class Tally:
    """Where the public topics ended when the import began."""

    log: Log
    start: dict[Place, int]

    @classmethod
    async def beginning(cls, log: Log) -> Tally:
        places = [(topic, partition) for topic in PUBLIC_TOPICS for partition in range(log.partitions)]
        return cls(log, await log.ends(places))

    async def counted(self, workspace: str, conversations: Sequence[Recorded]) -> Played:
        events = [event for record in await self._records() for event in _of(workspace, record)]
        counts = Counter(type(event) for event in events)
        taken = [event.message_id for event in events if isinstance(event, Message | ResponseObserved)]
        recorded = sum(len(one.messages) for one in conversations)
        return Played(
            conversations=len(conversations),
            contacts_opened=counts[ContactOpened],
            messages_joined=counts[MessageAdded],
            responses_observed=counts[ResponseObserved],
            duplicates=len(taken) - len(set(taken)),
            lost=recorded - len(set(taken)),
            offers=counts[ContactOffered],
            assigned=counts[ContactAssigned],
            breaches=counts[TargetBreached],
            escalations=counts[EscalationRaised],
            attainment=attainment(events),
        )

    async def _records(self) -> list[Record]:
        ends = await self.log.ends(list(self.start))
        reader = await self.log.reader(self.start)
        records: list[Record] = []
        try:
            while any(reader.next_positions()[place] < end for place, end in ends.items()):
                records += await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS)
        finally:
            await reader.close()
        return records


def _of(workspace: str, record: Record) -> list[Event]:
    if record.key.split("/", 1)[0] != workspace:
        return []
    return [decode(record.key, record.value, record.headers).event]


def attainment(events: Sequence[Event]) -> dict[str, float]:
    """Share of the decided first responses that came in time; a breach that was later answered stays a miss."""
    outcomes: defaultdict[str, dict[tuple[str, str], bool]] = defaultdict(dict)
    for event in events:
        match event:
            case TargetBreached(channel=channel, contact_id=contact, target=target):
                outcomes[channel].setdefault((contact, target), False)
            case ClockMet(channel=channel, contact_id=contact, target=target, late=late):
                outcomes[channel][contact, target] = not late
            case _:
                pass
    return {channel: round(sum(kept.values()) / len(kept), 4) for channel, kept in sorted(outcomes.items())}
