"""P1 and P2 of the contacts topic: who was opened is queued in the end, and whom nobody queued is told once."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND
from libs.common.events.contacts import ContactFact, ContactOpened, ContactWithdrawn
from libs.common.events.routing import ContactQueued
from services.auditor.facts import UNQUEUED_SECONDS_MAX, Facts

KEY = "acme/main"
LONG = UNQUEUED_SECONDS_MAX * SECOND


def opened(contact_id: str = "con_1", at: int = 1) -> ContactFact:
    return ContactOpened(
        key=KEY, at=at, contact_id=contact_id, message_id="msg_1", account="web", channel="email", medium="async",
        visibility="private", customer_id="cus_1", occurred_at=at,
    )  # fmt: skip


def queued(contact_id: str = "con_1") -> ContactQueued:
    return ContactQueued(
        key=KEY, at=1, contact_id=contact_id, reason="opened", queue="q", account="web", channel="email",
        medium="async", visibility="private", customer_id="cus_1", opened_at=1, waiting_since=1, target_seconds=60,
    )  # fmt: skip


def withdrawn() -> ContactFact:
    return ContactWithdrawn(key=KEY, at=2, contact_id="con_1", occurred_at=2)


def told(facts: Facts, *events: Any) -> Facts:
    for number, event in enumerate(events, 1):
        if isinstance(event, ContactQueued):
            facts.queued(event)
        else:
            facts.take(event, 1 if isinstance(event, ContactOpened) else number, {})
    return facts


@pytest.mark.parametrize(("rule", "events", "found"), [
    ("nobody queued it",          [opened()],                         ["con_1"]),
    ("it was queued",             [opened(), queued()],               []),
    ("it was queued, read first", [queued(), opened()],               []),
    ("another one was queued",    [opened(), queued("con_2")],        ["con_1"]),
    ("its author took it back",   [opened(), withdrawn()],            []),
    ("a little later",            [opened(), opened("con_2", 2_000)], ["con_1"]),
])  # fmt: skip
def test_who_was_opened_and_never_queued(rule: str, events: list[Any], found: list[str]) -> None:
    facts = told(Facts(from_start=False), *events)
    assert facts.pass_time(LONG) == []
    assert [(one.promise, one.subject) for one in facts.pass_time(LONG + 2)] == [("P1", one) for one in found], rule


def test_it_is_told_once() -> None:
    facts = told(Facts(from_start=False), opened())
    assert len(facts.pass_time(2 * LONG)) == 1
    assert facts.pass_time(3 * LONG) == []


def test_who_was_opened_before_the_beginning_is_not_judged() -> None:
    facts = told(Facts(from_start=False, began_at=5), opened("con_1", at=5), opened("con_2", at=6))
    assert [one.subject for one in facts.pass_time(2 * LONG)] == ["con_2"]
