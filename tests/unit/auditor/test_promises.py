"""The checker of the promises: silent while they are kept, and loud for each that is broken."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND, Event, routing
from libs.common.events.escalations import EscalationRaised
from libs.common.events.values import Capacity
from services.auditor.promises import Auditor, Violation

KEY = "acme/main"


def queued(contact_id: str = "con_1", **fields: Any) -> Event:
    plain: dict[str, Any] = {
        "reason": "opened", "queue": "q", "account": "a", "channel": "email", "medium": "async",
        "visibility": "private", "customer_id": "c", "opened_at": 0, "waiting_since": 0, "target_seconds": 60,
    }  # fmt: skip
    return routing.ContactQueued(key=KEY, at=0, contact_id=contact_id, **(plain | fields))


def offered(number: int = 1, agent: str = "ann", contact_id: str = "con_1", units: int = 20, at: int = 0) -> Event:
    return routing.ContactOffered(
        key=KEY, at=at, contact_id=contact_id, offer_id=f"{contact_id}.offer.{number}", agent_id=agent, queue="q",
        medium="async", expires_at=at + 20 * SECOND, units=units, lane="arrival", score=0,
    )  # fmt: skip


def answered(kind: Any, number: int = 1, agent: str = "ann", at: int = 0, **fields: Any) -> Event:
    event: Event = kind(key=KEY, at=at, contact_id="con_1", offer_id=f"con_1.offer.{number}", agent_id=agent, **fields)
    return event


def assigned(agent: str = "ann", offer: int | None = 1, units: int = 20, **fields: Any) -> Event:
    return routing.ContactAssigned(
        key=KEY, at=0, contact_id="con_1", agent_id=agent, offer_id=f"con_1.offer.{offer}" if offer else None,
        queue="q", channel="email", medium="async", units=units, waited_seconds=0, **fields,
    )  # fmt: skip


def closed() -> Event:
    return routing.ContactClosed(key=KEY, at=0, contact_id="con_1", resolution="solved")


def presence(agent: str = "ann", status: Any = "available") -> Event:
    return routing.AgentPresenceChanged(key=KEY, at=0, agent_id=agent, status=status)


def capable(agent: str = "ann", **capacity: Any) -> Event:
    return routing.AgentUpdated(key=KEY, at=0, agent_id=agent, config_version=1, capacity=Capacity(**capacity))


ACCEPTED = answered(routing.OfferAccepted)
READY = [capable(units=40), presence(), capable("bob"), presence("bob")]


def audit(*events: Event, auditor: Auditor | None = None) -> list[Violation]:
    """What it says of these, each counted for its subject."""
    auditor = auditor or Auditor()
    counts: dict[str, int] = {}
    found: list[Violation] = []
    for event in events:
        counts[event.subject] = counts.get(event.subject, 0) + 1
        found += auditor.take(event, counts[event.subject])
    return found


def test_a_good_life_breaks_nothing() -> None:
    life = [queued(), offered(), ACCEPTED, assigned(), closed()]
    assert audit(*READY, *life) == []


@pytest.mark.parametrize(("promise", "what", "events"), [
    ("P3", "two live offers",            [queued(), offered(), offered(2, "bob")]),
    ("P3", "an offer of what is owned",  [queued(), offered(), ACCEPTED, assigned(), offered(2, "bob")]),
    ("P3", "two owners",                 [queued(), offered(), ACCEPTED, assigned(), assigned("bob", None)]),
    ("P3", "another's offer ends",       [queued(), offered(), answered(routing.OfferDeclined, agent="bob")]),
    ("P3", "an offer ends twice",        [queued(), offered(), answered(routing.OfferDeclined),
                                          answered(routing.OfferDeclined)]),
    ("P3", "queued while owned",         [queued(), offered(), ACCEPTED, assigned(), queued(reason="released")]),
    ("P4", "more units than there are",  [queued(), offered(units=41)]),
    ("P4", "an assignment too many",     [queued(), assigned("ann", None, 41)]),
    ("P4", "offers count",               [queued("con_2"), offered(contact_id="con_2", units=30), queued(), offered()]),
    ("P4", "a maximum",                  [capable("bob", max={"email": 0}), queued(), offered(agent="bob")]),
    ("P5", "an absent agent",            [presence(status="away"), queued(), offered()]),
    ("P5", "somebody unknown",           [queued(), offered(agent="ghost")]),
    ("P6", "closed with a live offer",   [queued(), offered(), closed()]),
    ("P6", "too early",                  [queued(), offered(), answered(routing.OfferExpired, at=SECOND)]),
    ("P6", "too late",                   [queued(), offered(), answered(routing.OfferExpired, at=23 * SECOND)]),
    ("P7", "accepted twice",             [queued(), offered(), ACCEPTED, ACCEPTED]),
    ("P7", "assigned without an accept", [queued(), offered(), answered(routing.OfferDeclined), assigned()]),
    ("P7", "closed twice",               [queued(), closed(), closed()]),
])  # fmt: skip
def test_a_broken_promise_is_named(promise: str, what: str, events: list[Event]) -> None:
    assert promise in {violation.promise for violation in audit(*READY, *events)}, what


def paused(at: int = 0, agent: str = "ann", contact_id: str = "con_1", by: str = "con_call") -> Event:
    return routing.ContactPaused(
        key=KEY, at=at * SECOND, contact_id=contact_id, agent_id=agent, paused_for=by, medium="async", units=20,
        pause_left_seconds=30,
    )  # fmt: skip


def goes_on(at: int = 0) -> Event:
    return routing.ContactResumed(
        key=KEY, at=at * SECOND, contact_id="con_1", agent_id="ann", reason="unpaused", waiting_since=0
    )


def wraps_up(contact_id: str) -> Event:
    return routing.ContactWrapUpStarted(
        key=KEY, at=0, contact_id=contact_id, agent_id="ann", until=0, resolution="solved"
    )


def call(contact_id: str = "con_call", medium: Any = "voice", units: int = 40, pausing: list[Event] | None = None,
         end: bool = False) -> list[Event]:  # fmt: skip
    """It comes, Ann takes it, and pauses for it what is to be paused."""
    offer = f"{contact_id}.offer.1"
    about: dict[str, Any] = {"key": KEY, "at": 0, "contact_id": contact_id}
    accepted = routing.OfferAccepted(**about, offer_id=offer, agent_id="ann")
    taken = routing.ContactAssigned(
        **about, agent_id="ann", offer_id=offer, queue="q", channel="c", medium=medium, units=units, waited_seconds=0
    )
    ends = [routing.ContactClosed(**about, resolution="solved")] if end else []
    comes = [queued(contact_id, medium=medium, channel="c"), offered(contact_id=contact_id, units=units)]
    return [*comes, accepted, *(pausing or []), taken, *ends]


LETTER = [queued(), offered(), ACCEPTED, assigned()]
CALLED = call(pausing=[paused()], end=True)
AGAIN = call("con_2", pausing=[paused(30, by="con_2")])
INTERRUPTIBLE = [capable(units=40, interrupted_by={"async": ("voice",)}), presence()]


@pytest.mark.parametrize(("rule", "events"), [
    ("a call pauses a letter",          [*LETTER, *call(pausing=[paused()])]),
    ("the offer may be declined",       [*LETTER, *call()[:2]]),
    ("it goes on after the call",       [*LETTER, *CALLED, goes_on(29)]),
    ("and may be paused again",         [*LETTER, *CALLED, goes_on(29), *AGAIN]),
    ("alone it goes on at any size",    [*LETTER, *CALLED, capable(units=10), goes_on(10)]),
])  # fmt: skip
def test_pauses_that_break_nothing(rule: str, events: list[Event]) -> None:
    assert audit(*INTERRUPTIBLE, *events) == [], rule


@pytest.mark.parametrize(("rule", "events"), [
    ("a chat is not in the list",        [*LETTER, *call(medium="live")]),
    ("nor is it for a pause",            [*LETTER, *call(medium="live", units=20, pausing=[paused()])]),
    ("more than what can be paused",     [*LETTER, *call(units=41)]),
    ("an accept that pauses nothing",    [*LETTER, *call()]),
    ("an offer is no work",              [queued(), offered(), *call()[:2]]),
    ("nor is a wrap-up",                 [*LETTER, wraps_up("con_1"), *call()[:2]]),
    ("paused for a mere offer",          [*LETTER, *call()[:2], paused()]),
    ("paused twice",                     [*LETTER, *call(pausing=[paused(), paused()])]),
    ("nothing is left of its budget",    [*LETTER, *CALLED, goes_on(30), *AGAIN]),
    ("so no offer may rely on it",       [*LETTER, *CALLED, goes_on(30), *call("con_2")[:2]]),
    ("it goes on without room",          [*LETTER, *call(pausing=[paused()]), goes_on()]),
    ("it goes on without a pause",       [*LETTER, goes_on()]),
])  # fmt: skip
def test_a_pause_that_breaks_capacity_is_named(rule: str, events: list[Event]) -> None:
    assert {violation.promise for violation in audit(*INTERRUPTIBLE, *events)} == {"P4"}, rule


def test_who_pauses_must_own_it() -> None:
    found = audit(*INTERRUPTIBLE, *READY, *LETTER, *call(pausing=[paused(agent="bob")]))
    assert "P3" in {violation.promise for violation in found}


def test_forced_work_may_exceed_the_capacity() -> None:
    assert audit(*READY, queued(), assigned("ann", None, 100, forced=True)) == []


def test_an_offer_that_never_ends_is_found_by_time_alone() -> None:
    auditor = Auditor()
    audit(*READY, queued(), offered(), auditor=auditor)
    assert auditor.pass_time(22 * SECOND) == []
    assert [one.promise for one in auditor.pass_time(22 * SECOND + 1)] == ["P6"]


@pytest.mark.parametrize(("rule", "then", "found"), [
    ("nobody was told", [], ["P9"]),
    ("it was flagged", [routing.ContactUnroutable(key=KEY, at=0, contact_id="con_1", reason="no_agent")], []),
    ("it was assigned", [offered(), ACCEPTED, assigned()], []),
    ("it was escalated", [EscalationRaised(key=KEY, at=SECOND, contact_id="con_1", target="t", queue="q", step=0,
                          metric="first_response", channel="email", share=1.0, do="notify")], []),
])  # fmt: skip
def test_nobody_waits_for_ever(rule: str, then: list[Event], found: list[str]) -> None:
    auditor = Auditor(wait_max_seconds=60)
    audit(*READY, queued(), *then, auditor=auditor)
    assert [one.promise for one in auditor.pass_time(60 * SECOND + 1)] == found, rule


@pytest.mark.parametrize(("rule", "second", "found"), [
    ("its queue isn't open yet",           100,  []),
    ("it has just opened",                 160,  []),
    ("and nobody was told since it did",   161,  ["P9"]),
])  # fmt: skip
def test_a_wait_begins_when_the_queue_opens(rule: str, second: int, found: list[str]) -> None:
    auditor = Auditor(wait_max_seconds=60)
    audit(*READY, queued(opens_at=100 * SECOND), auditor=auditor)
    assert [one.promise for one in auditor.pass_time(second * SECOND)] == found, rule


@pytest.mark.parametrize(("rule", "sequence", "at", "found"), [
    ("in order", 2, 0, []), ("a gap", 3, 0, ["P10"]), ("twice", 1, 0, ["P10"]), ("back in time", 2, -1, ["P10"]),
])  # fmt: skip
def test_sequences(rule: str, sequence: int, at: int, found: list[str]) -> None:
    auditor = Auditor()
    auditor.take(capable(), 1)
    event = routing.AgentPresenceChanged(key=KEY, at=at, agent_id="ann", status="away")
    assert [one.promise for one in auditor.take(event, sequence)] == found, rule


def test_who_begins_in_the_middle_believes_what_comes_first() -> None:
    auditor = Auditor(from_start=False)
    assert auditor.take(closed_of_unknown(), 17) == []
    assert auditor.take(queued(), 5) == []


def test_who_begins_in_the_middle_judges_nobody_whom_it_does_not_know() -> None:
    auditor = Auditor(from_start=False)
    assert audit(queued(), offered(units=500), auditor=auditor) == []
    known = audit(presence(status="away"), capable(), queued("con_2"), offered(contact_id="con_2"), auditor=auditor)
    assert {one.promise for one in known} == {"P4", "P5"}


def closed_of_unknown() -> Event:
    return routing.OfferDeclined(key=KEY, at=0, contact_id="con_9", offer_id="con_9.offer.4", agent_id="ann")


@pytest.mark.parametrize(("rule", "restored", "ends", "found"), [
    ("nobody took over",              None, 23, ["P6"]),
    ("in the grace of a take-over",   28,   40, []),
    ("after the grace",               28,   41, ["P6"]),
    ("taken over long before",        5,    23, ["P6"]),
])  # fmt: skip
def test_a_take_over_excuses_who_is_late(rule: str, restored: int | None, ends: int, found: list[str]) -> None:
    auditor = Auditor()
    audit(*READY, queued(), offered(), auditor=auditor)
    if restored is not None:
        auditor.restored(restored * SECOND)
    assert [one.promise for one in auditor.take(answered(routing.OfferExpired, at=ends * SECOND), 3)] == found, rule
