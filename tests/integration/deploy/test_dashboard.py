"""Every query of the dashboard and every alert, run on a real Prometheus that scrapes a real process."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.grafana.dashboard import TARGET, dashboard, written
from tests.e2e.house import House, started
from tests.integration.deploy import day
from tests.integration.deploy.scraped import Prometheus, scraping
from tests.integration.deploy.tools import DEPLOY, ROOT, program, said

DATA_SECONDS = 50
RATE_INTERVAL = "20s"
RULES = DEPLOY / "prometheus" / "rules.yml"
PROMISED: dict[str, set[str]] = {
    "contacts_received_total": {"channel", "visibility"},
    "contacts_waiting": {"queue", "channel"},
    "contact_wait_seconds_bucket": {"channel", "le"},
    "offers_total": {"outcome"},
    "assignments_total": set(),
    "agents": {"state"},
    "agent_capacity_used_ratio": set(),
    "target_outcomes_total": {"metric", "channel", "outcome"},
    "attainment_ratio": {"channel"},
    "parity_gap_ratio": set(),
    "public_exposure_reach_seconds_total": set(),
    "escalations_total": {"step"},
    "decision_seconds_bucket": {"le"},
    "log_commit_seconds_bucket": {"le"},
    "log_lag_records": {"topic"},
    "deliveries_total": {"outcome"},
    "dead_letters_total": set(),
    "webhooks_rejected_total": {"provider", "reason"},
}
"""The metrics that users were promised, with the labels that they were promised."""


def scraped(test: Any) -> Any:
    """Tests that share one process and its Prometheus: pytest's workers keep them together."""
    return pytest.mark.slow(pytest.mark.xdist_group("scraped")(test))


def queries() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [target["expr"].replace("$__rate_interval", RATE_INTERVAL) for target in targets]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with started("up", tmp_path_factory.mktemp("house")) as house:
        day.open_shop(house)
        yield house


@pytest.fixture(scope="module")
def prometheus(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraping(house.port, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def empty_panels(house: House, prometheus: Prometheus) -> list[str]:
    """The queries that still return nothing when everything has happened a few times."""
    deadline = time.monotonic() + DATA_SECONDS
    empty = list(queries())
    while empty and time.monotonic() < deadline:
        day.an_hour(house)
        empty = [query for query in empty if not prometheus.values(query)]
    return empty


@scraped
def test_every_panel_shows_something(empty_panels: list[str]) -> None:
    assert not empty_panels


@scraped
@pytest.mark.usefixtures("empty_panels")
@pytest.mark.parametrize(("metric", "labels"), PROMISED.items())
def test_what_was_promised_is_measured(prometheus: Prometheus, metric: str, labels: set[str]) -> None:
    series = prometheus.ask("series", **{"match[]": f"omniroute_{metric}"})
    assert series
    assert all(labels <= one.keys() for one in series)


@scraped
@pytest.mark.parametrize("query", queries())
def test_every_query_can_be_read(prometheus: Prometheus, query: str) -> None:
    prometheus.ask("query", query=query)


@scraped
def test_every_alert_is_evaluated_without_an_error(house: House, prometheus: Prometheus) -> None:
    deadline = time.monotonic() + DATA_SECONDS
    while True:
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] == "ok" for rule in rules) or time.monotonic() > deadline:
            break
        day.an_hour(house)
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in alerts()}


def test_the_committed_dashboard_is_what_the_code_writes() -> None:
    assert TARGET.read_text(encoding="utf-8") == written(), "run: python deploy/grafana/dashboard.py"


def test_no_two_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(written())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells


def test_promtool_finds_nothing() -> None:
    promtool = program("promtool")
    said([promtool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES)])
    said([promtool, "check", "config", "--lint=all", "--lint-fatal", str(RULES.with_name("prometheus.yml"))])


def test_alerts_fire_when_they_should_and_only_then() -> None:
    said([program("promtool"), "test", "rules", str(RULES.with_name("rules_test.yml"))])


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert rule["annotations"]["summary"]
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings
