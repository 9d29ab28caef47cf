"""How much is too much: requests a second of one API key, and requests that a process works on at once."""

from __future__ import annotations

from typing import Final

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from libs.common.errors import TooMany

RETRY_AFTER_SECONDS: Final = 1


class RateLimit:
    """A window of one second a key, counted in this process by the machine's clock."""

    def __init__(self, per_second: int) -> None:
        self._limit = RateLimitItemPerSecond(per_second)
        self._windows = FixedWindowRateLimiter(MemoryStorage())

    async def take(self, *key: str) -> None:
        """Count one request. Raises TooMany."""
        if not await self._windows.hit(self._limit, *key):
            raise TooMany(
                f"more than {self._limit.amount} requests a second with this key", retry_after=RETRY_AFTER_SECONDS
            )


class Gate:
    """Bounds the requests in progress: what doesn't get in is refused at once, not queued."""

    def __init__(self, at_once_max: int) -> None:
        self._free = at_once_max

    def enter(self) -> bool:
        """Whether there was room; whoever came in must `leave`."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def leave(self) -> None:
        self._free += 1
