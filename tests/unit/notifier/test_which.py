"""Which subscription takes which event."""

from __future__ import annotations

import pytest

from libs.common.events import Event
from libs.common.events.contacts import CustomerLeft
from libs.common.events.escalations import EscalationRaised, TargetUpdated, TargetWarned
from libs.common.events.routing import AgentPresenceChanged, ContactClosed
from services.notifier.core.which import (
    PUBLIC_EVENTS,
    can_match,
    delivery_id,
    rule_of,
    stands_for_all,
    subject_of,
    takes,
    types_of,
)

KEY = "acme/main"
WARNED = TargetWarned(
    key=KEY, at=1, contact_id="c1", target="t", metric="first_response", queue="social", share=0.8, due_at=9
)
RAISED = EscalationRaised(
    key=KEY,
    at=1,
    contact_id="c1",
    target="t",
    metric="first_response",
    queue="social",
    channel="x",
    step=0,
    share=1.0,
    do="notify",
    to="supervisors",
)
CLOSED = ContactClosed(key=KEY, at=1, contact_id="c1", resolution="solved")
UPDATED = TargetUpdated(key="acme/*", at=1, target_id="t", target_version=1)


@pytest.mark.parametrize(
    ("rule", "patterns", "wanted", "event", "taken"),
    [
        ("an exact type", ["contact.closed"], {}, CLOSED, True),
        ("another type", ["contact.closed"], {}, WARNED, False),
        ("a family", ["target.*"], {}, WARNED, True),
        ("a family is not a prefix", ["contact.*"], {}, WARNED, False),
        ("everything", ["*"], {}, CLOSED, True),
        ("one of several", ["contact.closed", "target.*"], {}, WARNED, True),
        ("an equal field", ["*"], {"queue": "social"}, WARNED, True),
        ("another value", ["*"], {"queue": "sales"}, WARNED, False),
        ("every field must be equal", ["*"], {"queue": "social", "to": "nobody"}, RAISED, False),
        ("all are equal", ["*"], {"queue": "social", "to": "supervisors"}, RAISED, True),
        ("an event without the field", ["*"], {"queue": "social"}, CLOSED, False),
        ("an empty field is no other value", ["*"], {"channel": "x"}, WARNED, False),
    ],
)
def test_takes(rule: str, patterns: list[str], wanted: dict[str, str], event: Event, taken: bool) -> None:
    assert takes(rule_of(patterns, wanted), event) is taken, rule


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("contact.closed", ("contact.closed",)),
        ("parity.*", ()),
        ("command.*", ()),
        ("contact", ()),
        ("*", tuple(PUBLIC_EVENTS)),
        ("policy.*", ("policy.updated",)),
    ],
)
def test_types_of(pattern: str, found: tuple[str, ...]) -> None:
    assert types_of(pattern) == found


def test_what_is_public_is_all_that_has_a_public_topic() -> None:
    assert {"contact.opened", "contact.queued", "escalation.raised"} <= PUBLIC_EVENTS.keys()
    assert all(not name.startswith(("command", "agent.put", "settle")) for name in PUBLIC_EVENTS)


def test_a_filter_that_no_event_could_match_is_noticed() -> None:
    assert not can_match(rule_of(["contact.closed"], {"queue": "social"}))
    assert not can_match(rule_of(["*"], {"to": "supervisors", "agent_id": "ann"}))
    assert can_match(rule_of(["target.*", "escalation.raised"], {"to": "supervisors"}))


def test_order_is_kept_for_the_contact_or_for_what_else_it_is_about() -> None:
    left = CustomerLeft(key=KEY, at=1, contact_id="c1", occurred_at=1)
    presence = AgentPresenceChanged(key=KEY, at=1, agent_id="c1", status="available")
    assert subject_of(left) == subject_of(CLOSED)
    assert subject_of(presence) != subject_of(left)


def test_one_copy_of_a_workspaces_event_stands_for_all() -> None:
    assert [stands_for_all(UPDATED, partition) for partition in range(3)] == [True, False, False]
    assert [stands_for_all(CLOSED, partition) for partition in range(3)] == [True, True, True]


def test_a_delivery_has_one_id_for_life_and_nobody_elses() -> None:
    assert delivery_id("acme", "ops", 7) == delivery_id("acme", "ops", 7)
    others = {delivery_id("acme", "ops", 7), delivery_id("acme", "ops", 8), delivery_id("acme", "all", 7)}
    assert len(others | {delivery_id("other", "ops", 7)}) == 4
