"""What the notifier looks like to Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES_TOTAL = Counter("omniroute_deliveries_total", "Attempts to deliver, by how they ended", ["outcome"])
"""Outcomes: `delivered`, `retried` (failed, and is tried again), `dead` (failed for good, or waited for too long)."""
DELIVERY_SECONDS = Histogram(
    "omniroute_delivery_seconds",
    "One call of a receiver",
    ["outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
NOTIFIER_LAG_RECORDS = Gauge(
    "omniroute_notifier_lag_records", "Records of this process's partitions that the notifier has not stored", ["topic"]
)
FEED_FOLLOWERS = Gauge("omniroute_feed_followers", "Open feeds")
STORED_EVENTS_TOTAL = Counter("omniroute_notifier_events_total", "Events stored in the feed", ["topic"])
UNREADABLE_TOTAL = Counter("omniroute_notifier_unreadable_total", "Records left out because they can't be read")
TROUBLE_TOTAL = Counter("omniroute_notifier_trouble_total", "Times the notifier lost its log or database for a while")

OUTCOMES: Final = ("delivered", "retried", "dead")
for _outcome in OUTCOMES:
    DELIVERIES_TOTAL.labels(_outcome)
