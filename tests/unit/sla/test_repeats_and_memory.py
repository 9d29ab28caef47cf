"""Repeat contacts, facts that nobody asked for yet, and what is forgotten when."""

from __future__ import annotations

from services.sla.core.limits import (
    ENDED_CONTACT_KEPT_SECONDS,
    FACTS_PER_CONTACT_MAX,
    STALE_TIMERS_MIN,
    UNQUEUED_FACTS_KEPT_SECONDS,
)
from tests.unit.sla.driver import SlaDriver, closed, message, opened, queued, response, target

FIRST = target(seconds=100)


def reopened(at: float) -> SlaDriver:
    """`c1` was answered and closed at 50; the customer came back at 60 and `c1.r2` is queued at `at`."""
    driver = SlaDriver(FIRST, opened(), queued(), response(at=5))
    driver.advance(50)
    driver.receive(closed(at=50))
    driver.advance(10)
    driver.receive(message(at=60))
    driver.advance(at - 60)
    return driver




def test_a_repeat_has_a_clock_of_its_own() -> None:
    driver = reopened(61)
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"))
    assert (driver.last("clock.started").contact_id, driver.types()[-1]) == ("c1.r2", "clock.started")


def test_an_answer_to_the_repeat_may_still_name_the_first_contact() -> None:
    driver = reopened(61)
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"))
    driver.at(70, response("c1", at=70))
    assert (driver.last("clock.met").contact_id, driver.last("clock.met").elapsed_seconds) == ("c1.r2", 10)


def test_an_answer_before_the_repeat_was_queued_is_the_repeats() -> None:
    driver = reopened(80)
    driver.receive(response("c1", at=70))
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"))
    assert (driver.last("clock.met").contact_id, driver.last("clock.met").elapsed_seconds) == ("c1.r2", 10)


def test_it_is_kept_for_the_repeat_although_the_first_contact_is_forgotten() -> None:
    driver = reopened(80)
    driver.receive(response("c1", at=70))
    driver.advance(ENDED_CONTACT_KEPT_SECONDS)
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"))
    assert (driver.last("clock.met").contact_id, driver.last("clock.met").elapsed_seconds) == ("c1.r2", 10)


def test_an_old_answer_is_not_the_repeats() -> None:
    driver = reopened(61)
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"), response("c1", at=40))
    assert driver.types()[-1] == "clock.started"


def test_an_answer_by_a_clock_that_runs_ahead_is_the_repeats() -> None:
    driver = reopened(61)
    driver.receive(queued("c1.r2", at=90, reason="reopened", repeat_of="c1"), response("c1", at=100))
    assert (driver.last("clock.met").contact_id, driver.last("clock.met").elapsed_seconds) == ("c1.r2", 0)


def test_what_was_told_before_the_repeat_began_is_not_the_repeats() -> None:
    driver = SlaDriver(FIRST, opened(), queued()).at(20, response(at=100)).at(50, closed(at=50))
    driver.at(90, queued("c1.r2", at=90, reason="reopened", repeat_of="c1"))
    assert driver.types()[-1] == "clock.started"


def test_a_repeat_of_a_repeat() -> None:
    driver = reopened(61)
    driver.receive(queued("c1.r2", at=60, reason="reopened", repeat_of="c1"), closed("c1.r2", at=61))
    driver.receive(queued("c1.r3", at=62, reason="reopened", repeat_of="c1.r2"), response("c1", at=63))
    assert driver.last("clock.met").contact_id == "c1.r3"


def test_an_ended_contact_is_forgotten_after_a_while() -> None:
    driver = SlaDriver(FIRST, opened(), queued(), closed(at=0))
    driver.advance(ENDED_CONTACT_KEPT_SECONDS - 1)
    assert "contact|acme/main|c1" in driver.stored
    driver.advance(1)
    assert "contact|acme/main|c1" not in driver.stored
    assert driver.machine.core.next_due(driver.machine.state) is None


def test_timers_of_what_has_ended_are_not_kept_until_they_are_due() -> None:
    driver = SlaDriver(target(seconds=86_400), opened("a"), queued("a"))
    for name in (f"c{number}" for number in range(3 * STALE_TIMERS_MIN)):
        driver.receive(opened(name), queued(name), response(name), closed(name))
    driver.advance(ENDED_CONTACT_KEPT_SECONDS)
    assert list(driver.machine.state.scheduled) == ["contact|acme/main|a|first_response"]
    assert len(driver.machine.state.timers) <= STALE_TIMERS_MIN + 2


def test_facts_of_a_contact_that_is_never_queued_are_forgotten_too() -> None:
    driver = SlaDriver(FIRST, response("nobody", at=0))
    driver.advance(UNQUEUED_FACTS_KEPT_SECONDS)
    assert "contact|acme/main|nobody" not in driver.stored


def test_what_is_remembered_of_a_contact_is_bounded_and_keeps_the_first_and_the_last() -> None:
    driver = SlaDriver(FIRST, *(response(at=second) for second in range(100)))
    facts = driver.contact().facts
    assert len(facts) == FACTS_PER_CONTACT_MAX
    driver.advance(100)
    driver.receive(queued())
    assert driver.last("clock.met").elapsed_seconds == 0
    assert facts[-1].at == response(at=99).occurred_at


def test_exposure_is_reach_times_unanswered_time() -> None:
    from libs.common.events.contacts import ReachChanged
    from libs.common.events.values import Reach
    from tests.unit.sla.driver import KEY, seconds

    driver = SlaDriver(FIRST, opened(), queued(reach=1_000))
    driver.advance(10)
    driver.receive(ReachChanged(key=KEY, at=seconds(10), contact_id="c1", reach=Reach(views=5_000, followers=10)))
    driver.advance(10)
    driver.receive(response(at=14), response(at=18))
    assert driver.contact().exposure == (1_000 * 10 + 5_000 * 4) * 1_000_000
    assert not driver.contact().exposed


def test_a_long_conversation_is_followed_to_its_end() -> None:
    driver = SlaDriver(target(metric="resolution", seconds=100), opened(), queued())
    for second in range(1, 41):
        driver.receive(response(at=2 * second), message(at=2 * second + 1))
    driver.receive(response(at=90))
    assert driver.types().count("clock.resumed") == 40
    assert driver.types()[-1] == "clock.paused"


def test_a_contact_in_work_is_never_forgotten() -> None:
    driver = SlaDriver(FIRST, response(at=0), queued())
    driver.advance(3 * UNQUEUED_FACTS_KEPT_SECONDS)
    assert driver.contact().live
