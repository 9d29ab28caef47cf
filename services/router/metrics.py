"""What the router's decisions and state look like to Prometheus.

Counters follow the decisions as one process applies them; gauges are read from the projection and are the same in
every process that reads it, so a query over several takes their maximum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client import Counter, Gauge, Histogram

from libs.common.events import Event
from libs.common.events.consults import ContactConsulted
from libs.common.events.routing import (
    AgentPresenceChanged,
    ContactAssigned,
    ContactCallbackRequested,
    ContactOverflowed,
    ContactPaused,
    ContactReferred,
    ContactTransferred,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)
from libs.common.events.values import OverflowReason
from services.router.core.presence import MISSED_OFFERS

TYPICAL_TARGETS_SECONDS: Final = (5, 10, 20, 40, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)

CONTACTS_WAITING = Gauge("omniroute_contacts_waiting", "Contacts that wait for an agent", ["queue", "channel"])
CONTACTS_UNROUTABLE = Gauge(
    "omniroute_contacts_unroutable",
    "Waiting contacts that nobody can (no_agent) or will (nobody_answers) take, or that their queue refused",
    ["queue", "reason"],
)
OLDEST_WAIT_SECONDS = Gauge(
    "omniroute_oldest_wait_seconds", "How long the contact that has waited longest has waited", ["queue"]
)
EXPECTED_WAIT_SECONDS = Gauge(
    "omniroute_expected_wait_seconds", "Until an agent has it, for a contact that comes now where some wait", ["queue"]
)
AGENTS = Gauge("omniroute_agents", "Agents by presence", ["state"])
AGENT_CAPACITY_USED_RATIO = Gauge(
    "omniroute_agent_capacity_used_ratio", "Capacity in use, offers included, of all agents who are available"
)
AGENTS_SENT_AWAY_TOTAL = Counter(
    "omniroute_agents_sent_away_total", "Agents who missed too many offers in a row and are away since"
)
OFFERS_TOTAL = Counter("omniroute_offers_total", "Offers that ended, by how", ["outcome"])
ASSIGNMENTS_TOTAL = Counter("omniroute_assignments_total", "Contacts that got their agent", ["channel"])
MOVES_TOTAL = Counter("omniroute_moves_total", "Contacts that moved otherwise than by an offer, by how", ["kind"])
OVERFLOWS_TOTAL = Counter("omniroute_overflows_total", "Contacts that went on to another queue, by why", ["reason"])
CONTACTS_PAUSED_TOTAL = Counter(
    "omniroute_contacts_paused_total", "Contacts that were paused for something more immediate", ["medium"]
)
CONTACT_WAIT_SECONDS = Histogram(
    "omniroute_contact_wait_seconds",
    "From the customer's oldest unanswered message to the assignment",
    ["channel"],
    buckets=TYPICAL_TARGETS_SECONDS,
)

OUTCOMES: Final[dict[type[Event], str]] = {
    OfferAccepted: "accepted",
    OfferDeclined: "declined",
    OfferExpired: "expired",
    OfferWithdrawn: "withdrawn",
}
MOVES: Final[dict[type[Event], str]] = {
    ContactTransferred: "transferred",
    ContactReferred: "referred",
    ContactCallbackRequested: "called_back",
    ContactConsulted: "consulted",
}

for _outcome in OUTCOMES.values():
    OFFERS_TOTAL.labels(_outcome)
for _kind in (*MOVES.values(), "drained", "forced"):
    MOVES_TOTAL.labels(_kind)
for _medium in ("live", "async"):
    CONTACTS_PAUSED_TOTAL.labels(_medium)
for _why in get_args(OverflowReason):
    OVERFLOWS_TOTAL.labels(_why)


def count(events: Iterable[Event]) -> None:
    for event in events:
        if isinstance(event, ContactAssigned):
            ASSIGNMENTS_TOTAL.labels(event.channel).inc()
            CONTACT_WAIT_SECONDS.labels(event.channel).observe(event.waited_seconds)
            if event.forced:
                MOVES_TOTAL.labels("forced").inc()
        elif (kind := MOVES.get(type(event))) is not None:
            drained = isinstance(event, ContactTransferred) and event.reason == "drained"
            MOVES_TOTAL.labels("drained" if drained else kind).inc()
        elif isinstance(event, AgentPresenceChanged) and event.reason == MISSED_OFFERS:
            AGENTS_SENT_AWAY_TOTAL.inc()
        elif isinstance(event, ContactPaused):
            CONTACTS_PAUSED_TOTAL.labels(event.medium).inc()
        elif isinstance(event, ContactOverflowed):
            OVERFLOWS_TOTAL.labels(event.reason).inc()
        elif (outcome := OUTCOMES.get(type(event))) is not None:
            OFFERS_TOTAL.labels(outcome).inc()
