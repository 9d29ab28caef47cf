"""Reads places onward: from the tails in memory, or from the database what is older or another handle's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from libs.common.log.port import Place, Record
from libs.common.log.postgres_places import Places
from libs.common.log.postgres_queries import Queries


class PostgresReader:
    def __init__(self, places: Places, queries: Queries, start: Mapping[Place, int]) -> None:
        self._places = places
        self._queries = queries
        self._next = dict(start)
        self._turns = list(start)
        self._woken = asyncio.Event()
        self._closed = False
        for place in start:
            places[place].follow(self._woken)

    async def read(self, *, max_records: int, wait_seconds: float) -> list[Record]:
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while True:
            self._woken.clear()
            records = await self._take(max_records)
            if records or self._closed or not await self._wake(deadline):
                return records

    async def _wake(self, deadline: float) -> bool:
        """Whether something was written before the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._woken.wait()
        except TimeoutError:
            return False

    async def _take(self, max_records: int) -> list[Record]:
        """An equal share of every place that has something; positions move only once all of it is there."""
        ready = [place for place in self._turns if self._next[place] < self._places[place].end][:max_records]
        if not ready:
            return []
        found, stored = self._held(ready, max_records // len(ready))
        ends = self._places.ends(stored)
        if stored:
            wanted = [(place, self._next[place]) for place in stored]
            found |= await self._queries.records(wanted, max_records // len(ready))
        for place, records in found.items():
            self._advance(place, records, ends.get(place, 0), max_records // len(ready))
        self._turns.append(self._turns.pop(0))
        return [record for place in ready for record in found[place]]

    def _held(self, ready: Sequence[Place], most: int) -> tuple[dict[Place, list[Record]], list[Place]]:
        """What the tails hold, and the places to be read from the database."""
        found: dict[Place, list[Record]] = {}
        stored: list[Place] = []
        for place in ready:
            records = self._places[place].take(self._next[place], most)
            if records is None:
                stored.append(place)
            else:
                found[place] = records
        return found, stored

    def _advance(self, place: Place, records: Sequence[Record], end: int, most: int) -> None:
        """A query that found less than asked for has seen all up to `end`, also where old days were dropped."""
        if records:
            self._next[place] = records[-1].position + 1
        if len(records) < most:
            self._next[place] = max(self._next[place], end)

    def next_positions(self) -> dict[Place, int]:
        return dict(self._next)

    async def close(self) -> None:
        self._closed = True
        for place in self._next:
            self._places[place].unfollow(self._woken)
        self._woken.set()
