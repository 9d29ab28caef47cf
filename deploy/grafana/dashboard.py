"""The Grafana dashboard as code: `python deploy/grafana/dashboard.py` writes dashboards/omniroute.json.

Counters are added over processes. Gauges that are read from the database are the same in every process that shows
them, so their queries take the maximum; only what a process owns by itself (the log's lag) is added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).parent / "dashboards" / "omniroute.json"
DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
COLUMNS: Final = 24
PER_ROW: Final = 3
HEIGHT: Final = 8
RATE: Final = "[$__rate_interval]"
MISSED: Final = 'target_outcomes_total{outcome="missed"}'
DECIDED: Final = 'target_outcomes_total{outcome=~"met|missed"}'

Query = tuple[str, str]
"""A PromQL expression and the legend of what it returns."""


def panel(title: str, unit: str, *queries: Query, about: str = "", kind: str = "timeseries") -> dict[str, Any]:
    """One graph; `unit` is Grafana's name of it."""
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
        if kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for at, (expr, legend) in enumerate(queries)
        ],
    }


def per_second(counter: str, by: str = "") -> str:
    """The rate of a counter over all processes, with or without a label to tell apart."""
    return f"sum by ({by}) (rate(omniroute_{counter}{RATE}))" if by else f"sum(rate(omniroute_{counter}{RATE}))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate(omniroute_{histogram}_bucket{RATE})))"


def worst(gauge: str, by: str = "") -> str:
    """A gauge that every process reads from the same table."""
    return f"max by ({by}) (omniroute_{gauge})" if by else f"max(omniroute_{gauge})"


