"""P8 as the auditor checks it: silent while a ladder is climbed as promised, and loud for each way in which not."""

from __future__ import annotations

from typing import Any, Final

import pytest

from libs.common.events import SECOND
from libs.common.events.escalations import (
    ClockCancelled,
    ClockCorrected,
    ClockEvent,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from libs.common.events.values import EscalationStep
from services.auditor.ladder import OVERDUE_AFTER_SECONDS, Ladders

CLOCK: Final[dict[str, Any]] = {"key": "acme/main", "contact_id": "con_1", "target": "t", "metric": "resolution"}
TRAITS: Final[dict[str, Any]] = {"queue": "q", "channel": "x", "visibility": "public"}
STEP: Final = EscalationStep(at=2.0, do="notify", to="leads")


def at(seconds: float) -> int:
    return round((seconds + 1_000_000) * SECOND)


def started(now: float = 0, **fields: Any) -> ClockEvent:
    """A promise of 900 s, warned of at half of it and escalated at twice."""
    given: dict[str, Any] = {"started_at": at(0), "due_at": at(900), "calendar": "always"} | fields
    return ClockStarted(
        **CLOCK, **TRAITS, at=at(now), target_version=1, medium="async", seconds=900, warn_at=(0.5,), escalate=(STEP,),
        **given,
    )  # fmt: skip


def warned(now: float = 450) -> ClockEvent:
    return TargetWarned(**CLOCK, at=at(now), share=0.5, due_at=at(900))


def breached(now: float = 900, due: float = 900, reason: str = "late") -> ClockEvent:
    return TargetBreached(
        **CLOCK, **TRAITS, at=at(now), medium="async", due_at=at(due), seconds=900, reason=reason
    )  # fmt: skip


def raised(now: float = 1_800) -> ClockEvent:
    return EscalationRaised(**CLOCK, at=at(now), queue="q", channel="x", step=0, share=2.0, do="notify")


def paused(now: float) -> ClockEvent:
    return ClockPaused(**CLOCK, at=at(now), paused_at=at(now), elapsed_seconds=0)


def resumed(now: float, due: float) -> ClockEvent:
    return ClockResumed(**CLOCK, at=at(now), resumed_at=at(now), due_at=at(due))


def corrected(now: float) -> ClockEvent:
    return ClockCorrected(**CLOCK, at=at(now), due_at=at(900), reason="response_dated_earlier")


def met(now: float, then: float | None = None, *, late: bool = False) -> ClockEvent:
    when = at(now if then is None else then)
    return ClockMet(**CLOCK, **TRAITS, at=at(now), met_at=when, elapsed_seconds=0, seconds=900, late=late)


def cancelled(now: float, reason: str = "closed_unanswered") -> ClockEvent:
    return ClockCancelled(**CLOCK, at=at(now), reason=reason)


def audited(*events: ClockEvent, until: float = 0, restored: float | None = None) -> list[str]:
    ladders = Ladders()
    if restored is not None:
        ladders.restored(at(restored))
    found = [one for event in events for one in ladders.take(event)]
    return [one.detail for one in (*found, *ladders.pass_time(at(until)))]


@pytest.mark.parametrize(("rule", "events"), [
    ("climbed to its end",                    [started(), warned(), breached(), raised(), met(2_000, late=True)]),
    ("answered in time",                      [started(), met(10)]),
    ("answered in time, told late",           [started(), warned(), met(1_000, 890)]),
    ("answered late, before the warning",     [started(800), breached(950), met(950, 940, late=True)]),
    ("closed unanswered before it was due",   [started(), breached(10, reason="closed_unanswered"), cancelled(10)]),
    ("abandoned after its breach",            [started(), warned(), breached(), cancelled(950, "abandoned")]),
    ("withdrawn",                             [started(), cancelled(10, "withdrawn")]),
    ("a breach taken back",                   [started(), warned(), breached(), corrected(950), met(950, 890)]),
    ("a miss taken back after the end",       [started(), breached(10, reason="abandoned"), cancelled(10, "abandoned"),
                                               corrected(20), met(20, 5)]),
    ("late for who began to wait long ago",   [started(3_000), warned(3_000), breached(3_000), raised(3_100)]),
    ("a pause moves what comes after it",     [started(), warned(), paused(500), resumed(5_500, 5_900), breached(5_900),
                                               raised(6_800)]),
    ("but not what came before it",           [started(), warned(), breached(), paused(1_000), resumed(2_000, 900),
                                               raised(2_800)]),
    ("fulfilled while it stood still",        [started(), warned(), paused(800), met(5_000)]),
    ("closed hours come when they come",      [started(calendar="office", due_at=at(50_000)), met(60_000)]),
])  # fmt: skip
def test_what_is_as_promised(rule: str, events: list[ClockEvent]) -> None:
    last = events[-1].at // SECOND - 1_000_000
    assert audited(*events, until=last) == [], rule


@pytest.mark.parametrize(("rule", "events", "said"), [
    ("a breach too early",                 [started(), warned(), breached(890)],                      "due at"),
    ("by whatever the breach calls due",   [started(), warned(), breached(500, due=500)],             "due at"),
    ("warnings skipped",                   [started(), breached(), raised()],                         "had to end"),
    ("too early and warnings skipped",     [started(), breached(10, due=10)],                         "out of order"),
    ("a breach after the end",             [started(), met(10), breached(1_000)],                     "clock's end"),
    ("a second breach",                    [started(), warned(), breached(), breached(901)],          "a second time"),
    ("unanswered, and it goes on",         [started(), breached(10, reason="abandoned"), warned()],   "had to end"),
    ("unanswered, and ends later",         [started(), breached(10, reason="abandoned"),
                                            cancelled(20, "abandoned")],                              "had to end"),
    ("a correction and no fulfilment",     [started(), met(10), corrected(20), cancelled(20, "x"),
                                            met(20)],                                                 "clock's end"),
    ("in time, but it wasn't",             [started(), warned(), met(1_000)],                         "in time at"),
    ("late, and never breached",           [started(), warned(), met(1_000, late=True)],              "never breached"),
    ("unanswered, and never breached",     [started(), cancelled(10)],                                "never breached"),
    ("a second end",                       [started(), met(10), met(20)],                             "clock's end"),
    ("a pause that doesn't count",         [started(), warned(), paused(500), resumed(5_500, 900),
                                            breached(5_600)],                                         "due at"),
    ("a step that a pause moved",          [started(), warned(), breached(), paused(1_000),
                                            resumed(2_000, 900), raised(2_799)],                      "due at"),
    ("closed hours, and before its due",   [started(calendar="office", due_at=at(5_000)), warned(),
                                            breached(1_000, due=5_000)],                              "due at"),
])  # fmt: skip
def test_what_is_not(rule: str, events: list[ClockEvent], said: str) -> None:
    found = audited(*events)
    assert any(said in detail for detail in found), f"{rule}: {found}"


@pytest.mark.parametrize(("rule", "events", "due"), [
    ("a warning",                     [started()],                                                          450),
    ("a breach",                      [started(), warned()],                                                900),
    ("a step",                        [started(), warned(), breached()],                                    1_800),
    ("what was due before the start", [started(3_000)],                                                     3_000),
    ("what a pause moved",            [started(), warned(), paused(500), resumed(700, 1_100)],              1_100),
    ("an end that a breach promised", [started(), warned(), breached(reason="abandoned")],                  900),
    ("of a clock set going twice",    [started(), paused(100), resumed(200, 1_000), paused(300),
                                       resumed(400, 1_100)],                                                650),
])  # fmt: skip
def test_what_never_comes_is_missed_once(rule: str, events: list[ClockEvent], due: int) -> None:
    ladders = Ladders()
    assert [one for event in events for one in ladders.take(event)] == [], rule
    grace = 0 if "end" in rule else OVERDUE_AFTER_SECONDS
    assert ladders.pass_time(at(due + grace)) == [], rule
    assert [one.promise for one in ladders.pass_time(at(due + grace) + 1)] == ["P8"], rule
    assert ladders.pass_time(at(100_000)) == [], rule


@pytest.mark.parametrize(("rule", "events"), [
    ("nothing comes in a pause",   [started(), paused(100)]),
    ("nor after the end",          [started(), met(100)]),
    ("nor after the last step",    [started(), warned(), breached(), raised()]),
    ("nobody knows closed hours",  [started(calendar="office")]),
])  # fmt: skip
def test_what_need_not_come_is_not_missed(rule: str, events: list[ClockEvent]) -> None:
    assert audited(*events, until=100_000) == [], rule


def test_a_take_over_excuses_what_fell_due_meanwhile() -> None:
    assert audited(started(), until=2_000, restored=1_900) == []
    assert len(audited(started(), until=2_201, restored=1_900)) == 1


def test_an_end_long_after_everything_fell_due_is_no_kept_promise() -> None:
    found = audited(started(), met(100_000))
    assert [detail.split(" ")[0] for detail in found] == ["resolution:", "in"]
