"""What a handle knows of each place without asking the database: its end, its latest records, who waits for more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice

from libs.common.log.port import Place, Record

TAIL_RECORDS_MAX = 1_000
TAIL_BYTES_MAX = 1_000_000


class Tail:
    """A place's latest records, held while somebody reads the place.

    `start` is the position of the first record held; `end` is one past the last record known to be committed,
    which another handle may have written, so that the records held can stop short of it."""

    def __init__(self) -> None:
        self.id: int | None = None
        self.start = 0
        self.end = 0
        self.sleepers: set[asyncio.Event] = set()
        self._records: list[Record] = []
        self._bytes = 0

    def observed(self, place_id: int, end: int) -> None:
        """The database says that the place's end is there by now."""
        self.id = place_id
        if end > self.end:
            self.end = end
            self._wake()

    def written(self, records: Sequence[Record]) -> None:
        """We committed these records: at least one, without gaps."""
        self.end = max(self.end, records[-1].position + 1)
        if self.sleepers:
            self._hold(records)
            self._wake()

    def take(self, position: int, most: int) -> list[Record] | None:
        """Up to `most` records from `position` on; None when they are in the database only."""
        index = position - self.start
        if 0 <= index < len(self._records):
            return self._records[index : index + most]
        return None if position < self.end else []

    def follow(self, woken: asyncio.Event) -> None:
        self.sleepers.add(woken)

    def unfollow(self, woken: asyncio.Event) -> None:
        self.sleepers.discard(woken)
        if not self.sleepers:
            self._forget(self.end)

    def _hold(self, records: Sequence[Record]) -> None:
        if records[0].position != self.start + len(self._records):
            self._forget(records[0].position)  # Another handle wrote in between.
        self._records += records
        self._bytes += sum(len(record.value or b"") for record in records)
        while len(self._records) > TAIL_RECORDS_MAX or self._bytes > TAIL_BYTES_MAX:
            self._drop_half()

    def _drop_half(self) -> None:
        half = len(self._records) // 2 + 1
        self._bytes -= sum(len(record.value or b"") for record in islice(self._records, half))
        del self._records[:half]
        self.start += half

    def _forget(self, start: int) -> None:
        self._records.clear()
        self._bytes = 0
        self.start = start

    def _wake(self) -> None:
        for sleeper in self.sleepers:
            sleeper.set()


class Places:
    """The tails of all places of one handle. Topics are kept in the database behind the handle's namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._tails: dict[Place, Tail] = {}

    def __getitem__(self, place: Place) -> Tail:
        return self._tails.setdefault(place, Tail())

    def stored_topic(self, topic: str) -> str:
        return self.namespace + topic

    def observed(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Rows of (id, stored topic, partition, next position)."""
        for place_id, topic, partition, end in rows:
            self[topic.removeprefix(self.namespace), partition].observed(place_id, end)

    def unknown(self, places: Iterable[Place]) -> list[Place]:
        """Those whose row in the database isn't known yet."""
        return [place for place in places if self[place].id is None]

    def known_id(self, place: Place) -> int:
        place_id = self[place].id
        assert place_id is not None, "a place's row is made before its first record"
        return place_id

    def is_followed(self) -> bool:
        return any(tail.sleepers for tail in self._tails.values())

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        return {place: self[place].end for place in places}