CUSTOMERS: Final = [
    panel(
        "Waiting by queue",
        "short",
        (f"sum by (queue) ({worst('contacts_waiting', 'queue, channel')})", "{{queue}}"),
    ),
    panel("Oldest wait by queue", "s", (worst("oldest_wait_seconds", "queue"), "{{queue}}")),
    panel(
        "Expected wait by queue",
        "s",
        (worst("expected_wait_seconds", "queue"), "{{queue}}"),
        about="Of somebody who comes now, where somebody waits already. No line: nobody can know.",
    ),
    panel(
        "Wait until assigned, p90 by channel",
        "s",
        (quantile(0.9, "contact_wait_seconds", "channel"), "{{channel}}"),
        about="From the customer's oldest unanswered message to the assignment.",
    ),
    panel("Received by outcome", "reqps", (per_second("contacts_received_total", "outcome"), "{{outcome}}")),
    panel("Assignments by channel", "reqps", (per_second("assignments_total", "channel"), "{{channel}}")),
    panel("Offers by outcome", "reqps", (per_second("offers_total", "outcome"), "{{outcome}}")),
    panel(
        "Nobody can take",
        "short",
        (f"sum by (reason) ({worst('contacts_unroutable', 'queue, reason')})", "{{reason}}"),
        kind="stat",
        about="no_agent: nobody on the roster could ever; nobody_answers: everybody was asked; "
        "queue_closed, queue_full: its queue refused it.",
    ),
    panel(
        "Moved elsewhere",
        "reqps",
        (per_second("moves_total", "kind"), "{{kind}}"),
        (per_second("overflows_total", "reason"), "overflow: {{reason}}"),
        about="Otherwise than by an offer: by a person, by a queue that is drained, or by an overflow.",
    ),
]
PEOPLE: Final = [
    panel("Agents by state", "short", (worst("agents", "state"), "{{state}}")),
    panel(
        "Capacity used",
        "percentunit",
        (worst("agent_capacity_used_ratio"), "of available agents"),
        about="Offers included. For long near 100 %: nobody can be reached in time any more.",
    ),
    panel(
        "Paused, by medium",
        "reqps",
        (per_second("contacts_paused_total", "medium"), "{{medium}}"),
        about="Work that its agent put aside for a call or a chat.",
    ),
    panel(
        "Agents sent away",
        "short",
        (f"sum(increase(omniroute_agents_sent_away_total{RATE}))", "missed too many offers in a row"),
        about="Many at once: it isn't the people. Look at their desks and at the offers' time-out.",
    ),
]
PROMISES: Final = [
    panel(
        "Attainment by channel, last hour",
        "percentunit",
        (worst("attainment_ratio", "channel"), "{{channel}}"),
        about="Share of first responses in time, of those decided within the hour.",
    ),
    panel(
        "Parity gap, last hour",
        "percentunit",
        (worst("parity_gap_ratio"), "best channel − worst channel"),
        about="That shouting in public pays is the one thing this product must not allow.",
    ),
    panel(
        "Targets missed, share by channel",
        "percentunit",
        (
            f"{per_second(MISSED, 'channel')} / {per_second(DECIDED, 'channel')}",
            "{{channel}}",
        ),
    ),
    panel("Escalations by step", "reqps", (per_second("escalations_total", "step"), "{{step}}")),
    panel(
        "Public exposure",
        "short",
        (per_second("public_exposure_reach_seconds_total"), "people × seconds, per second"),
        about="Reach × unanswered time of public contacts, counted when they are answered or end.",
    ),
    panel(
        "Promises broken",
        "short",
        (f"sum by (promise) (increase(omniroute_promise_violations_total{RATE}))", "{{promise}}"),
        about="What the auditor found on the topics. Always nothing.",
    ),
]
EDGES: Final = [
    panel("Deliveries by outcome", "reqps", (per_second("deliveries_total", "outcome"), "{{outcome}}")),
    panel(
        "Webhooks rejected",
        "reqps",
        (per_second("webhooks_rejected_total", "provider, reason"), "{{provider}} {{reason}}"),
    ),
    panel(
        "Dead letters",
        "short",
        (f"sum by (service, reason) (increase(omniroute_dead_letters_total{RATE}))", "{{service}} {{reason}}"),
    ),
    panel("Requests by status", "reqps", (per_second("http_requests_total", "status"), "{{status}}")),
    panel(
        "Requests failed (5xx)",
        "percentunit",
        (
            f'(sum(rate(omniroute_http_requests_total{{status=~"5.."}}{RATE})) or vector(0))'
            f" / {per_second('http_requests_total')}",
            "share of all",
        ),
    ),
    panel(
        "Time to answer",
        "s",
        (quantile(0.5, "http_request_seconds", "service"), "{{service}} p50"),
        (quantile(0.99, "http_request_seconds", "service"), "{{service}} p99"),
        about="To the first byte. A command waits for its outcome: a commit and the projection are in it.",
    ),
]
LOG: Final = [
    panel(
        "Log lag",
        "short",
        ("sum by (service, topic) (omniroute_log_lag_records)", "{{service}} {{topic}}"),
        ("sum by (topic) (omniroute_notifier_lag_records)", "notifier {{topic}}"),
        about="Records on the log that a service has not decided yet.",
    ),
    panel(
        "Commit latency, p50 and p99",
        "s",
        (quantile(0.5, "log_commit_seconds", "service"), "{{service}} p50"),
        (quantile(0.99, "log_commit_seconds", "service"), "{{service}} p99"),
    ),
    panel(
        "Decision latency, p50 and p99",
        "s",
        (quantile(0.5, "decision_seconds", "service"), "{{service}} p50"),
        (quantile(0.99, "decision_seconds", "service"), "{{service}} p99"),
        about="Core time an input.",
    ),
    panel("Commits", "reqps", (per_second("log_commit_seconds_count", "service"), "{{service}}")),
    panel(
        "Partitions without an owner",
        "short",
        (
            "max by (service) (omniroute_log_partitions) - sum by (service) (omniroute_log_partitions_owned)",
            "{{service}}",
        ),
        about="More than zero for longer than a take-over: nothing moves there.",
    ),
    panel("Outbox waiting", "short", (worst("outbox_waiting_records"), "records")),
]
ROWS: Final[Sequence[tuple[str, list[dict[str, Any]]]]] = [
    ("Customers", CUSTOMERS),
    ("People", PEOPLE),
    ("Promises", PROMISES),
    ("Edges", EDGES),
    ("Log", LOG),
]


def laid_out() -> list[dict[str, Any]]:
    """Every row's title and below it its panels, left to right; ids in reading order."""
    placed: list[dict[str, Any]] = []
    top, width = 0, COLUMNS // PER_ROW
    for title, panels in ROWS:
        across = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        placed.append({"type": "row", "title": title, "collapsed": False, "gridPos": across, "panels": []})
        for at, one in enumerate(panels):
            x, y = at % PER_ROW * width, top + 1 + at // PER_ROW * HEIGHT
            placed.append({**one, "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT}})
        top += 1 + -(-len(panels) // PER_ROW) * HEIGHT
    return [{"id": number, **one} for number, one in enumerate(placed, 1)]


def dashboard() -> dict[str, Any]:
    return {
        "uid": "omniroute",
        "title": "omniroute",
        "tags": ["omniroute"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": laid_out(),
    }


def written() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
