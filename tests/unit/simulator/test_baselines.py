"""The orders that the product is measured against: who goes before whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.simulator.baselines import BASELINES
from services.simulator.play import Play
from services.simulator.scenarios import read_scenarios
from services.simulator.switchboard import Switchboard
from services.simulator.worlds import Arrival, draw
from tests.unit.simulator.written import comes, scenario
from tests.unit.simulator.yardstick import Yardstick

CALL, CHAT, POST = comes(50, "voice"), comes(50, "chat"), comes(50, "post")
MESSAGE, LETTER = comes(50, "pm"), comes(50, "email")


def seen_by(reach: float, **fields: Any) -> Arrival:
    return POST._replace(reach=reach, **fields)


@pytest.mark.parametrize(("rule", "order", "first", "then"), [
    ("who came first, whatever it is",         "fifo",    LETTER._replace(at=49.0), CALL),
    ("what is due first",                      "edf",     CALL, CHAT),
    ("a letter that is due goes before",       "edf",     LETTER._replace(at=-14_400.0), CALL),
    ("posts, then calls",                      "strict",  POST, CALL._replace(at=0.0)),
    ("calls, then chats",                      "strict",  CALL, CHAT._replace(at=0.0)),
    ("chats, then messages",                   "strict",  CHAT, MESSAGE._replace(at=0.0)),
    ("messages, then letters",                 "strict",  MESSAGE, LETTER._replace(at=0.0)),
    ("ten times as many viewers",              "strict",  seen_by(1_000), seen_by(999, at=0.0)),
    ("within a decade who came first",         "strict",  seen_by(100), seen_by(900, at=51.0)),
    ("a call before a post",                   "twilio",  CALL, seen_by(9_999)),
    ("many viewers count for ten",             "twilio",  seen_by(10_000), CALL._replace(at=0.0)),
    ("gold counts for five",                   "twilio",  MESSAGE._replace(tier=2), MESSAGE._replace(at=0.0)),
    ("and not for ten",                        "twilio",  CHAT, MESSAGE._replace(tier=2, at=0.0)),
    ("calls, chats and posts before the rest", "connect", POST, MESSAGE._replace(at=0.0)),
    ("among these who came first",             "connect", MESSAGE._replace(at=49.0), LETTER),
    ("a big audience is ten minutes",          "connect", seen_by(10_000, at=599.0), POST._replace(at=0.0)),
    ("and not more",                           "connect", POST._replace(at=0.0), seen_by(10_000, at=601.0)),
    ("gold is five minutes",                   "connect", CALL._replace(tier=2, at=299.0), CALL._replace(at=0.0)),
    ("two strikes are five minutes",           "connect", CALL._replace(strikes=2, at=299.0), CALL._replace(at=0.0)),
])  # fmt: skip
def test_who_goes_first(rule: str, order: str, first: Arrival, then: Arrival) -> None:
    key, channels = BASELINES[order].key, scenario().channels
    assert key(first, channels[first.channel]) < key(then, channels[then.channel]), rule


@pytest.mark.parametrize("order", BASELINES)
def test_the_yardstick_gives_every_contact_to_the_same_agent(order: str, yardstick: Yardstick, test_data: Path) -> None:
    """Hours of overload: contact by contact, when it began and with whom."""
    world = draw(read_scenarios(test_data / "scenarios" / "public.json").scenarios["overload"], 601)
    played = Play(world, Switchboard(world, BASELINES[order])).run()
    expected = yardstick.served("overload", 601, order)
    ours = [(fate.agent, fate.started and (fate.started - fate.arrived) / 1e6) for fate in played.fates]
    assert [agent for agent, _ in ours] == [agent for agent, _ in expected]
    assert [wait for _, wait in ours if wait is not None] == pytest.approx(
        [wait for _, wait in expected if wait is not None], abs=0.001
    )
