"""Who is there, for how long, and what becomes of their work when they are not."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import DeleteAgent, PutAgent, RenewLeases
from tests.simulation.router.builders import accept, added, agent, close, make, opened, presence, queue, response
from tests.simulation.router.driver import PoolDriver


def at_work(channel: str = "email", *more: Any) -> PoolDriver:
    """Ann holds a contact; her lease lasts a minute."""
    pool = PoolDriver(agent("ann"), *more)
    pool.receive(presence("ann", lease=60), opened(channel=channel), accept("con_1.offer.1", "ann"))
    return pool


@pytest.mark.parametrize("status", ["away", "busy", "offline"])
def test_who_is_not_available_loses_the_offer_and_gets_none(status: str) -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(opened(), presence("ann", status), opened("con_2"))
    assert pool.event_types() == ["contact.queued", "contact.offered", "offer.withdrawn", "contact.queued"]
    assert pool.events("agent.presence_changed")[-1].status == status


def test_a_withdrawn_offer_goes_to_the_next() -> None:
    pool = PoolDriver(agent("ann"), agent("bob"))
    pool.receive(opened(), presence("ann", "away"))
    assert pool.offers() == [("con_1", "ann"), ("con_1", "bob")]
    assert pool.contact().bounces == 0


def test_who_comes_gets_what_waits() -> None:
    pool = PoolDriver(agent("ann")[:1])
    pool.receive(opened(), presence("ann"))
    assert pool.offers() == [("con_1", "ann")]


def test_the_same_presence_again_only_renews_the_lease() -> None:
    pool = PoolDriver(agent("ann"))
    assert pool.receive(presence("ann", lease=30)) == []
    assert pool.floor.desks["ann"].agent.lease_until == pool.now + 30_000_000


def test_a_lease_ends() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(presence("ann", lease=60), opened(offer := "con_1"))
    pool.advance(60)
    changed = pool.events("agent.presence_changed")[-1]
    assert (changed.status, changed.reason) == ("offline", "lease_ended")
    assert pool.contact(offer).state == "waiting"


def test_heartbeats_keep_the_lease() -> None:
    pool = at_work()
    pool.advance(50)
    outcome = pool.run(make(RenewLeases, key="acme/*", leases={"ann": 60, "ghost": 60}))
    assert outcome.state == {"renewed": 1, "ended": ["ghost"]}
    pool.advance(59)
    assert len(pool.events("agent.presence_changed")) == 1
    pool.advance(1)
    assert pool.events("agent.presence_changed")[1].reason == "lease_ended"


def test_a_heartbeat_brings_nobody_back() -> None:
    pool = at_work()
    pool.advance(60)
    assert pool.run(make(RenewLeases, leases={"ann": 60})).state == {"renewed": 0, "ended": ["ann"]}


def test_unanswered_work_is_released_a_minute_after_the_lease() -> None:
    pool = at_work()
    since = pool.contact().waiting_since
    pool.advance(119)
    assert pool.contact().state == "assigned"
    pool.advance(1)
    assert pool.event_types()[-2:] == ["contact.released", "contact.queued"]
    queued = pool.events("contact.queued")[-1]
    assert (queued.reason, queued.waiting_since, pool.contact().agent_id) == ("released", since, None)


def test_who_comes_back_in_time_keeps_the_work() -> None:
    pool = at_work()
    pool.advance(100)
    pool.receive(presence("ann"))
    pool.advance(600)
    assert pool.contact().agent_id == "ann"


@pytest.mark.parametrize(("rule", "channel", "before", "state"), [
    ("who is connected in a call was answered",    "voice", [],           "assigned"),
    ("who was greeted in a chat was answered",     "chat",  [response()], "assigned"),
    ("being taken is no answer to who chats",      "chat",  [],           "waiting"),
])  # fmt: skip
def test_whose_work_stays_with_who_vanished(rule: str, channel: str, before: list[Any], state: str) -> None:
    pool = at_work(channel)
    pool.receive(*before)
    pool.advance(600)
    assert pool.contact().state == state, rule


def test_who_writes_in_a_chat_to_who_vanished_is_given_to_somebody_else() -> None:
    pool = at_work("chat", agent("bob")[:1])
    pool.receive(response())
    pool.advance(600)
    pool.receive(presence("bob"), added(channel="chat", occurred_at=pool.now))
    assert pool.offers()[-1] == ("con_1", "bob")


def test_going_offline_again_wins_no_time() -> None:
    pool = at_work()
    for reason in ("lunch", "network", "lunch"):
        pool.receive(presence("ann", "offline", reason=reason))
        pool.advance(25)
    assert pool.contact().state == "waiting"


def test_a_chat_goes_on_when_its_agent_is_deleted_and_a_call_ends() -> None:
    for channel, left in (("chat", ["con_1"]), ("voice", [])):
        pool = at_work(channel)
        pool.receive(response(), make(DeleteAgent, agent_id="ann"))
        assert list(pool.floor.contacts) == left


def test_heartbeats_leave_nothing_behind() -> None:
    pool = PoolDriver(agent("ann"))
    for _ in range(500):
        pool.advance(1)
        pool.receive(make(RenewLeases, leases={"ann": 86_400}))
    assert len(pool.state.timers) == 1


def test_an_answered_letter_stays() -> None:
    pool = at_work()
    pool.receive(response())
    pool.advance(600)
    assert pool.contact().state == "assigned"


def test_presence_of_nobody_is_refused() -> None:
    pool = PoolDriver()
    assert pool.run(presence("ghost")).status == 404


@pytest.mark.parametrize("lease", [0, 31 * 86_400 + 1])
def test_a_lease_has_bounds(lease: int) -> None:
    assert PoolDriver(agent("ann")).run(presence("ann", lease=lease)).status == 422


def test_a_deleted_agents_work_goes_on_without_them() -> None:
    pool = at_work("email", agent("bob"))
    assert pool.run(make(DeleteAgent, agent_id="ann")).status == 200
    assert pool.contact().offer_agent == "bob"
    assert pool.run(make(DeleteAgent, agent_id="ann")).status == 404
    assert pool.run(presence("ann")).status == 404


def test_an_agent_who_is_put_again_goes_on_with_their_number() -> None:
    pool = PoolDriver(agent("ann"))
    pool.receive(make(DeleteAgent, agent_id="ann"), make(PutAgent, agent_id="ann", skills={}))
    numbers = [one.sequence for one in pool.emitted if one.event.subject == "ann"]
    assert numbers == [1, 2, 3, 4]


def test_wrap_up_holds_capacity_until_it_ends() -> None:
    pool = PoolDriver(queue(wrap_up_seconds=30), agent("ann", units=20))
    pool.receive(opened(), opened("con_2"), accept("con_1.offer.1", "ann"), close("con_1", "ann"))
    assert pool.contact().state == "wrap_up"
    assert len(pool.offers()) == 1
    pool.advance(30)
    assert pool.event_types()[-3:] == ["contact.wrap_up_ended", "contact.closed", "contact.offered"]
