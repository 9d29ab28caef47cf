"""What a scenario file may say, and how it is told what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.simulator.scenarios import UnreadableScenario, read_scenarios
from services.simulator.worlds import draw
from tests.unit.simulator.written import EXAMPLE


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "worlds.json"
    file.write_text(text)
    return file


def changed(**fields: Any) -> str:
    """The example with these fields of its scenario, or of a part of it (`channels__0__T`), set."""
    whole = json.loads(EXAMPLE.read_text())
    for path, value in fields.items():
        *parents, last = (int(part) if part.isdecimal() else part for part in path.split("__"))
        part = whole["scenarios"]["morning"]
        for parent in parents:
            part = part[parent]
        part[last] = value
    return json.dumps(whole)


@pytest.mark.parametrize(("name", "worlds"), [("morning", ["morning"]), ("teams", ["teams", "languages"])])
def test_an_example_holds_worlds_in_which_every_channel_is_used(name: str, worlds: list[str]) -> None:
    scenarios = read_scenarios(EXAMPLE.with_stem(name)).scenarios
    assert [*scenarios] == worlds
    for scenario in scenarios.values():
        drawn = draw(scenario, 1)
        assert {one.channel for one in drawn.arrivals} == {*range(len(scenario.channels))}
        assert {channel for one in drawn.workers for channel in one.channels} == {*range(len(scenario.channels))}


@pytest.mark.parametrize(("rule", "fields", "why"), [
    ("unknown fields are refused",        {"colour": "red"},               "unknown field `colour`"),
    ("also inside",                       {"channels__0__colour": "red"},  "unknown field `colour`"),
    ("a number is a number",              {"horizon_s": "long"},           "$.scenarios[...].horizon_s"),
    ("a horizon is above 0",              {"horizon_s": 0},                "horizon_s is"),
    ("and at most 30 days",               {"horizon_s": 30 * 86_400 + 1},  "horizon_s is"),
    ("beside others nothing is faster",   {"slow_beside": -0.1},           "slow_beside is"),
    ("each language has its share",       {"lang_p": [1.0]},               "lang_p has a share"),
    ("also an agent's",                   {"agents__0__native_p": [1.0]},  "native_p has a share"),
    ("channels differ",                   {"channels__1__name": "voice"},  "two channels"),
    ("a storm is on a channel",           {"storm__channel": "fax"},       "storm.channel"),
    ("agents work channels that are",     {"agents__0__channels": ["fax"]}, "agents: fax is no channel"),
    ("a target is a second at least",     {"channels__0__T": 0},           "channel voice: T is"),
    ("units fit an agent",                {"channels__0__units": 61},      "channel voice: units are"),
    ("a call can't be paused",            {"channels__0__soft": 1},        "channel voice: what takes 60"),
    ("there are two distributions",       {"channels__0__dist": "gamma"},  "channel voice: dist is"),
])  # fmt: skip
def test_a_fault_is_named(rule: str, fields: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableScenario) as refused:
        read_scenarios(written(tmp_path, changed(**fields)))
    assert why in str(refused.value), rule


def test_what_is_no_json_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableScenario, match="malformed"):
        read_scenarios(written(tmp_path, "horizon: 1"))


def test_the_example_is_sound() -> None:
    read = read_scenarios(EXAMPLE)
    assert list(read.scenarios) == ["morning"]
    assert [one.medium for one in read.scenarios["morning"].channels] == ["voice", "live", "async", "async"]
