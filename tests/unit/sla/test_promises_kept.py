"""What meets a promise, what breaks it, and what counts for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events import Event
from tests.unit.sla.driver import (
    SlaDriver,
    abandoned,
    assigned,
    closed,
    delete_target,
    ladder,
    message,
    opened,
    parked,
    queued,
    response,
    resumed,
    seconds,
    target,
    withdrawn,
)

LIVE = {"medium": "live", "channel": "chat"}
VOICE = {"medium": "voice", "channel": "phone"}
FIRST = target(seconds=100)
RESOLVED = target(metric="resolution", seconds=100)


def after(driver: SlaDriver, *timed: tuple[float, Event]) -> SlaDriver:
    """Feed each event at its second."""
    for second, event in timed:
        driver.at(second, event)
    return driver


@pytest.mark.parametrize(
    ("rule", "traits", "what", "follows"),
    [
        ("a call is met by the connection", VOICE, [(9, assigned(at=9, medium="voice"))], ["clock.met"]),
        ("not by a message", VOICE, [(9, response(at=9))], []),
        ("a chat by the first message", LIVE, [(9, response(at=9))], ["clock.met"]),
        ("not by being taken", LIVE, [(9, assigned(at=9, medium="live"))], []),
        ("an e-mail by a response", {}, [(9, response(at=9))], ["clock.met"]),
        ("not by being taken", {}, [(9, assigned(at=9))], []),
        ("never by an automatic reply", {}, [(9, response(at=9, automatic=True))], []),
        ("a second response is none", {}, [(9, response(at=9)), (10, response(at=10))], ["clock.met"]),
        ("closing unanswered is a miss", {}, [(9, closed(at=9))], ["target.breached", "clock.cancelled"]),
        ("so is leaving while waiting", {}, [(9, abandoned(at=9))], ["target.breached", "clock.cancelled"]),
        ("withdrawn counts for nothing", {}, [(9, withdrawn(at=9))], ["clock.cancelled"]),
        ("also by the router's word", {}, [(9, closed(at=9, resolution="withdrawn"))], ["clock.cancelled"]),
        ("and only once", {}, [(9, withdrawn(at=9)), (9, closed(at=9, resolution="withdrawn"))], ["clock.cancelled"]),
        ("late is a breach, then met", {}, [(101, response(at=101))], ["target.breached", "clock.met"]),
        ("answered at the very end is in time", {}, [(99, response(at=100))], ["clock.met"]),
        ("a breach is breached once", {}, [(101, closed(at=101))], ["target.breached", "clock.cancelled"]),
        ("after the answer closing is nothing", {}, [(9, response(at=9)), (500, closed(at=500))], ["clock.met"]),
    ],
)
def test_first_response(rule: str, traits: dict[str, Any], what: list[Any], follows: list[str]) -> None:
    driver = after(SlaDriver(FIRST, opened(), queued(**traits)), *what)
    assert driver.types() == ["clock.started", *follows], rule


@pytest.mark.parametrize(
    ("rule", "what", "follows"),
    [
        ("met by the end of the work", [(9, closed(at=9))], ["clock.met"]),
        ("late when it is", [(101, closed(at=101))], ["target.breached", "clock.met"]),
        ("a response hands the turn over", [(9, response(at=9))], ["clock.paused"]),
        ("so does parking for the customer", [(9, parked(at=9))], ["clock.paused"]),
        ("not parking for anybody else", [(9, parked(at=9, reason="awaiting_supplier"))], []),
        ("paused once", [(9, response(at=9)), (10, parked(at=10))], ["clock.paused"]),
        ("the customer hands it back", [(9, response(at=9)), (20, message(at=20))], ["clock.paused", "clock.resumed"]),
        ("no bystander does", [(9, response(at=9)), (20, message(at=20, author="bystander"))], ["clock.paused"]),
        ("nor an older message", [(9, response(at=9)), (20, message(at=8))], ["clock.paused"]),
        ("an older response takes no turn", [(5, response(at=5)), (9, message(at=9)), (12, response(at=8))],
         ["clock.paused", "clock.resumed"]),
        ("nor does one told after the customer's last word", [(9, message(at=9)), (12, response(at=8))], []),
        ("one given after it does", [(9, message(at=9)), (12, response(at=10))], ["clock.paused"]),
        ("the router can resume", [(9, parked(at=9)), (20, resumed(at=20))], ["clock.paused", "clock.resumed"]),
        ("work that goes on after a pause resumes nothing",
         [(9, response(at=9)), (20, resumed(at=20, reason="unpaused"))], ["clock.paused"]),
        ("a pause is no time", [(9, response(at=9)), (500, message(at=500)), (590, closed(at=590))],
         ["clock.paused", "clock.resumed", "clock.met"]),
        ("what follows is", [(9, response(at=9)), (500, message(at=500)), (592, closed(at=592))],
         ["clock.paused", "clock.resumed", "target.breached", "clock.met"]),
        ("closed while the customer owes", [(9, response(at=9)), (500, closed(at=500))], ["clock.paused", "clock.met"]),
        ("left unanswered is a miss", [(9, abandoned(at=9))], ["target.breached", "clock.cancelled"]),
        ("left after an answer is nobody's", [(9, response(at=9)), (50, abandoned(at=50))],
         ["clock.paused", "clock.cancelled"]),
    ],
)  # fmt: skip
def test_resolution(rule: str, what: list[Any], follows: list[str]) -> None:
    driver = after(SlaDriver(RESOLVED, opened(), queued()), *what)
    assert driver.types() == ["clock.started", *follows], rule


def test_a_clock_starts_at_the_providers_time() -> None:
    driver = SlaDriver(FIRST)
    driver.advance(30)
    driver.receive(opened(), queued(at=0))
    started = driver.last("clock.started")
    assert (started.started_at, started.due_at) == (seconds(0), seconds(100))


def test_a_response_known_before_the_queueing_counts() -> None:
    driver = SlaDriver(FIRST, opened()).at(5, response(at=5)).at(20, queued())
    assert driver.types() == ["clock.started", "clock.met"]
    assert driver.last("clock.met").elapsed_seconds == 5


def test_a_response_dated_before_the_start_took_no_time() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (9, response(at=-30)))
    assert driver.last("clock.met").elapsed_seconds == 0
    assert not driver.last("clock.met").late


def test_a_response_reported_after_the_breach_is_met_at_its_own_time() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (120, response(at=60)))
    assert driver.types() == ["clock.started", "target.breached", "clock.corrected", "clock.met"]
    assert (driver.last("clock.met").late, driver.last("clock.met").met_at) == (False, seconds(60))


def test_nothing_happens_after_it_was_told() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (90, response(at=110)))
    assert driver.types() == ["clock.started", "clock.met"]
    assert (driver.last("clock.met").late, driver.last("clock.met").met_at) == (False, seconds(90))


def test_nor_when_it_was_told_before_the_queueing() -> None:
    driver = SlaDriver(FIRST, opened()).at(90, response(at=110)).at(120, queued())
    assert driver.types() == ["clock.started", "clock.met"]


def test_a_provider_whose_clock_runs_ahead_hands_the_turn_over_too() -> None:
    driver = after(SlaDriver(RESOLVED, opened(at=60), queued(at=60)), (10, response(at=70)))
    assert driver.types() == ["clock.started", "clock.paused"]
    assert driver.last("clock.paused").paused_at == seconds(60)


def test_an_earlier_response_corrects_a_late_one() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (120, response(at=120)), (130, response(at=60)))
    assert driver.types()[-3:] == ["clock.met", "clock.corrected", "clock.met"]
    assert not driver.last("clock.met").late


def test_an_echo_after_the_closing_corrects_the_miss() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (50, closed(at=50)), (55, response(at=49)))
    assert driver.types()[-3:] == ["clock.cancelled", "clock.corrected", "clock.met"]


def test_what_is_said_after_the_closing_answers_nothing() -> None:
    driver = after(SlaDriver(FIRST, opened(), queued()), (50, closed(at=50)), (55, response(at=54)))
    assert driver.types()[-1] == "clock.cancelled"


@pytest.mark.parametrize(
    ("rule", "targets", "bound"),
    [
        ("the tightest binds", [target("slow", seconds=500), target("fast", seconds=50)], "fast"),
        ("equal: the lower id", [target("b"), target("a")], "a"),
        ("a deleted one binds nobody", [target("a"), target("b", seconds=200), delete_target("a")], "b"),
    ],
)
def test_which_target_binds(rule: str, targets: list[Any], bound: str) -> None:
    driver = SlaDriver(*targets, opened(), queued())
    assert driver.last("clock.started").target == bound, rule


def test_no_target_no_clock() -> None:
    assert SlaDriver(opened(), queued()).types() == []


def test_one_clock_a_metric() -> None:
    driver = SlaDriver(FIRST, target("r", metric="resolution", seconds=900), opened(), queued())
    assert [event.metric for event in driver.clock_events()] == ["first_response", "resolution"]


def test_a_changed_target_moves_no_running_clock() -> None:
    driver = SlaDriver(target(seconds=100, escalate=ladder(1.0)), opened(), queued())
    driver.receive(target(seconds=10, command_id="again"))
    driver.advance(99)
    assert driver.types() == ["clock.started"]
    driver.receive(opened("c2"), queued("c2", at=99))
    assert driver.last("clock.started").target_version == 2


def test_a_transfer_starts_nothing_again() -> None:
    driver = SlaDriver(FIRST, opened(), queued())
    driver.receive(queued(at=20, reason="transferred", queue="billing"))
    assert driver.types() == ["clock.started"]


def test_wrapping_up_is_not_the_customers_time() -> None:
    from libs.common.events.routing import ContactWrapUpStarted
    from tests.unit.sla.driver import KEY

    wrap_up = ContactWrapUpStarted(
        key=KEY, at=seconds(90), contact_id="c1", agent_id="ann", until=seconds(120), resolution="solved"
    )
    driver = after(SlaDriver(RESOLVED, opened(), queued()), (90, wrap_up), (120, closed(at=120)))
    assert (driver.last("clock.met").met_at, driver.last("clock.met").late) == (seconds(90), False)


def test_a_breach_before_the_pause_stays_late() -> None:
    told = (150, response(at=150)), (200, message(at=200)), (200, closed(at=200))
    driver = after(SlaDriver(RESOLVED, opened(), queued()), *told)
    assert driver.last("clock.met").late
    assert driver.last("clock.resumed").due_at == seconds(100)
