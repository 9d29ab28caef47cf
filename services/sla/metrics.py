"""What the promises look like to Prometheus.

Counters follow the events as one process applies them; the gauges are read from the projection over the last hour
and are the same in every process, so a query over several takes their maximum.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from libs.common.events import SECOND, Event
from libs.common.events.escalations import EscalationRaised
from services.sla.core.state import Contact
from services.sla.mirror import Outcome

ATTAINMENT_WINDOW_SECONDS: Final = 3_600

TARGET_OUTCOMES_TOTAL = Counter(
    "omniroute_target_outcomes_total", "Promises kept, missed or cancelled", ["metric", "channel", "outcome"]
)
ATTAINMENT_RATIO = Gauge(
    "omniroute_attainment_ratio", "Share of first responses in time, of those decided in the last hour", ["channel"]
)
PARITY_GAP_RATIO = Gauge(
    "omniroute_parity_gap_ratio", "Best channel's attainment less the worst one's, of the last hour"
)
ESCALATIONS_TOTAL = Counter("omniroute_escalations_total", "Steps of the escalation ladder raised", ["step"])
PUBLIC_EXPOSURE_REACH_SECONDS_TOTAL = Counter(
    "omniroute_public_exposure_reach_seconds_total",
    "Reach × unanswered seconds of public contacts, counted when they are answered or end",
)


def observe_attainment(shares: dict[str, float]) -> None:
    """Channel → share in time, of the last hour."""
    ATTAINMENT_RATIO.clear()
    for channel, share in shares.items():
        ATTAINMENT_RATIO.labels(channel).set(share)
    PARITY_GAP_RATIO.set(max(shares.values()) - min(shares.values()) if shares else 0.0)


def count(event: Event, outcome: Outcome | None) -> None:
    """A miss counts when it is breached; a later correction can't take it back from a counter."""
    if outcome is not None:
        TARGET_OUTCOMES_TOTAL.labels(*outcome).inc()
    if isinstance(event, EscalationRaised):
        ESCALATIONS_TOTAL.labels(event.do).inc()


def count_exposure(contact: Contact) -> None:
    """For whoever noted it first: the entity says it again with every later change."""
    PUBLIC_EXPOSURE_REACH_SECONDS_TOTAL.inc(contact.exposure / SECOND)
