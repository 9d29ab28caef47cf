"""What the machine adds to any core."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from libs.common.events import DEAD_LETTERS, OUTCOMES, ROUTER_JOURNAL, ROUTER_STATE, ROUTING, Event
from libs.common.events.commands import CommandDecided, DeclineOffer
from libs.common.log import Draft
from libs.common.machine import OUTCOME_KEPT_SECONDS, EvolveFailed, Machine
from tests.unit.machine.counting import Counted, CountingCore
from tests.unit.machine.records import accept, decline, garbage, opened, record, values

OUTBOX = "omni-outbox"


def batch(machine: Machine[Any], *records: Any, now: int = 100, until: int = 0) -> list[Draft]:
    machine.begin(now)
    for one in records:
        machine.feed(one)
    while machine.fire(until):
        pass
    return machine.finish()


def restored(drafts: list[Draft]) -> Machine[Any]:
    last = {draft.key: draft.value for draft in drafts if draft.topic == ROUTER_STATE}
    machine: Machine[Any] = Machine(CountingCore(), 0)
    machine.load((key, value) for key, value in last.items() if value is not None)
    return machine


def test_no_input_is_no_commit() -> None:
    assert batch(Machine(CountingCore(), 0)) == []


def test_settle_follows_until_nothing_is_left() -> None:
    drafts = batch(Machine(CountingCore(), 0), record(opened("c1"), 0), record(opened("c2"), 1))
    assert [value["reason"] for value in values(drafts, ROUTING)] == ["opened", "settled"] * 2


def test_events_carry_id_sequence_and_cause() -> None:
    drafts = batch(Machine(CountingCore(), 0), record(opened("c1"), 0))
    told = zip([draft for draft in drafts if draft.topic == ROUTING], values(drafts, ROUTING), strict=True)
    assert [(draft.headers["ce_id"], value["sequence"], value["cause"]) for draft, value in told] == [
        ("c1.routing.1", 1, "c1.contacts.1"),
        ("c1.routing.2", 2, "c1.contacts.1"),
    ]


def test_a_command_seen_before_gets_its_outcome_again() -> None:
    machine = Machine(CountingCore(), 0)
    first = values(batch(machine, record(accept("cmd"), 0)), OUTCOMES)
    batch(machine, record(opened("c1"), 0))
    again = values(batch(machine, record(accept("cmd"), 1)), OUTCOMES)
    assert first[0]["state"] == again[0]["state"] == {"open": 0}


class Disorderly(CountingCore):
    """Answers with keys in no alphabetical order."""

    def decide(self, state: Counted, event: Event) -> tuple[Event, ...]:
        decided = super().decide(state, event)
        answer = {"state": "assigned", "agent": {"units": 1, "id": "ann"}}
        return tuple(msgspec.structs.replace(one, state=answer) if one.topic == OUTCOMES else one for one in decided)


def test_a_repeat_has_the_same_bytes_after_a_restore() -> None:
    """Or a replay, which isn't restored where the owner was, would differ."""
    owner, fresh = Machine(Disorderly(), 0), Machine(Disorderly(), 0)
    stored = [draft for draft in batch(owner, record(accept("cmd"), 0)) if draft.topic == ROUTER_STATE]
    fresh.load((draft.key, draft.value) for draft in stored if draft.value is not None)
    again = [batch(machine, record(accept("cmd"), 1)) for machine in (owner, fresh)]
    assert again[0] == again[1]


def test_the_outcome_memory_survives_a_restore() -> None:
    drafts = batch(Machine(CountingCore(), 0), record(accept("cmd"), 0))
    machine = restored(drafts)
    batch(machine, record(opened("c1"), 0))
    assert values(batch(machine, record(accept("cmd"), 1)), OUTCOMES)[0]["state"] == {"open": 0}


def test_an_old_outcome_is_forgotten() -> None:
    machine = Machine(CountingCore(), 0)
    batch(machine, record(accept("cmd"), 0))
    late = 101 + OUTCOME_KEPT_SECONDS * 1_000_000
    drafts = batch(machine, record(opened("c1"), 0), now=late)
    assert Draft(topic=ROUTER_STATE, key="outcome|cmd", value=None) in drafts


@pytest.mark.parametrize(
    ("what", "bad", "error"),
    [
        ("unreadable bytes", garbage(0), "KeyError"),
        ("a decision that raises", record(opened("poison"), 0), "decide raised ValueError"),
    ],
)
def test_a_bad_record_becomes_a_dead_letter_and_stops_nothing(what: str, bad: Any, error: str) -> None:
    drafts = batch(Machine(CountingCore(), 0), bad, record(opened("c1"), 1))
    dead = [draft for draft in drafts if draft.topic == DEAD_LETTERS]
    assert [(d.headers["error"], d.headers["offset"], d.value) for d in dead] == [(error, "0", bad.value)]
    assert len(values(drafts, ROUTING)) == 2


