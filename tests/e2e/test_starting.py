"""A start that can't go well is refused with a sentence; one that can goes on where the last one stopped."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.house import ROOT, free_port, started

pytestmark = pytest.mark.xdist_group("e2e")

REFUSED_SECONDS = 60


def omniroute(*words: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The command, which is expected to end by itself."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMNIROUTE_")}
    return subprocess.run(
        [sys.executable, "-m", "services.all", *words],
        cwd=ROOT,
        env=env | dict(settings),
        capture_output=True,
        text=True,
        timeout=REFUSED_SECONDS,
        check=False,
    )


def test_a_second_start_on_the_same_data_is_refused_and_a_later_one_goes_on(tmp_path: Path) -> None:
    settings = {"OMNIROUTE_DATA_DIR": str(tmp_path / "data"), "OMNIROUTE_PORT": str(free_port())}
    with started("up", tmp_path) as first:
        first.call("PUT", "/v1/agents/ann", {"name": "Ann", "skills": {"public": 3}})
        second = omniroute("up", settings=settings)
        assert (second.returncode, str(first.process.pid) in second.stderr) == (2, True), second.stderr
        key = first.key
    with started("up", tmp_path, key=key) as later:
        assert later.call("GET", "/v1/agents/ann")["name"] == "Ann"


@pytest.mark.parametrize(
    ("rule", "words", "settings", "said"),
    [
        ("a port is a number", ["up"], {"OMNIROUTE_PORT": "http"}, "OMNIROUTE_PORT"),
        ("a typo is named", ["up"], {"OMNIROUTE_PROT": "8080"}, "OMNIROUTE_PORT"),
        ("a clock is for tests on loopback", ["up"], {"OMNIROUTE_CLOCK": "1", "OMNIROUTE_HOST": "0.0.0.0"}, "CLOCK"),
        ("brokers are host:port", ["up"], {"OMNIROUTE_KAFKA": "kafka"}, "OMNIROUTE_KAFKA"),
        ("a service alone needs servers", ["serve", "router"], {}, "OMNIROUTE_KAFKA"),
        ("there are five services", ["serve", "cook"], {}, "cook"),
        ("a file that isn't there", ["import", "nothing.jsonl"], {}, "nothing.jsonl"),
        ("a time needs a zone", ["replay", "--from", "2026-11-22T10:00:00"], {}, "zone"),
    ],
)
def test_what_is_wrong_is_said(
    rule: str, words: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    answer = omniroute(*words, settings={"OMNIROUTE_DATA_DIR": str(tmp_path / "data")} | settings)
    assert answer.returncode == 2, rule
    assert said in answer.stderr, rule
    assert "Traceback" not in answer.stderr, rule
