"""Random days against the oracle: every promise of the SLA service as an invariant, the seed in the message."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import msgspec
import pytest

from libs.common.events import SECOND, Event
from libs.common.events.codec import Envelope
from libs.common.events.commands import PutCalendar
from libs.common.events.escalations import (
    ClockCancelled,
    ClockEvent,
    ClockMet,
    ClockPaused,
    ClockStarted,
    EscalationRaised,
    TargetBreached,
    TargetWarned,
)
from services.sla.core.core import SlaCore
from services.sla.core.facts import ContactEnded, FactApplied, FactNoted
from services.sla.core.ladder import moments
from services.sla.core.state import Sla
from tests.simulation.sla.oracle import History, due, in_force, outcome, pauses, ran, second, target_of
from tests.simulation.sla.world import CONFIGURATION, TOPICS, Day, day
from tests.unit.sla.driver import SlaDriver

SEEDS = range(60)
Clock = tuple[str, str]


class Broken(AssertionError):
    """A promise that a day broke."""


@dataclass
class Run:
    driver: SlaDriver
    history: History


def run(made: Day, core: SlaCore | None = None, *, restart_every: int = 0) -> Run:
    driver = SlaDriver(core=core)
    driver.receive(*CONFIGURATION)
    history = History(made.outages)
    for number, (now, batch) in enumerate(batches(made)):
        idle_until(driver, made, now)
        for event in batch:
            history.tell(now, event)
        driver.receive(*batch)
        if restart_every and number % restart_every == 0:
            driver.restart()
    driver.advance(5_000)
    return Run(driver, history)


def batches(made: Day) -> list[tuple[int, list[Event]]]:
    """What arrives in an outage is read when it is over, topic by topic."""
    found: defaultdict[int, list[Event]] = defaultdict(list)
    for at, event in made.ordered():
        over = [end for start, end in made.outages if start < at < end]
        found[max([int(at), *over])].append(event)
    return [(at, sorted(found[at], key=lambda event: TOPICS.index(str(event.topic)))) for at in sorted(found)]


def idle_until(driver: SlaDriver, made: Day, now: int) -> None:
    """Timers fire when they are due, but not while nobody owns the partition."""
    for start, end in sorted(made.outages):
        if second(driver.now) < start < now:
            driver.advance(start - second(driver.now))
            driver.sleep(min(end, now) - start)
    if second(driver.now) < now:
        driver.advance(now - second(driver.now))


# -- the promises --------------------------------------------------------------------------------------------------


def by_clock(driver: SlaDriver) -> dict[Clock, list[ClockEvent]]:
    found: defaultdict[Clock, list[ClockEvent]] = defaultdict(list)
    for event in driver.clock_events():
        found[event.contact_id, event.metric].append(event)
    return dict(found)


def check(result: Run) -> None:
    clocks = by_clock(result.driver)
    require({contact for contact, _ in clocks} == set(result.history.stories), "every contact has its clocks")
    for clock, events in clocks.items():
        starts_and_ends(clock, events)
        raised_once_in_order(clock, events)
        never_early(result.history, clock, events)
        turns_hold(result.history, clock, events)
        measured(result.history, clock, events)
        raised_when_due(result.history, clock, events)
        outcome_holds(result.history, clock, events)
    sequences_have_no_gap(result.driver.envelopes)


def require(holds: bool, promise: str, *about: object) -> None:
    if not holds:
        raise Broken(promise, *about)


def starts_and_ends(clock: Clock, events: list[ClockEvent]) -> None:
    ends = [one for one in events if isinstance(one, ClockMet | ClockCancelled)]
    corrections = sum(one.type == "clock.corrected" for one in events)
    require(isinstance(events[0], ClockStarted), "a clock starts", clock)
    require(1 <= len(ends) <= 1 + corrections, "every started clock ends, once but for corrections", clock)


def raised_once_in_order(clock: Clock, events: list[ClockEvent]) -> None:
    steps = [one.step for one in events if isinstance(one, EscalationRaised)]
    warnings = [one.share for one in events if isinstance(one, TargetWarned)]
    require(steps == list(range(len(steps))), "each step once, in order", clock, steps)
    require(warnings == sorted(set(warnings)), "each warning once, in order", clock, warnings)
    require(sum(isinstance(one, TargetBreached) for one in events) <= 1, "one breach", clock)


def never_early(history: History, clock: Clock, events: list[ClockEvent]) -> None:
    story, metric = history.stories[clock[0]], clock[1]
    for event in events:
        share = share_of(event)
        if share is not None:
            soonest = due(story, metric, share, known_pauses(events, event))
            require(second(event.at) >= soonest, "never early", clock, event.type, share, second(event.at), soonest)


def turns_hold(history: History, clock: Clock, events: list[ClockEvent]) -> None:
    """It is paused whenever the history says that the customer owed the answer."""
    story, metric = history.stories[clock[0]], clock[1]
    told = [second(one.paused_at) for one in events if isinstance(one, ClockPaused)]
    expected = [start for start, _ in pauses(in_force(story.facts), story.start)] if metric == "resolution" else []
    require(told == expected, "paused while the customer owes", clock, told, expected)


def measured(history: History, clock: Clock, events: list[ClockEvent]) -> None:
    story, metric = history.stories[clock[0]], clock[1]
    for event in events:
        if isinstance(event, ClockMet):
            expected = ran(story, metric, second(event.met_at), known_pauses(events, event))
            require(event.elapsed_seconds == expected, "measured in open time", clock, event, expected)


def share_of(event: ClockEvent) -> float | None:
    match event:
        case TargetWarned() | EscalationRaised(): return event.share
        case TargetBreached(reason="late"): return 1.0
        case _: return None


def known_pauses(events: list[ClockEvent], until: ClockEvent) -> list[tuple[str, int]]:
    """The turns that were known when an event was published."""
    before = events[: events.index(until)]
    turns: list[tuple[str, int]] = []
    for event in before:
        if isinstance(event, ClockPaused):
            turns.append(("response", second(event.paused_at)))
        elif event.type == "clock.resumed":
            turns.append(("message", second(event.resumed_at)))  # type: ignore[attr-defined]
    return turns


def raised_when_due(history: History, clock: Clock, events: list[ClockEvent]) -> None:
    """A clock that was never paused and is still open has raised all that fell due before its end was known."""
    story, metric = history.stories[clock[0]], clock[1]
    if any(isinstance(one, ClockPaused) for one in events):
        return
    wanted = target_of(story, metric)
    end = next(index for index, one in enumerate(events) if isinstance(one, ClockMet | ClockCancelled))
    last = events[end]
    raised = sum(share_of(one) is not None for one in events[:end])
    before = [due(story, metric, m.share / 1_000, []) for m in moments(wanted.warn_at, wanted.escalate)]
    expected = sum(one < second(last.at) for one in before)
    unraised = before[raised:expected]
    nobody_there = all(in_outage(history, one, second(last.at), events) for one in unraised)
    require(nobody_there, "raised when due", clock, unraised)


def in_outage(history: History, due_at: int, ended_at: int, events: list[ClockEvent]) -> bool:
    """Nobody was there between its being due (or the clock's start) and the end of the clock."""
    started = max(due_at, second(events[0].at))
    return started >= ended_at or any(a <= started and ended_at <= b for a, b in history.outages)


def outcome_holds(history: History, clock: Clock, events: list[ClockEvent]) -> None:
    expected = outcome(history.stories[clock[0]], clock[1])
    told = "open"
    for event in events:
        match event:
            case TargetBreached(): told = "missed"
            case ClockMet(): told = "missed" if event.late else "met"
            case ClockCancelled(): told = "cancelled" if told == "open" else told
            case _: pass
    fine = {expected, "missed"} if expected == "cancelled" else {expected}
    require(told in fine, "attainment is what the history says", clock, told, expected)


def sequences_have_no_gap(envelopes: list[Envelope]) -> None:
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for envelope in envelopes:
        numbers[envelope.event.subject_field + envelope.event.subject].append(envelope.sequence)
    require(all(n == list(range(1, len(n) + 1)) for n in numbers.values()), "gapless")


# -- the days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_keeps_every_promise(seed: int) -> None:
    check(run(day(seed)))


@pytest.mark.parametrize("seed", range(20))
def test_a_restored_machine_decides_the_same(seed: int) -> None:
    through, restarted = run(day(seed)), run(day(seed), restart_every=1 + seed % 5)
    assert restarted.driver.envelopes == through.driver.envelopes
    assert restarted.driver.stored == through.driver.stored


def test_the_days_have_what_they_are_to_test() -> None:
    """A generator that never breaches, pauses, corrects or is late would test nothing."""
    events = [event for seed in range(25) for event in run(day(seed)).driver.clock_events()]
    seen = {(event.type, getattr(event, "late", None)) for event in events}
    assert {kind for kind, _ in seen} == {
        "clock.started",
        "clock.paused",
        "clock.resumed",
        "clock.corrected",
        "clock.met",
        "clock.cancelled",
        "target.warned",
        "target.breached",
        "escalation.raised",
    }
    assert {("escalation.raised", True), ("clock.met", True), ("clock.met", False)} <= seen


# -- planted bugs --------------------------------------------------------------------------------------------------


class FiresEarly(SlaCore):
    def evolve(self, state: Sla, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, ClockStarted):
            contact = state.live(event.key, event.contact_id)
            assert contact is not None
            clock = contact.clocks[-1]
            clock.dues = (*clock.dues[:-1], clock.dues[-1] - 3 * SECOND)
            state.index(contact)


class RepeatsSteps(SlaCore):
    """`evolve` forgets now and then that a step was raised."""

    def evolve(self, state: Sla, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, EscalationRaised) and event.step == 1:
            contact = state.live(event.key, event.contact_id)
            clock = contact.clock(event.metric) if contact is not None else None
            if contact is not None and clock is not None and clock.raised < len(clock.dues):
                clock.raised += 1
                state.index(contact)


class ForgetsEarlyFacts(SlaCore):
    def decide(self, state: Sla, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        return tuple(
            one
            for one in decided
            if not isinstance(one, FactNoted) or state.contact(one.key, one.contact_id) is not None
        )


class LeavesClocksOpen(SlaCore):
    def decide(self, state: Sla, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        ends = any(isinstance(one, ContactEnded) for one in decided)
        return tuple(one for one in decided if not ends or not isinstance(one, ClockCancelled))


class CountsArrivalNotOccurrence(SlaCore):
    def decide(self, state: Sla, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        return tuple(
            msgspec.structs.replace(one, late=state.now > one.met_at and one.elapsed_seconds * 2 > one.seconds)
            if isinstance(one, ClockMet)
            else one
            for one in decided
        )


class IgnoresTheLastWord(SlaCore):
    def evolve(self, state: Sla, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, FactApplied) and (contact := state.contact(event.key, event.contact_id)) is not None:
            contact.last_word_at = 0


class BelievesClocksThatRunAhead(SlaCore):
    def evolve(self, state: Sla, event: Event) -> None:
        if isinstance(event, FactNoted):
            event = msgspec.structs.replace(event, fact=replace(event.fact, told_at=None))
        super().evolve(state, event)


class ForgetsWhenItWasOpen(SlaCore):
    def decide(self, state: Sla, event: Event) -> tuple[Event, ...]:
        if isinstance(event, PutCalendar):
            event = msgspec.structs.replace(event, since=None)
        return super().decide(state, event)


class LosesAPause(SlaCore):
    def loaded(self, state: Sla) -> None:
        for contact in state.contacts.values():
            for clock in contact.clocks:
                clock.spent = 0
        super().loaded(state)


BUGS = (
    FiresEarly,
    RepeatsSteps,
    ForgetsEarlyFacts,
    LeavesClocksOpen,
    CountsArrivalNotOccurrence,
    IgnoresTheLastWord,
    BelievesClocksThatRunAhead,
    ForgetsWhenItWasOpen,
)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: type[SlaCore]) -> None:
    caught = 0
    for seed in range(15):
        made = day(seed)
        result = run(made, bug())
        try:
            check(result)
        except Broken:
            caught += 1
    assert caught >= 2


def test_a_lossy_restore_is_caught() -> None:
    different = sum(
        run(day(seed), LosesAPause(), restart_every=1).driver.envelopes != run(day(seed)).driver.envelopes
        for seed in range(15)
    )
    assert different >= 1
