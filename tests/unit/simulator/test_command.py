"""`omniroute simulate`, as an operator types it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from services.all.__main__ import app
from services.simulator.command import progress_on, seeds_of
from services.simulator.metrics import estimate
from tests.unit.simulator.written import EXAMPLE

CHANNELS = ("voice", "chat", "post", "email")
BY_CHANNEL = ("within_target", "wait_over_target", "wait_max_s", "wait_p99_s")
OVERALL = ("worst_channel", "reach_minutes", "strike_relative", "abandoned", "occupancy", "jain")
SHARES = ("within_target", "worst_channel", "abandoned", "occupancy", "jain")
PNG = b"\x89PNG"


def typed(*words: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, words), "--jobs", "1"], env={"COLUMNS": "160"})


def test_json_has_every_metric_of_every_policy_with_its_interval() -> None:
    answered = typed(EXAMPLE, "--policy", "default", "--policy", "fifo", "--seeds", "1,2", "--json")
    results = json.loads(answered.stdout)["results"]
    assert [(one["scenario"], one["policy"], one["seeds"]) for one in results] == [
        ("morning", "default", [1, 2]), ("morning", "fifo", [1, 2]),
    ]  # fmt: skip
    expected = {f"{name}.{channel}" for name in BY_CHANNEL for channel in CHANNELS} | {*OVERALL}
    for one in results:
        assert expected <= one["metrics"].keys()
        assert all(metric.keys() == {"mean", "ci95"} for metric in one["metrics"].values())
        assert all(0 <= one["metrics"][name]["mean"] <= 1.1 for name in expected if name.split(".")[0] in SHARES)


def test_a_difference_is_of_the_same_seeds() -> None:
    answered = typed(EXAMPLE, "--policy", "default,fifo", "--seeds", "1,2,3", "--json")
    default, fifo = json.loads(answered.stdout)["results"]
    assert "difference" not in default
    for name in OVERALL:
        pairs = [one[name] - other[name] for one, other in zip(fifo["runs"], default["runs"], strict=True)]
        assert fifo["difference"][name] == pytest.approx(msgspec.to_builtins(estimate(pairs)))


def test_the_table_of_differences_has_a_row_per_policy_but_the_first() -> None:
    shown = typed(EXAMPLE, "--policy", "fifo,edf,strict", "--seeds", "1-2").stdout
    block = shown.partition("less fifo in the same worlds")[2].partition("by channel")[0].splitlines()
    firsts = (line for line in block if line[:2] == "  " and line[2:3].isalpha())  # Narrow, a row has two lines.
    rows = [line.split() for line in firsts]
    assert [row[0] for row in rows] == ["policy", "edf", "strict"]
    assert all(value[0] in "+-±" for row in rows[1:] for value in row[1:])
    assert "less" not in typed(EXAMPLE, "--policy", "fifo", "--seeds", "1-2").stdout


def test_where_the_output_is_kept_progress_is_said_in_tenths() -> None:
    said = io.StringIO()
    with progress_on(Console(file=said), 40) as progress:
        for done in (0.5, 1, 4.2, 4.9, 30, 40):
            progress(done)
    assert said.getvalue().splitlines() == [f"simulating: {done} of 40" for done in (4, 30, 40)]


def test_the_table_has_a_row_per_policy_and_channel() -> None:
    shown = typed(EXAMPLE, "--policy", "fifo,edf", "--seeds", "1-2")
    assert shown.exit_code == 0
    assert "mean of 2 seeds" in shown.stdout
    rows = [line.split()[:2] for line in shown.stdout.splitlines()]
    assert all([policy, channel] in rows for policy in ("fifo", "edf") for channel in CHANNELS)


@pytest.mark.parametrize("words", [
    ("--policy", "fifo", "--policy", "edf"), ("--policy", "fifo,edf"), ("--policy", "fifo", "edf"),
])  # fmt: skip
def test_several_policies_are_named_in_any_usual_way(words: tuple[str, ...]) -> None:
    answered = typed(EXAMPLE, *words, "--seeds", "1", "--json")
    assert [result["policy"] for result in json.loads(answered.stdout)["results"]] == ["fifo", "edf"]


def test_processes_change_no_number() -> None:
    words = ["simulate", str(EXAMPLE), "--policy", "default,fifo", "--seeds", "1,2", "--json"]
    alone, two = (CliRunner().invoke(app, [*words, "--jobs", jobs]).stdout for jobs in ("1", "2"))
    assert alone == two


def test_plots_are_drawn(tmp_path: Path) -> None:
    drawn = typed(EXAMPLE, "--policy", "fifo", "--seeds", "1,2", "--plot", tmp_path / "charts")
    assert drawn.exit_code == 0
    files = sorted((tmp_path / "charts").iterdir())
    assert [file.name for file in files] == ["morning-attainment.png", "morning-exposure.png", "morning-wait.png"]
    assert all(file.read_bytes().startswith(PNG) for file in files)


@pytest.mark.parametrize(("rule", "text", "same_as_default"), [
    ("what is absent takes its default", "weights: {}", True),
    ("JSON will do",                     '{"weights": {"reach": 0.13}}', True),
    ("other weights decide otherwise",   "weights: {reach: 0, sentiment: 0, tier: 0.25, strikes: 0}", False),
])  # fmt: skip
def test_a_file_is_a_policy(rule: str, text: str, same_as_default: bool, tmp_path: Path) -> None:
    file = tmp_path / "weights.yaml"
    file.write_text(text)
    answered = typed(EXAMPLE, "--policy", "default", "--policy", file, "--seeds", "1", "--json")
    default, other = json.loads(answered.stdout)["results"]
    assert other["policy"] == str(file)
    assert (default["metrics"] == other["metrics"]) is same_as_default, rule


@pytest.mark.parametrize(("rule", "words", "text", "why"), [
    ("a scenario is one of the file's",  ["--scenario", "night"], "", "there is no scenario night"),
    ("seeds are numbers",                ["--seeds", "one"],      "", "--seeds are numbers"),
    ("seeds are some",                   ["--seeds", ","],        "", "names no seed"),
    ("a policy is a name or a file",     ["--policy", "lifo"],    "", "lifo is none of default, fifo"),
    ("a file's fields are the API's",    [], "weights: {height: 1}",   "/weights/height"),
    ("and within its bounds",            [], "weights: {reach: 0.3}",  "/weights/reach"),
    ("and YAML or JSON",                 [], "weights: [",             "neither JSON nor YAML"),
])  # fmt: skip
def test_what_is_wrong_is_said(rule: str, words: list[str], text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.yaml"
    file.write_text(text)
    refused = typed(EXAMPLE, *(words or ["--policy", str(file)]))
    assert (refused.exit_code, refused.stdout) == (2, ""), rule
    assert why in " ".join(refused.stderr.split()), rule


def test_a_textbook_system_is_played_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "systems.json"
    file.write_text('{"mmc": [{"c": 2, "lam_h": 30, "mean_s": 60, "patience_s": 30}]}')
    answered = typed(file, "--scenario", "mmc-2", "--policy", "fifo", "--seeds", "1", "--json")
    assert json.loads(answered.stdout)["results"][0]["scenario"] == "mmc-2"


@pytest.mark.parametrize(("text", "seeds"), [("7", [7]), ("1,2,3", [1, 2, 3]), ("601-603, 9", [601, 602, 603, 9])])
def test_seeds(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds
