"""The clock as a dependency: the machine's own, or one that tests and the import move."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970 UTC."""
        ...

    async def sleep_until(self, instant: int) -> None:
        """Return at `instant` or soon after; at once when it has passed."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000

    async def sleep_until(self, instant: int) -> None:
        await asyncio.sleep(max(0, instant - self.now()) / 1_000_000)


class VirtualClock:
    """Stands still until it is moved; never runs back."""

    def __init__(self, start: int) -> None:
        self._now = start
        self._moved = asyncio.Event()

    def now(self) -> int:
        return self._now

    def move_to(self, instant: int) -> None:
        """Wakes everyone who sleeps until then or earlier."""
        if instant <= self._now:
            return
        self._now = instant
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep_until(self, instant: int) -> None:
        while self._now < instant:
            await self._moved.wait()
