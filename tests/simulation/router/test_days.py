"""Random days look for what nobody listed: the promises as invariants, the seed in the message.

Fifty days in a quick run, five hundred with CI=true; OMNIROUTE_DAYS=n sets the number.
"""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from libs.common.events.consults import consulted
from libs.common.events.routing import AgentPresenceChanged, ContactClosed, OfferAccepted
from services.router.core.core import RouterCore
from tests.simulation.router.broken import BROKEN
from tests.simulation.router.day import Day
from tests.simulation.router.rush import RushHour

DAYS = int(os.environ.get("OMNIROUTE_DAYS", "500" if os.environ.get("CI") == "true" else "50"))
CATCHING_DAYS = 80
PLANTED = [(promise, core) for promise, cores in BROKEN.items() for core in cores]


@pytest.mark.parametrize("first", range(0, DAYS, 10))
def test_no_day_breaks_a_promise(first: int) -> None:
    for seed in range(first, min(first + 10, DAYS)):
        day = Day(seed).run()
        assert not day.violations, f"seed {seed}: {day.violations[0]}"


@pytest.mark.parametrize("seed", range(max(5, DAYS // 10)))
def test_a_restored_core_decides_the_same(seed: int) -> None:
    """Written, read back in another order at random moments: every later event is the same, byte for byte."""
    whole, restored = Day(seed).run(), Day(seed, restores=8).run()
    for one, other in zip(whole.pool.emitted, restored.pool.emitted, strict=False):
        assert one == other, f"seed {seed}"
    assert len(whole.pool.emitted) == len(restored.pool.emitted), f"seed {seed}"


@pytest.mark.parametrize("seed", range(10))
def test_in_a_rush_hour_waits_that_are_too_long_end_the_same_after_a_restore(seed: int) -> None:
    whole, restored = RushHour(seed).run(), RushHour(seed, restores=8).run()
    assert not whole.violations, f"seed {seed}: {whole.violations[0]}"
    assert whole.pool.emitted == restored.pool.emitted, f"seed {seed}"
    emitted = [one.event for one in whole.pool.emitted]
    assert "expected_wait" in {getattr(event, "reason", None) for event in emitted}, f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
def test_every_command_has_one_outcome(seed: int) -> None:
    day = Day(seed).run()
    answered = [outcome.command_id for outcome in day.pool.outcomes]
    assert len(answered) == len(set(answered)) > 0, f"seed {seed}"
    assert {outcome.status for outcome in day.pool.outcomes} <= {200, 403, 404, 409, 422}, f"seed {seed}"


def test_the_days_have_what_they_are_for() -> None:
    """Racers, accepts by the queue, breaks and shift ends that wait for the last contact, people who don't answer."""
    emitted = [one.event for seed in range(20) for one in Day(seed).run().pool.emitted]
    seen = {getattr(event, "reason", None) for event in emitted} | {event.type for event in emitted}
    ends = {event.resolution for event in emitted if isinstance(event, ContactClosed) and consulted(event.contact_id)}
    assert {"solved", "consult_ended"} <= ends
    assert {"accepted_by_another", "missed_offers", "shift_ended", "break", "contact.wrap_up_extended"} <= seen
    assert any(isinstance(event, OfferAccepted) and event.automatic for event in emitted)
    assert any(isinstance(event, AgentPresenceChanged) and event.next_status for event in emitted)


@pytest.mark.parametrize(("promise", "core"), PLANTED, ids=[core.__name__ for _, core in PLANTED])
def test_the_days_catch_a_planted_bug(promise: str, core: type[RouterCore]) -> None:
    assert any(catches(seed, core, promise) for seed in range(CATCHING_DAYS)), f"{core.__name__} goes unseen"


def catches(seed: int, core: type[RouterCore], promise: str) -> bool:
    """Whether the day breaks this promise, if need be before the bug trips the core's own assertions."""
    day = Day(seed, core())
    with suppress(AssertionError, KeyError, ValueError):
        day.run()
    return any(violation.promise == promise for violation in day.violations)
