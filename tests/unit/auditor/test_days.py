"""The auditor beside the SLA service's random days: silent of the true ones, and red for the planted bugs."""

from __future__ import annotations

import pytest

from services.auditor.ladder import Ladders
from services.sla.core.core import SlaCore
from tests.simulation.sla.test_seeded_days import FiresEarly, LeavesClocksOpen, RepeatsSteps, run
from tests.simulation.sla.world import day
from tests.unit.sla.driver import seconds


def audited(seed: int, core: SlaCore | None = None) -> list[str]:
    """What it says of a day; who was away for a while begins again after it."""
    made = day(seed)
    driver, ladders = run(made, core).driver, Ladders()
    found: list[str] = []
    for event in driver.clock_events():
        for _, end in made.outages:
            if seconds(end) <= event.at:
                ladders.restored(seconds(end))
        found += [str(one) for one in ladders.take(event)]
    return found + [str(one) for one in ladders.pass_time(driver.now)]


@pytest.mark.parametrize("seed", range(60))
def test_a_true_day_breaks_nothing(seed: int) -> None:
    assert audited(seed) == []


class ForgetsTimers(SlaCore):
    """Nothing is ever due."""

    def next_due(self, state: object) -> None:
        return None

    def pop_timer(self, state: object, until: int) -> None:
        return None


@pytest.mark.parametrize("bug", [FiresEarly, RepeatsSteps, LeavesClocksOpen, ForgetsTimers])
def test_a_planted_bug_is_caught(bug: type[SlaCore]) -> None:
    assert sum(bool(audited(seed, bug())) for seed in range(15)) >= 2
