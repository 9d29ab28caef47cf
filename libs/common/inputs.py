"""The order in which a partition's inputs are fed: pure, so that it can be tested without a log.

Each topic keeps its own order. A decision's record names the position of the contacts topic that had been fed
before it was made; a service that reads both feeds contacts up to there first. Otherwise the topics take turns in
the order in which the core lists them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from libs.common.events import CONTACTS, ESCALATIONS, ROUTING
from libs.common.log import Record
from libs.common.log.port import Place
from libs.common.machine import AFTER_HEADER


class Inputs:
    """Records that were read and not yet fed."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._waiting: dict[str, deque[Record]] = {topic: deque() for topic in topics}
        self._reads_contacts = CONTACTS in self._waiting

    def __len__(self) -> int:
        return sum(len(records) for records in self._waiting.values())

    def waiting(self, topic: str) -> int:
        """How many records of a topic were read and not yet fed."""
        return len(self._waiting[topic])

    def waiting_below(self, ends: Mapping[Place, int]) -> bool:
        """Whether a record below its place's end was read and not yet fed."""
        return any(
            records and records[0].position < ends.get((topic, records[0].partition), 0)
            for topic, records in self._waiting.items()
        )

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self._waiting[record.topic].append(record)

    def ready(self, contacts_read_to: int) -> bool:
        """Whether `next` would give a record."""
        return any(records and self._may_go(records[0], contacts_read_to) for records in self._waiting.values())

    def next(self, contacts_read_to: int) -> Record | None:
        """The next record to feed; None when there is none, or when it must wait for contacts not read yet.

        `contacts_read_to` is the position up to which the contacts topic was read from the log.
        """
        for records in self._waiting.values():
            if records and self._may_go(records[0], contacts_read_to):
                return records.popleft()
        return None

    def _may_go(self, record: Record, contacts_read_to: int) -> bool:
        """Contacts come first in turn, so a decision only ever waits for contacts that were not read yet."""
        if not self._reads_contacts or record.topic == CONTACTS:
            return True
        return contacts_read_to >= _contacts_before(record) and not self._waiting[CONTACTS]


def _contacts_before(record: Record) -> int:
    """The position that a decision names; 0 for what no machine has written, whatever it says."""
    named = record.headers.get(AFTER_HEADER, "")
    by_machine = record.topic in (ROUTING, ESCALATIONS)
    return int(named) if by_machine and named.isascii() and named.isdecimal() else 0
