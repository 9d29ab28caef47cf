"""A calendar is put again while clocks run by it: what has passed stays, what is to come follows the rule."""

from __future__ import annotations

import pytest

from libs.common.events import Event
from services.sla.core.limits import INTERVALS_PER_CALENDAR_MAX
from tests.unit.sla.driver import (
    EVERYWHERE,
    SlaDriver,
    calendar,
    closed,
    delete_calendar,
    delete_target,
    message,
    opened,
    queued,
    response,
    seconds,
    target,
)

Spans = list[tuple[float, float]]
OFFICE = calendar("office", (0, 50), (100, 9_000))
OTHER = calendar("office", (500, 9_000), command_id="2", hours="Mo")
FIRST = target(seconds=100, calendar="office")
RESOLVED = target(metric="resolution", seconds=100, calendar="office")


def paused_at_40() -> SlaDriver:
    return SlaDriver(OFFICE, RESOLVED, opened(), queued()).at(40, response(at=40))


def office(driver: SlaDriver) -> tuple[tuple[int, int], ...]:
    return driver.machine.state.calendars[EVERYWHERE]["office"].open


# -- the same hours, compiled anew ---------------------------------------------------------------------------------


def test_open_time_before_the_new_table_still_counts() -> None:
    driver = SlaDriver(OFFICE, FIRST, opened(), queued())
    driver.at(110, calendar("office", (100, 20_000), command_id="2", since=seconds(90)))
    driver.advance(1_000)
    assert "clock.corrected" not in driver.types()
    assert driver.last("target.breached").at == seconds(150)


def test_a_new_table_has_the_last_word_from_its_start_on() -> None:
    driver = SlaDriver(OFFICE, FIRST, opened(), queued())
    driver.receive(calendar("office", (300, 9_000), command_id="2", since=seconds(60)))
    assert driver.last("clock.corrected").due_at == seconds(350)


@pytest.mark.parametrize(
    ("rule", "known", "since", "table", "kept"),
    [
        ("what ended before stays", [(0, 10)], 20, [(30, 40)], [(0, 10), (30, 40)]),
        ("what reaches into it is cut", [(0, 30)], 20, [(25, 40)], [(0, 20), (25, 40)]),
        ("and joined", [(0, 30)], 20, [(20, 40)], [(0, 40)]),
        ("also to nothing", [(0, 30)], 20, [], [(0, 20)]),
        ("who says no start says all", [(0, 30)], None, [(20, 40)], [(20, 40)]),
    ],
)
def test_what_is_kept_of_the_past(rule: str, known: Spans, since: float | None, table: Spans, kept: Spans) -> None:
    start = None if since is None else seconds(since)
    driver = SlaDriver(calendar("office", *known), calendar("office", *table, command_id="2", since=start))
    assert office(driver) == tuple((seconds(a), seconds(b)) for a, b in kept), rule


def test_other_hours_have_no_past() -> None:
    driver = SlaDriver(OFFICE, calendar("office", (500, 9_000), command_id="2", hours="Mo", since=seconds(400)))
    assert office(driver) == ((seconds(500), seconds(9_000)),)


def test_the_past_is_bounded() -> None:
    day = 86_400
    driver = SlaDriver(calendar("office", *((3 * n, 3 * n + 1) for n in range(INTERVALS_PER_CALENDAR_MAX))))
    driver.receive(calendar("office", (20_000, 20_001), command_id="2", since=seconds(18_000)))
    assert len(office(driver)) == INTERVALS_PER_CALENDAR_MAX
    driver.advance(401 * day)
    driver.receive(calendar("office", (402 * day, 403 * day), command_id="3", since=seconds(400 * day)))
    assert len(office(driver)) == 1


# -- other hours ---------------------------------------------------------------------------------------------------


def test_a_clock_that_runs_is_measured_by_its_own_hours() -> None:
    driver = SlaDriver(OFFICE, FIRST, opened(), queued(), OTHER)
    driver.advance(120)
    driver.restart()
    driver.receive(response(at=120))
    assert (driver.last("clock.met").elapsed_seconds, driver.last("clock.met").late) == (70, False)


def test_what_had_passed_at_the_pause_stays() -> None:
    driver = paused_at_40().at(50, OTHER)
    driver.restart()
    driver.at(600, message(at=600))
    assert driver.last("clock.resumed").due_at == seconds(660)
    driver.at(620, closed(at=620))
    assert driver.last("clock.met").elapsed_seconds == 60


def test_a_holiday_in_the_pause_takes_nothing_back() -> None:
    driver = paused_at_40().at(50, calendar("office", (500, 9_000), command_id="2", since=seconds(0)))
    driver.at(600, message(at=600))
    assert driver.last("clock.resumed").due_at == seconds(660)


def test_who_goes_on_by_other_hours_is_corrected_with_them() -> None:
    driver = paused_at_40().at(50, OTHER).at(600, message(at=600))
    driver.receive(calendar("office", (500, 610), (1_000, 9_000), command_id="3", hours="Mo"))
    assert driver.last("clock.corrected").due_at == seconds(1_050)


# -- what is kept no longer than it is needed ------------------------------------------------------------------------


def test_earlier_hours_go_with_the_last_clock_on_them() -> None:
    driver = SlaDriver(OFFICE, FIRST, opened(), queued(), OTHER)
    assert [version for version, _ in driver.machine.state.calendars[EVERYWHERE]["office"].earlier] == [1]
    driver.receive(closed(at=0))
    driver.advance(1_000)
    driver.receive(calendar("lab", (0, 9)))
    assert driver.machine.state.calendars[EVERYWHERE]["office"].earlier == ()


def test_a_deleted_calendar_that_no_clock_needs_has_no_table() -> None:
    driver = SlaDriver(OFFICE, delete_calendar("office"))
    gone = driver.machine.state.calendars[EVERYWHERE]["office"]
    assert (gone.open, gone.version, gone.sequence) == ((), 2, 2)


def test_one_that_a_clock_needed_loses_it_afterwards() -> None:
    driver = SlaDriver(OFFICE, FIRST, opened(), queued(), delete_target("t1"), delete_calendar("office"))
    assert office(driver) != ()
    driver.receive(closed(at=0))
    driver.advance(1_000)
    driver.receive(calendar("lab", (0, 9)))
    assert office(driver) == ()
    assert b'"open":[]' in driver.stored[f"calendar|{EVERYWHERE}|office"]


def test_a_paused_clock_goes_on_by_the_last_hours_of_a_deleted_calendar() -> None:
    driver = paused_at_40().at(50, OTHER, delete_target("t1"), delete_calendar("office"))
    driver.at(600, message(at=600))
    assert driver.last("clock.resumed").due_at == seconds(660)


# -- compiled from a version that is no more -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "before", "replaces", "published"),
    [
        ("of the present version", [OFFICE], 1, ["calendar.compiled"]),
        ("of one that was replaced", [OFFICE, OTHER], 1, []),
        ("of one that was deleted", [OFFICE, delete_calendar("office")], 1, []),
        ("of none where there is none", [], 0, ["calendar.compiled"]),
    ],
)
def test_compiled_again(rule: str, before: list[Event], replaces: int, published: list[str]) -> None:
    driver = SlaDriver(*before)
    driver.envelopes.clear()
    driver.receive(calendar("office", (0, 50), command_id="3", replaces=replaces))
    assert [one.event.type for one in driver.envelopes] == published, rule
    assert driver.outcomes[-1].status in {200, 201}, rule