def test_a_command_that_cannot_be_decided_is_still_answered() -> None:
    outcomes = values(batch(Machine(CountingCore(), 0), record(decline("cmd"), 0)), OUTCOMES)
    assert [(outcome["status"], outcome["code"]) for outcome in outcomes] == [(500, "undecided")]


class Repaired(CountingCore):
    """Decides what its predecessor could not."""

    def decide(self, state: Counted, event: Event) -> tuple[Event, ...]:
        if isinstance(event, DeclineOffer):
            return (CommandDecided(key=event.key, at=state.now, command_id=event.command_id, status=200, state={}),)
        return super().decide(state, event)


def test_a_command_that_could_not_be_decided_is_decided_again() -> None:
    machine = Machine(CountingCore(), 0)
    batch(machine, record(decline("cmd"), 0))
    again = batch(machine, record(decline("cmd"), 1))
    assert [draft.headers["offset"] for draft in again if draft.topic == DEAD_LETTERS] == ["1"]
    machine.core = Repaired()
    assert [value["status"] for value in values(batch(machine, record(decline("cmd"), 2)), OUTCOMES)] == [200]


def test_nor_is_it_remembered_by_who_restores() -> None:
    first = batch(Machine(CountingCore(), 0), record(decline("cmd"), 0))
    again = batch(restored(first), record(decline("cmd"), 1))
    assert [draft.headers["offset"] for draft in again if draft.topic == DEAD_LETTERS] == ["1"]


def test_a_failing_evolve_names_its_place_and_is_skipped_at_last() -> None:
    machine = Machine(CountingCore(evolve_fails_for="c1"), 0)
    machine.begin(1)
    with pytest.raises(EvolveFailed) as failure:
        machine.feed(record(opened("c1"), 7))
    again = Machine(CountingCore(evolve_fails_for="c1"), 0)
    again.skipped.add(failure.value.place)
    drafts = batch(again, record(opened("c1"), 7), record(opened("c2"), 8))
    errors = [draft.headers["error"] for draft in drafts if draft.topic == DEAD_LETTERS]
    assert errors == ["evolve failed three times"]
    assert [value["contact_id"] for value in values(drafts, ROUTING)] == ["c2", "c2"]


def test_what_the_relay_appended_twice_counts_once() -> None:
    machine = Machine(CountingCore(), 0)
    first = batch(machine, record(opened("c1"), 0, **{OUTBOX: "5"}))
    repeat, new = record(opened("c1"), 1, **{OUTBOX: "5"}), record(opened("c2"), 2, **{OUTBOX: "6"})
    again = batch(restored(first), repeat, new)
    assert [value["contact_id"] for value in values(again, ROUTING)] == ["c2", "c2"]


def test_timers_fire_in_order_and_not_before_they_are_due() -> None:
    machine = Machine(CountingCore(), 0)
    batch(machine, record(opened("c2"), 0), now=100)
    batch(machine, record(opened("c1"), 1), now=105)
    assert values(batch(machine, now=109, until=109), ROUTING) == []
    drafts = batch(machine, now=120, until=120)
    assert [value["contact_id"] for value in values(drafts, ROUTING)] == ["c2", "c1"]


def test_time_never_runs_back() -> None:
    machine = Machine(CountingCore(), 0)
    batch(machine, record(opened("c1"), 0), now=100)
    drafts = batch(machine, record(opened("c2"), 1), now=50)
    assert {value["at"] for value in values(drafts, ROUTING)} == {"1970-01-01T00:00:00.000100Z"}


def test_the_journal_tells_what_was_fed() -> None:
    machine = Machine(CountingCore(), 0)
    batch(machine, record(opened("c1"), 3), record(opened("c2"), 4), record(accept("a"), 9))
    entry = values(batch(machine, record(opened("c3"), 5), now=200, until=150), ROUTER_JOURNAL)[0]
    assert entry["steps"] == [
        {"topic": "omniroute.contacts.v1", "start": 5, "end": 6},
        {"until": 150, "timers": 2},
    ]
    assert (entry["batch"], entry["at"]) == (2, 200)


def test_the_same_steps_give_the_same_bytes() -> None:
    steps = [record(opened(f"c{n}"), n) for n in range(20)]
    assert batch(Machine(CountingCore(), 0), *steps) == batch(Machine(CountingCore(), 0), *steps)


def test_a_restored_machine_goes_on_where_the_first_one_was() -> None:
    one = Machine(CountingCore(), 0)
    drafts = batch(one, record(opened("c1"), 0), record(accept("x"), 0))
    other = restored(drafts)
    later = record(opened("c2"), 1)
    assert batch(one, later, now=150, until=140) == batch(other, later, now=150, until=140)
    assert msgspec.to_builtins(one.positions) == msgspec.to_builtins(other.positions)
