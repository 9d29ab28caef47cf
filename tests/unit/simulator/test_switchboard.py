"""How a fixed order routes: who gets a contact, what an agent takes next, what is paused and when it goes on."""

from __future__ import annotations

import pytest

from libs.common.events import SECOND
from services.simulator.baselines import BASELINES, Order
from services.simulator.play import Played
from services.simulator.switchboard import Switchboard
from services.simulator.worlds import Arrival, Worker, World
from tests.unit.simulator.written import begun, comes, ended, play, worker, world

SECOND_ONLY = worker(languages={0: 2})


def routed(of: World, order: str = "fifo") -> tuple[list[float | None], list[int | None]]:
    played = play(of, Switchboard(of, BASELINES[order]))
    return begun(played), [fate.agent for fate in played.fates]


@pytest.mark.parametrize(("rule", "arrivals", "starts"), [
    ("a call takes all of an agent",     [comes(0, "voice"), comes(1, "voice")],                      [0, 100]),
    ("three chats fit",                  [comes(at, "chat") for at in (0, 1, 2, 3)],                  [0, 1, 2, 100]),
    ("a call waits for a chat to end",   [comes(0, "chat", 30), comes(1, "voice")],                   [0, 30]),
    ("five letters fit",                 [comes(at, "email") for at in range(6)],                     [*range(5), 100]),
    ("a call pauses letters",            [comes(0, "email"), comes(10, "voice")],                     [0, 10]),
    ("a chat pauses what it must",       [*[comes(0, "email")] * 5, comes(10, "chat")],               [0] * 5 + [10]),
    ("beside a chat fit three letters",  [comes(0, "chat", 50), *[comes(1, "email")] * 4],            [0, 1, 1, 1, 50]),
    ("who is first in line is served",   [comes(0, "voice"), comes(1, "email"), comes(2, "voice")],   [0, 100, 100]),
])  # fmt: skip
def test_what_fits(rule: str, arrivals: list[Arrival], starts: list[float]) -> None:
    assert routed(world(*arrivals))[0] == starts, rule


def test_paused_work_goes_on_where_it_stopped() -> None:
    of = world(comes(0, "email", 50), comes(0, "pm", 50), comes(10, "voice", 100), comes(20, "voice", 40))
    played = play(of, Switchboard(of, BASELINES["fifo"]))
    assert ended(played) == [190, 190, 110, 150]
    assert pauses(played) == [140, 140, 0, 0]


def pauses(played: Played) -> list[float]:
    return [fate.paused / SECOND for fate in played.fates]


def test_what_has_most_of_its_budget_left_is_paused_first() -> None:
    """A letter may be paused for two hours, a post for 450 seconds: one of them makes room for the second chat."""
    of = world(comes(0, "post", 50), comes(0, "email", 50), comes(1, "chat", 30), comes(10, "chat", 30))
    assert pauses(play(of, Switchboard(of, BASELINES["fifo"]))) == [0, 21, 0, 0]


def test_what_was_paused_last_goes_on_first() -> None:
    """The first chat's end makes room for one letter: the third chat's, not those that the second one paused."""
    chats = [comes(1, "chat", 40), comes(2, "chat", 100), comes(3, "chat", 100)]
    of = world(*[comes(0, "email", 300)] * 3, *chats)
    assert pauses(play(of, Switchboard(of, BASELINES["fifo"])))[:3] == [38, 100, 100]


def test_what_was_paused_for_half_its_target_is_protected() -> None:
    """The post may be paused for 450 s: the first call takes 500, so the second waits until the post is done."""
    of = world(comes(0, "post", 100), comes(10, "voice", 500), comes(520, "voice", 10))
    assert routed(of)[0] == [0, 10, 600]


@pytest.mark.parametrize(("rule", "order", "workers", "agents"), [
    ("the longest idle goes first",        "fifo",    (worker(), worker()),    [0, 1, 0]),
    ("only who can: the channel",          "fifo",    (worker("chat"), worker("voice")), [1, 1, 1]),
    ("poor speakers too, at once",         "fifo",    (SECOND_ONLY, worker()), [0, 1, 0]),
    ("twilio: fluent speakers until due",  "twilio",  (SECOND_ONLY, worker()), [1, 0, 1]),
])  # fmt: skip
def test_who_gets_it(rule: str, order: str, workers: tuple[Worker, ...], agents: list[int]) -> None:
    of = world(comes(0, "voice"), comes(1, "voice"), comes(200, "voice"), workers=workers)
    assert routed(of, order)[1] == agents, rule


def test_after_its_share_of_the_target_a_contact_goes_to_whoever_speaks_its_language() -> None:
    of = world(comes(0, "voice"), comes(1, "voice"), workers=(worker(), SECOND_ONLY))
    played = play(of, Switchboard(of, Order(lambda arrival, _: (arrival.at,), fluent_share=0.5)))
    assert begun(played) == [0, 11]
    assert ended(played) == [100, 11 + 125], "in a second language it takes a quarter longer"


def test_who_leaves_is_not_served() -> None:
    of = world(comes(0, "voice"), comes(1, "voice", patience=50.0), comes(2, "voice"))
    assert routed(of)[0] == [0, None, 100]
