"""Warnings, breaches and steps: each once, in order, never early; what is overdue says so."""

from __future__ import annotations

import pytest

from tests.unit.sla.driver import SlaDriver, calendar, closed, ladder, opened, queued, response, seconds, target

LADDER = target(seconds=100, warn_at=(0.5, 0.8), escalate=ladder(0.8, 1.0, 1.5))
RAISED = [
    (50, "target.warned", 0.5),
    (80, "target.warned", 0.8),
    (80, "escalation.raised", 0.8),
    (100, "target.breached", 1.0),
    (100, "escalation.raised", 1.0),
    (150, "escalation.raised", 1.5),
]


def raised(driver: SlaDriver) -> list[tuple[float, str, float]]:
    """(seconds after nine, type, share) of every moment raised."""
    events = [event for event in driver.clock_events() if event.type.startswith(("target.", "escalation."))]
    return [((one.at - seconds(0)) / 1_000_000, one.type, getattr(one, "share", 1.0)) for one in events]


@pytest.mark.parametrize("step", [0.4, 7, 1_000])
def test_each_moment_comes_once_in_order_and_on_time(step: float) -> None:
    driver = SlaDriver(LADDER, opened(), queued())
    while driver.now < seconds(1_000):
        driver.advance(step)
    assert raised(driver) == RAISED


@pytest.mark.parametrize("when", [49, 79, 99, 149])
def test_nothing_is_raised_after_the_answer(when: float) -> None:
    driver = SlaDriver(LADDER, opened(), queued())
    driver.advance(when)
    driver.receive(response(at=when))
    driver.advance(1_000)
    assert raised(driver) == [moment for moment in RAISED if moment[0] <= when]


def test_nothing_is_raised_after_the_end() -> None:
    driver = SlaDriver(LADDER, opened(), queued())
    driver.advance(120)
    driver.receive(closed(at=120))
    driver.advance(1_000)
    assert raised(driver) == RAISED[:5]


def test_what_is_past_when_the_clock_starts_is_raised_at_once_in_order_and_late() -> None:
    driver = SlaDriver(LADDER)
    driver.advance(120)
    driver.receive(opened(), queued(at=0))
    assert [(kind, share) for _, kind, share in raised(driver)] == [(kind, share) for _, kind, share in RAISED[:5]]
    assert all(event.late for event in driver.clock_events() if event.type in {"target.warned", "escalation.raised"})  # type: ignore[attr-defined]
    driver.advance(100)
    assert raised(driver)[-1] == RAISED[-1]
    assert not driver.last("escalation.raised").late


@pytest.mark.parametrize(("away", "late"), [(5, False), (60, True)])
def test_a_step_that_fell_due_while_nobody_was_there(away: float, late: bool) -> None:
    driver = SlaDriver(target(seconds=100, escalate=ladder(0.5)), opened(), queued())
    driver.advance(49)
    driver.sleep(1 + away)
    driver.restart()
    driver.receive()
    assert driver.last("escalation.raised").late is late
    assert len(raised(driver)) == 1 + (away >= 50)


def test_a_restart_between_two_steps_repeats_none() -> None:
    driver = SlaDriver(LADDER, opened(), queued())
    for _ in range(40):
        driver.advance(5)
        driver.restart()
    assert raised(driver) == RAISED


def test_clocks_that_are_due_together_go_by_id() -> None:
    driver = SlaDriver(target(seconds=100), *(opened(one) for one in "cab"), *(queued(one) for one in "cab"))
    driver.advance(100)
    assert [event.contact_id for event in driver.clock_events()[3:]] == ["a", "b", "c"]


def test_sequences_have_no_gap() -> None:
    driver = SlaDriver(LADDER, opened(), queued(), opened("c2"), queued("c2"))
    driver.advance(1_000)
    for contact in ("c1", "c2"):
        numbers = [one.sequence for one in driver.envelopes if one.event.subject == contact]
        assert numbers == list(range(1, 8))


def test_a_ladder_climbs_in_open_time_only() -> None:
    office = calendar("office", (0, 60), (1_000, 1_040), (2_000, 9_000))
    driver = SlaDriver(office, target(seconds=100, calendar="office", escalate=ladder(0.5, 1.5)), opened(), queued())
    driver.advance(5_000)
    assert [second for second, _, _ in raised(driver)] == [50, 1_040, 2_050]


def test_a_response_beyond_the_close_is_measured_in_open_time() -> None:
    office = calendar("office", (0, 60), (1_000, 9_000))
    driver = SlaDriver(office, target(seconds=100, calendar="office"), opened(), queued())
    driver.advance(1_030)
    driver.receive(response(at=1_030))
    assert driver.last("clock.met").elapsed_seconds == 90


def test_a_step_that_was_past_for_a_moment_when_the_clock_started_is_late_too() -> None:
    driver = SlaDriver(target(seconds=100, escalate=ladder(0.1)))
    driver.advance(13)
    driver.receive(opened(), queued(at=0))
    assert driver.last("escalation.raised").late


def test_not_a_microsecond_early() -> None:
    driver = SlaDriver(LADDER, opened(), queued())
    driver.now = seconds(50) - 1
    driver.receive()
    assert raised(driver) == []
    driver.now += 1
    driver.receive()
    assert len(raised(driver)) == 1


def test_what_falls_due_as_the_pause_begins_is_raised() -> None:
    driver = SlaDriver(target(metric="resolution", seconds=100, warn_at=(0.5, 0.6)), opened(), queued())
    driver.now = seconds(50)  # The response comes in the batch before the timer.
    driver.receive(response(at=50))
    driver.advance(500)
    assert driver.types() == ["clock.started", "clock.paused", "target.warned"]
