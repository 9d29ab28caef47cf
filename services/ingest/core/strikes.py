"""Earlier failures towards a customer: contacts whose promise was broken, or that brought them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from libs.common.events.base import SECOND

STRIKES_MAX: Final = 3
STRIKE_DAYS: Final = 90
STRIKE_MICROSECONDS: Final = STRIKE_DAYS * 86_400 * SECOND


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A contact that breached, or that the customer had to come back after."""

    contact_id: str
    at: int


def strikes(failures: Iterable[Failure], now: int, *, returns_to: str | None = None) -> int:
    """0 to 3: the contacts that failed within 90 days, each once however often it did.

    `returns_to` is the closed contact that this very message comes back to: a repeat is a strike.
    """
    failed = {failure.contact_id for failure in failures if failure.at > now - STRIKE_MICROSECONDS}
    if returns_to is not None:
        failed.add(returns_to)
    return min(STRIKES_MAX, len(failed))
