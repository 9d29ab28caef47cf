"""What ingest counts. Labels are bounded: providers and channels of the registry, our own reasons."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

CHANNELS: Final = frozenset(
    "app_store bluesky email facebook google_business google_play instagram linkedin live mastodon messenger "
    "phone reddit sms telegram tiktok trustpilot voice webchat whatsapp x youtube".split()
)

CONTACTS_RECEIVED: Final = Counter(
    "omniroute_contacts_received_total", "Messages that were stored, by what they came to.",
    ["channel", "visibility", "outcome"],
)  # fmt: skip
WEBHOOKS_REJECTED: Final = Counter(
    "omniroute_webhooks_rejected_total", "Provider calls that were refused.", ["provider", "reason"]
)
WEBHOOK_EVENTS_IGNORED: Final = Counter(
    "omniroute_webhook_events_ignored_total", "Acknowledged parts of provider calls that are no contact.",
    ["provider", "kind"],
)  # fmt: skip
STORE_SECONDS: Final = Histogram(
    "omniroute_ingest_store_seconds", "Storing one message with its events, commit included.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)  # fmt: skip
OUTBOX_RELAYED: Final = Counter("omniroute_outbox_relayed_total", "Records that were appended from the outbox.")
OUTBOX_FAILURES: Final = Counter("omniroute_outbox_failures_total", "Appends from the outbox that failed.")
OUTBOX_WAITING: Final = Gauge(
    "omniroute_outbox_waiting_records", "Records in the outbox that aren't known to be on the log."
)
HISTORY_APPLIED: Final = Counter("omniroute_history_applied_total", "Records that changed ingest's projection.")


def channel_label(channel: str) -> str:
    """Callers may name channels of their own: they share one label."""
    return channel if channel in CHANNELS else "other"
