"""Membership where there is one process: everything is its own from the start until it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from libs.common.log.port import PartitionsCallback, Place, Reader

ReadFrom = Callable[[Mapping[Place, int]], Reader]


class OnlyMember:
    def __init__(
        self,
        partitions: int,
        topics: Sequence[str],
        read_from: ReadFrom,
        *,
        assigned: PartitionsCallback,
        revoked: PartitionsCallback,
    ) -> None:
        self._all = frozenset(range(partitions))
        self._topics = tuple(topics)
        self._read_from = read_from
        self._assigned = assigned
        self._revoked = revoked
        self._left = False
        self._assigning = asyncio.create_task(self._assign())  # Once `join` has returned: it finds its group.

    async def _assign(self) -> None:
        await self._assigned(self._all)

    def reader(self, partition: int, positions: Mapping[str, int]) -> Reader:
        return self._read_from({(topic, partition): positions.get(topic, 0) for topic in self._topics})

    async def report(self, partition: int, positions: Mapping[str, int]) -> None:
        """Whoever measures the only process's lag asks it."""

    async def leave(self) -> None:
        if self._left:
            return
        self._left = True
        await self._assigning
        await self._revoked(self._all)
