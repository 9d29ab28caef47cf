"""`omniroute demo`: within a minute a newcomer sees contacts come, be answered and close."""

import time
from pathlib import Path

import pytest

from services.demo.company import AGENTS
from tests.e2e.house import House, started

CLOSED_MIN = 10
SECONDS_MAX = 60
LOOK_SECONDS = 1

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.slow]


def closed(house: House) -> int:
    return len(house.call("GET", "/v1/contacts?state=closed&limit=200")["items"])


def test_contacts_are_answered_and_closed_within_a_minute(tmp_path: Path) -> None:
    with started("demo", tmp_path) as demo:
        deadline = time.monotonic() + SECONDS_MAX
        while (done := closed(demo)) < CLOSED_MIN and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        channels = {item["channel"] for item in demo.call("GET", "/v1/attainment?by=channel")["items"]}
        agents = {agent["agent_id"] for agent in demo.call("GET", "/v1/agents")["items"]}
        demo.process.send_signal(2)
        assert demo.process.wait(SECONDS_MAX) == 0
    assert done >= CLOSED_MIN
    assert agents == set(AGENTS)
    assert {"x", "email"} <= channels, "signed posts and plain REST both arrive"
    said = (tmp_path / "said").read_text()
    assert '"error"' not in said, said
    assert not (tmp_path / "data").exists(), "the real folder is not the demo's"
