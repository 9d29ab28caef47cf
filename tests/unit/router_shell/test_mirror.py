"""Which columns an entity's row has."""

import msgspec
import pytest

from libs.common.events.values import Capacity
from libs.common.log import Draft, Record
from services.router.core.state import Offer, Queue
from services.router.mirror import is_mirrored, place, row_of
from tests.integration.router.records import AT, agent, contact, state


def record(draft: Draft) -> Record:
    return Record(partition=3, position=0, **msgspec.structs.asdict(draft))


def test_a_contacts_promise_moves_forward_by_its_boost() -> None:
    (row,) = row_of(record(state("contact", contact(boost=250, target_seconds=900))))
    assert row["promise_at"] == AT + 675_000_000
    assert row["target_us"] == 900_000_000


def test_an_offered_contact_names_who_it_is_offered_to() -> None:
    offers = (Offer(1, "ann", AT, 20), Offer(3, "bob", AT, 30))
    (row,) = row_of(record(state("contact", contact(state="offered", offers=offers, unroutable="no_agent"))))
    assert (row["state"], row["agent"], row["unroutable"]) == ("offered", None, True)
    assert (row["offered_to"], row["offered_units"]) == (["ann", "bob"], [20, 30])


def test_a_contact_that_nobody_is_asked_for_is_offered_to_nobody() -> None:
    (row,) = row_of(record(state("contact", contact())))
    assert (row["offered_to"], row["offered_units"]) == (None, None)


def test_what_is_paused_takes_no_units_of_its_agent() -> None:
    (row,) = row_of(record(state("contact", contact(state="assigned", agent_id="ann", units=20, paused_at=AT))))
    assert (row["state"], row["agent"], row["units"]) == ("assigned", "ann", 0)


def test_an_agents_state_is_its_presence() -> None:
    (row,) = row_of(record(state("agent", agent(status="away", capacity=Capacity(units=60)))))
    assert (row["workspace"], row["pool"], row["partition"], row["state"], row["units"]) == (
        "acme", "main", 3, "away", 60,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "entity"), [("agent", agent(deleted=True)), ("queue", Queue(id="q", deleted=True))])
def test_what_is_deleted_says_so(kind: str, entity: object) -> None:
    (row,) = row_of(record(state(kind, entity)))
    assert row["state"] == "deleted"


def test_an_entity_that_cannot_be_read_has_no_row() -> None:
    assert list(row_of(record(Draft(topic="t", key="contact|acme/main|con_1", value=b"{}")))) == []
    assert list(row_of(record(Draft(topic="t", key="riddle|acme/main|x", value=b"{}")))) == []


def test_a_workspaces_entity_has_a_row_a_partition() -> None:
    assert place(5, "target|acme/*|fast") == {
        "partition": 5, "kind": "target", "workspace": "acme", "pool": "*", "id": "fast",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["positions", "outcome|cmd_1"])
def test_the_machines_own_entities_are_left_out(key: str) -> None:
    assert not is_mirrored(record(Draft(topic="t", key=key, value=b"{}")))
