"""The router's core inside the machine that runs it in production: records in, one commit out, restored from it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from libs.common.events import OUTCOMES, Event
from libs.common.events.codec import decode, encode_headers, encode_value
from libs.common.log import Draft, Record
from libs.common.machine import Machine
from services.router.core.core import RouterCore
from services.router.core.partition import Partition
from tests.simulation.router.builders import START, accept, agent, close, opened, queue, target


def records(*events: Event) -> Iterable[Record]:
    for position, event in enumerate(events):
        yield Record(
            topic=str(event.topic), partition=0, position=position, key=event.key,
            value=encode_value(event, sequence=1, cause=""), headers=encode_headers(event, sequence=1),
        )  # fmt: skip


def batch(machine: Machine[Partition], *events: Event) -> list[Draft]:
    machine.begin(START)
    for record in records(*events):
        machine.feed(record)
    return machine.finish()


def state_of(*commits: list[Draft]) -> list[tuple[str, bytes]]:
    """What a compacted state topic holds after these commits."""
    kept: dict[str, bytes] = {}
    for draft in (draft for commit in commits for draft in commit if draft.topic == "omniroute.router.state"):
        kept.pop(draft.key, None)
        if draft.value is not None:
            kept[draft.key] = draft.value
    return sorted(kept.items())


MORNING = [*target("fast", 60, channel="email"), *queue("mail"), *agent("ann", units=20), opened(), opened("con_2")]
NOON = [accept("con_1.offer.1", "ann"), close("con_1", "ann"), opened("con_3", channel="x")]


def test_a_restored_machine_commits_the_same_bytes() -> None:
    machine = Machine(RouterCore(), 0)
    morning = batch(machine, *MORNING)
    restored = Machine(RouterCore(), 0)
    restored.load(reversed(state_of(morning)))
    assert batch(machine, *NOON) == batch(restored, *NOON)


def test_more_work_than_one_input_settles_goes_on_with_the_timers() -> None:
    """Ends are observed before a batch begins, so the work that is left is always due later than that."""
    machine = Machine(RouterCore(), 0)
    batch(machine, *(opened(f"con_{n}") for n in range(100)))
    offered = batch(machine, *agent("ann", units=20 * 100))
    machine.begin(START + 1)
    while machine.fire(START):
        pass
    offered += machine.finish()
    assert [draft.headers.get("ce_type") for draft in offered].count("contact.offered") == 100


def test_nothing_is_dead_and_every_event_can_be_read() -> None:
    drafts = batch(Machine(RouterCore(), 0), *MORNING, *NOON)
    assert not [draft for draft in drafts if "dead" in draft.topic]
    decided = [decode(d.key, d.value, d.headers).event for d in drafts if d.topic == "omniroute.routing.v1"]
    assert [event.type for event in decided if event.subject == "con_1"] == [
        "contact.queued", "contact.offered", "offer.accepted", "contact.assigned", "contact.closed",
    ]  # fmt: skip


def test_commands_of_one_batch_cannot_race_for_the_same_room() -> None:
    """A partition has one owner, who takes them one after the other: the second finds what the first has left."""
    machine = Machine(RouterCore(), 0)
    drafts = batch(
        machine, *agent("ann", units=20), opened("con_1"), opened("con_2"), accept("con_1.offer.1", "ann"),
        accept("con_2.offer.1", "ann"), accept("con_1.offer.1", "ann"),
    )  # fmt: skip
    types = [draft.headers.get("ce_type") for draft in drafts]
    assert (types.count("contact.offered"), types.count("contact.assigned")) == (1, 1)
    outcomes = [msgspec.json.decode(draft.value or b"")["status"] for draft in drafts if draft.topic == OUTCOMES]
    assert outcomes[-3:] == [200, 404, 200]
