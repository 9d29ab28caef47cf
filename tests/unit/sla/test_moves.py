"""What a contact was promised goes on wherever it is moved to."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import SECOND, Event
from libs.common.events.commands import CallBack, Consult, ParkContact, ReferContact, TransferContact
from libs.common.events.escalations import ClockEvent
from libs.common.events.values import Match
from tests.simulation.router.builders import accept, agent, make, opened, queue
from tests.simulation.router.driver import PoolDriver
from tests.unit.sla.driver import NINE, SlaDriver, target

FIRST = target("first", seconds=100, match={"channel": "x"})
BILLING = target("billing", seconds=10, match={"queue": "billing"})
"""What a contact that entered by `billing` would be promised."""
RESOLVED = target("resolved", seconds=100, metric="resolution")


class Both:
    """The router decides, and the SLA service reads what it decided."""

    def __init__(self, *targets: Event) -> None:
        self.pool, self.sla = PoolDriver(), SlaDriver(*targets)
        self.pool.now = NINE
        for setup in (queue(), queue("billing", match=Match(tier="gold")), agent("ann"), agent("bob")):
            self.pool.receive(*setup)

    def receive(self, *events: Event) -> None:
        for event in events:
            facts = (event,) if event.type.startswith("contact.opened") else ()
            decided = [one for one in self.pool.receive(event) if one.type.startswith("contact.")]
            self.sla.receive(*facts, *decided)

    def advance(self, seconds: float) -> None:
        self.sla.receive(*(one for one in self.pool.advance(seconds) if one.type.startswith("contact.")))
        self.sla.advance(seconds)


def ask(kind: Any, **fields: Any) -> Any:
    return make(kind, contact_id="con_1", agent_id=None, **fields)


@pytest.mark.parametrize("to", [{"to_queue": "billing"}, {"to_agent": "bob"}], ids=str)
def test_a_transfer_moves_no_clock_and_changes_no_target(to: dict[str, str]) -> None:
    both = Both(FIRST, BILLING)
    both.receive(opened(channel="x", visibility="private", occurred_at=NINE), accept("con_1.offer.1"))
    both.advance(50)
    both.receive(ask(TransferContact, **to))
    assert both.sla.types() == ["clock.started"]
    both.advance(49)
    assert both.sla.types() == ["clock.started"]
    both.advance(1)
    breach = both.sla.last("target.breached")
    assert (breach.target, breach.at, breach.due_at) == ("first", NINE + 100 * SECOND, NINE + 100 * SECOND)


def test_what_is_parked_and_transferred_is_our_time_again() -> None:
    both = Both(RESOLVED)
    both.receive(opened(occurred_at=NINE), accept("con_1.offer.1"), ask(ParkContact))
    both.advance(500)
    assert both.sla.types() == ["clock.started", "clock.paused"]
    both.receive(ask(TransferContact, to_queue="billing"))
    assert both.sla.types()[-1] == "clock.resumed"


@pytest.mark.parametrize(("move", "kinds"), [
    (ask(ReferContact, to_pool="sales"),                ["clock.cancelled"]),
    (ask(CallBack),                                     ["clock.cancelled"]),
    (ask(ReferContact, to_pool="sales", closes=False),  ["target.breached"]),
], ids=["referred", "called back", "referred, and goes on"])  # fmt: skip
def test_what_goes_on_as_a_linked_contact_is_no_miss_here(move: Event, kinds: list[str]) -> None:
    both = Both(FIRST)
    both.receive(opened(channel="x", occurred_at=NINE), move)
    both.advance(200)
    assert both.sla.types() == ["clock.started", *kinds]
    if kinds == ["clock.cancelled"]:
        assert both.sla.last("clock.cancelled").reason == "passed_on"


def test_a_linked_contacts_clock_starts_with_its_age() -> None:
    both = Both(FIRST)
    both.advance(60)
    both.receive(opened("con_1.linked.2", channel="x", occurred_at=NINE, linked_to="con_1"))
    assert both.sla.last("clock.started").due_at == NINE + 100 * SECOND


def test_a_consult_is_promised_nothing_and_moves_no_clock() -> None:
    both = Both(FIRST, target("any", seconds=60))
    both.receive(opened(channel="x", visibility="private", occurred_at=NINE), accept("con_1.offer.1"))
    both.receive(ask(Consult, to_queue="everyone"))
    one = both.pool.events("contact.consulted")[-1].consult_id
    both.receive(accept(f"{one}.offer.1"))
    assert both.pool.contact(one).agent_id not in (None, both.pool.contact().agent_id)
    both.advance(300)
    clocks = [one.event for one in both.sla.envelopes if isinstance(one.event, ClockEvent)]
    assert {event.contact_id for event in clocks} == {"con_1"}
    assert both.sla.last("target.breached").at == NINE + 60 * SECOND
