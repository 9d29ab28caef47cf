"""Recorded conversations give the same on PostgreSQL and on Kafka, and the log decides the same again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.house import ROOT
from tests.kafka.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.kafka]

WAIT_SECONDS = 280


def message(number: int, at: int, sender: str, author: str) -> dict[str, str]:
    moment = f"2018-06-26T{8 + at // 60:02}:{at % 60:02}:00Z"
    return {"id": str(number), "at": moment, "from": sender, "author": author, "text": f"message {number}"}


CONVERSATIONS = [
    {"conversation": "answered in time", "brand": "Shop", "messages": [
        message(100, 0, "customer", "mario"), message(101, 5, "agent", "Shop")]},
    {"conversation": "answered late, asked again, a stranger joins", "brand": "Shop", "messages": [
        message(102, 6, "customer", "anna"), message(103, 30, "bystander", "zoe"), message(104, 40, "agent", "Shop"),
        message(107, 90, "customer", "anna")]},
    {"conversation": "never answered", "brand": "Bank", "messages": [message(105, 50, "customer", "ugo")]},
    {"conversation": "the answer is dated before the question", "brand": "Bank", "messages": [
        message(106, 80, "customer", "ida"), message(108, 70, "agent", "Bank")]},
    {"conversation": "shares a message with the first", "brand": "Shop", "messages": [
        message(101, 5, "agent", "Shop"), message(109, 95, "customer", "mario")]},
]  # fmt: skip
EXPECTED = {
    "conversations": 4, "contacts_opened": 4, "messages_joined": 3, "responses_observed": 3, "duplicates": 0, "lost": 0,
    "offers": 4, "assigned": 4, "breaches": 2, "escalations": 2, "attainment": {"x": 0.5},
}  # fmt: skip


def omniroute(*words: str, data: Path, **settings: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMNIROUTE_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.all", *words],
        cwd=ROOT,
        env=env | {"OMNIROUTE_DATA_DIR": str(data), "OMNIROUTE_PARTITIONS": "3"} | settings,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "conversations.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in CONVERSATIONS))
    return file


@pytest.mark.usefixtures("kafka_bootstrap")
def test_both_logs_give_the_same(recorded: Path, tmp_path: Path) -> None:
    """On a broker of its own: topics are an installation's, and the shared broker has another's."""
    on_postgres = json.loads(omniroute("import", str(recorded), "--json", data=tmp_path / "postgres"))
    with KafkaBroker() as broker:
        settings = {"OMNIROUTE_KAFKA": broker.bootstrap}
        on_kafka = json.loads(omniroute("import", str(recorded), "--json", data=tmp_path / "kafka", **settings))
    assert on_postgres == on_kafka == EXPECTED


def test_the_log_decides_the_same_again_whatever_the_hash_seed(recorded: Path, tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    omniroute("import", str(recorded), "--json", data=data, PYTHONHASHSEED="1")
    told = {omniroute("replay", data=data, PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert len(told) == 1
    assert "byte-identical" in told.pop()


def test_a_replay_can_begin_at_a_snapshot(recorded: Path, tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    omniroute("import", str(recorded), "--json", data=data)
    whole = omniroute("replay", data=data)
    omniroute("import", str(recorded), "--json", data=data)
    later = omniroute("replay", "--from", "2100-01-01T00:00:00Z", data=data)
    assert "byte-identical" in later
    assert later.startswith("0 commits")
    assert int(whole.split()[0]) > 0


def test_the_log_is_routed_again_by_other_weights_and_stays_as_it_was(recorded: Path, tmp_path: Path) -> None:
    """The agents of an import take everything at once, so no weights make anybody wait; the log is only read."""
    data, weights = tmp_path / "postgres", tmp_path / "weights.yaml"
    weights.write_text("weights: {reach: 0.25, tier: 0}")
    omniroute("import", str(recorded), "--json", data=data)
    told = omniroute("replay", "--policy", "default", "--policy", str(weights), "--json", data=data)
    results = {one["policy"]: one["metrics"] for one in json.loads(told)["results"]}
    assert list(results) == ["recorded", "default", str(weights)]
    assert all(metrics["within_target.x"] == {"mean": 1.0, "ci95": None} for metrics in results.values())
    assert "byte-identical" in omniroute("replay", data=data)


@pytest.mark.slow
def test_the_public_conversations(test_data: Path, tmp_path: Path) -> None:
    """The first fifty; all 523 are a matter of minutes: `omniroute import` on the whole file."""
    file = tmp_path / "fifty.jsonl"
    rows = (test_data / "data" / "public_care_conversations.jsonl").read_text().splitlines(keepends=True)
    file.write_text("".join(rows[:50]))
    report = json.loads(omniroute("import", str(file), "--json", data=tmp_path / "postgres"))
    figures = {name: report[name] for name in ("conversations", "contacts_opened", "assigned", "duplicates", "lost")}
    assert figures == {"conversations": 50, "contacts_opened": 50, "assigned": 50, "duplicates": 0, "lost": 0}
