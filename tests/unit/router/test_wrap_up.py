"""More time to wrap up, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import CompleteWrapUp, ExtendWrapUp
from tests.simulation.router.builders import accept, added, agent, close, make, opened, queue
from tests.simulation.router.driver import PoolDriver


def extend(seconds: int, agent_id: str = "ann", contact_id: str = "con_1") -> Any:
    return make(ExtendWrapUp, agent_id=agent_id, contact_id=contact_id, seconds=seconds)


def wrapping_up() -> PoolDriver:
    """Ann wraps up for 30 seconds."""
    pool = PoolDriver(queue(wrap_up_seconds=30), agent("ann"))
    pool.receive(opened(), accept("con_1.offer.1", "ann"), close("con_1", "ann"))
    return pool


def test_an_extension_moves_the_end() -> None:
    pool = wrapping_up()
    pool.advance(20)
    outcome = pool.run(extend(15))
    extended = pool.events("contact.wrap_up_extended")[0]
    assert (outcome.status, extended.extended_seconds, extended.until - pool.now) == (200, 15, 25_000_000)
    pool.advance(24)
    assert pool.contact().state == "wrap_up"
    pool.advance(1)
    assert pool.event_types()[-2:] == ["contact.wrap_up_ended", "contact.closed"]


@pytest.mark.parametrize(("rule", "before", "seconds", "status", "extendable"), [
    ("three times as long in all",           [],           60, 200, None),
    ("no longer",                            [],           61, 422, 60),
    ("extensions add up",                    [extend(40)], 20, 200, None),
    ("to no more than that",                 [extend(40)], 21, 422, 20),
    ("an extension lasts a second at least", [],           0,  422, 60),
])  # fmt: skip
def test_a_wrap_up_has_a_bound(
    rule: str, before: list[Any], seconds: int, status: int, extendable: int | None
) -> None:
    pool = wrapping_up()
    pool.receive(*before)
    outcome = pool.run(extend(seconds))
    assert (outcome.status, outcome.state.get("extendable_seconds")) == (status, extendable), rule


@pytest.mark.parametrize(("rule", "before", "command", "status"), [
    ("what is over isn't extended",       [make(CompleteWrapUp, agent_id="ann")], extend(10), 409),
    ("what the customer goes on with",    [added()],                              extend(10), 409),
    ("another's wrap-up",                 [*agent("bob")],                        extend(10, "bob"), 409),
    ("a contact that isn't there",        [],                                     extend(10, contact_id="con_9"), 404),
    ("an agent who isn't there",          [],                                     extend(10, "ghost"), 404),
])  # fmt: skip
def test_what_cannot_be_extended(rule: str, before: list[Any], command: Any, status: int) -> None:
    pool = wrapping_up()
    pool.receive(*before)
    assert pool.run(command).status == status, rule


def test_an_extension_outlives_a_restore() -> None:
    pool = wrapping_up()
    pool.receive(extend(40))
    pool.restore()
    assert pool.run(extend(21)).status == 422
    pool.advance(69)
    assert pool.contact().state == "wrap_up"
