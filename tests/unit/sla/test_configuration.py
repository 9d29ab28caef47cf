"""Commands on targets and calendars: one outcome each, and what they do to clocks that run."""

from __future__ import annotations

import pytest

from libs.common.events import Event
from services.sla.core.limits import IDS_PER_WORKSPACE_MAX
from services.sla.core.state import Calendar, Target
from tests.unit.sla.driver import (
    EVERYWHERE,
    SlaDriver,
    calendar,
    delete_calendar,
    delete_target,
    ladder,
    message,
    opened,
    queued,
    response,
    seconds,
    target,
)

OFFICE = calendar("office", (0, 1_000))
BY_OFFICE = target(calendar="office")
TWICE_600 = target(calendar="office", seconds=600, escalate=ladder(2))


@pytest.mark.parametrize(
    ("rule", "before", "command", "status", "code", "published"),
    [
        ("a new target", [], target(), 201, "ok", ["target.updated"]),
        ("the same again", [target()], target(command_id="2"), 200, "ok", []),
        ("a change", [target()], target(command_id="2", seconds=7), 200, "ok", ["target.updated"]),
        ("next_response isn't built", [], target(metric="next_response"), 422, "not_supported", []),
        ("an unknown calendar", [], BY_OFFICE, 422, "unknown_calendar", []),
        ("a known calendar", [OFFICE], BY_OFFICE, 201, "ok", ["target.updated"]),
        ("it opens too little", [OFFICE], target(calendar="office", seconds=1_001), 422, "calendar_too_short", []),
        ("for the last step", [OFFICE], TWICE_600, 422, "calendar_too_short", []),
        ("a target's end", [target()], delete_target("t1"), 200, "ok", ["target.updated"]),
        ("of none", [], delete_target("t1"), 404, "not_found", []),
        ("only once", [target(), delete_target("t1")], delete_target("t1"), 200, "ok", []),
        ("and again after it", [target(), delete_target("t1")], target(command_id="2"), 201, "ok", ["target.updated"]),
        ("a new calendar", [], OFFICE, 201, "ok", ["calendar.compiled"]),
        ("the same table again", [OFFICE], calendar("office", (0, 1_000), command_id="2"), 200, "ok", []),
        ("another table", [OFFICE], calendar("office", (0, 9), (10, 20)), 200, "ok", ["calendar.compiled"]),
        ("`always` is built in", [], calendar("always", (0, 1)), 422, "built_in", []),
        ("a calendar in use stays", [OFFICE, BY_OFFICE], delete_calendar("office"), 409, "in_use", []),
        ("an unused one goes", [OFFICE], delete_calendar("office"), 200, "ok", ["calendar.compiled"]),
        ("a deleted one is unknown", [OFFICE, delete_calendar("office")], BY_OFFICE, 422, "unknown_calendar", []),
    ],
)  # fmt: skip
def test_commands(rule: str, before: list[Event], command: Event, status: int, code: str, published: list[str]) -> None:
    driver = SlaDriver(*before)
    driver.outcomes.clear()
    driver.envelopes.clear()
    driver.receive(command)
    assert [(outcome.status, outcome.code) for outcome in driver.outcomes] == [(status, code)], rule
    assert [one.event.type for one in driver.envelopes] == published, rule


def test_versions_and_sequences_outlive_a_deletion() -> None:
    driver = SlaDriver(target(), delete_target("t1"))
    driver.restart()
    driver.receive(target(command_id="2"))
    assert driver.last("target.updated").target_version == 3
    assert [one.sequence for one in driver.envelopes] == [1, 2, 3]


def test_ids_are_bounded_and_one_that_was_there_can_always_come_back() -> None:
    driver = SlaDriver()
    gone = [f"gone{number}" for number in range(IDS_PER_WORKSPACE_MAX)]
    state = driver.machine.state
    state.targets[EVERYWHERE] = {one: Target(key=EVERYWHERE, target_id=one, deleted=True) for one in gone}
    state.calendars[EVERYWHERE] = {one: Calendar(key=EVERYWHERE, calendar_id=one, deleted=True) for one in gone}
    driver.receive(target("new"), calendar("new", (0, 9)))
    assert [one.code for one in driver.outcomes] == ["too_many_targets", "too_many_calendars"]
    driver.receive(target("gone0"), calendar("gone0", (0, 9)))
    assert [one.status for one in driver.outcomes[2:]] == [201, 201]


def test_a_workspace_sees_only_its_own() -> None:
    import msgspec

    driver = SlaDriver(msgspec.structs.replace(target(), key="other/*"), opened(), queued())
    assert driver.types() == []


@pytest.mark.parametrize(
    ("rule", "hours", "breached_at"),
    [
        ("other hours move no clock that runs", "Mo 10:00-12:00", 150),
        ("the same hours compiled anew correct it", "24/7", 1_050),
    ],
)
def test_a_calendar_is_put_again(rule: str, hours: str, breached_at: float) -> None:
    first = calendar("office", (0, 50), (100, 9_000))
    driver = SlaDriver(first, target(seconds=100, calendar="office"), opened(), queued())
    driver.advance(60)
    driver.receive(calendar("office", (0, 50), (1_000, 9_000), command_id="2", hours=hours))
    driver.advance(5_000)
    assert driver.last("target.breached").at == seconds(breached_at), rule
    assert ("clock.corrected" in driver.types()) == (hours == "24/7")


def test_clocks_of_other_hours_are_not_corrected() -> None:
    driver = SlaDriver(calendar("office", (0, 50), (100, 9_000)), target(seconds=100, calendar="office"))
    driver.receive(opened(), queued())
    driver.receive(calendar("office", (0, 50), (200, 9_000), command_id="2", hours="Mo"))
    driver.receive(calendar("office", (0, 50), (300, 9_000), command_id="3", hours="Mo"))
    driver.advance(5_000)
    assert driver.types() == ["clock.started", "target.breached"]
    assert driver.last("target.breached").at == seconds(150)


def test_a_deleted_calendar_still_counts_for_the_clocks_on_it() -> None:
    driver = SlaDriver(OFFICE, BY_OFFICE, opened(), queued(), delete_target("t1"), delete_calendar("office"))
    driver.advance(50)
    driver.receive(response(at=50))
    assert driver.last("clock.met").elapsed_seconds == 50


def test_a_target_and_a_calendar_of_one_id_never_share_an_event_id() -> None:
    driver = SlaDriver(OFFICE, target("office"), delete_calendar("office"), target("office", command_id="2", seconds=7))
    assert len({one.id for one in driver.envelopes}) == 4
    assert [one.sequence for one in driver.envelopes] == [1, 1, 2, 2]


def test_a_paused_clock_is_corrected_when_it_goes_on() -> None:
    driver = SlaDriver(calendar("office", (0, 50), (100, 9_000)))
    driver.receive(target(metric="resolution", seconds=100, calendar="office"), opened(), queued())
    driver.at(10, response(at=10))
    driver.receive(calendar("office", (0, 50), (1_000, 9_000), command_id="2"))
    assert driver.types()[-1] == "clock.paused"
    driver.at(20, message(at=20))
    assert driver.last("clock.resumed").due_at == seconds(1_060)
