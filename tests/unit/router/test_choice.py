"""Which agent gets an arriving contact, rule by rule in their order."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.values import Match
from tests.simulation.router.builders import accept, agent, close, need, opened, presence, queue, relax
from tests.simulation.router.driver import PoolDriver


def busy_with(pool: PoolDriver, contact_id: str, agent_id: str, channel: str) -> None:
    """This agent, and no other, holds a contact of this channel."""
    others = [one for one in sorted(pool.floor.desks) if one != agent_id]
    pool.receive(*(presence(one, "away") for one in others))
    pool.receive(opened(contact_id, channel=channel))
    pool.receive(accept(f"{contact_id}.offer.1", agent_id))
    assert pool.contact(contact_id).agent_id == agent_id
    pool.receive(*(presence(one) for one in others))


def chosen(pool: PoolDriver, *needs: str, **fields: Any) -> str | None:
    pool.receive(opened("con_new", *needs, **fields))
    return pool.contact("con_new").offer_agent


ANN, BOB, CAT = agent("ann", "billing"), agent("bob", "billing"), agent("cat", "billing", "vip")


@pytest.mark.parametrize(("rule", "agents", "needs", "expected"), [
    ("equals go to the lower id",              [BOB, ANN],                        ["billing"],         "ann"),
    ("every skill is needed",                  [ANN, CAT],                        ["billing", "vip"],  "cat"),
    ("the level is needed",                    [ANN, agent("dan", "billing:4")],  ["billing:3"],       "dan"),
    ("nobody has the skill",                   [ANN, BOB],                        ["tax"],             None),
    ("full agents are passed",                 [agent("ann", "billing", units=10), BOB], ["billing"],  "bob"),
    ("a maximum of none takes none",           [agent("ann", "billing", max={"email": 0}), BOB], ["billing"], "bob"),
    ("a channel's own cost counts",            [agent("ann", "billing", cost={"email": 121}), BOB], ["billing"], "bob"),
    ("nobody is there",                        [ANN, [presence("ann", "busy")]],  ["billing"],         None),
])  # fmt: skip
def test_who_can(rule: str, agents: list[Any], needs: list[str], expected: str | None) -> None:
    assert chosen(PoolDriver(*agents), *needs) == expected, rule


def test_the_wanted_proficiency_goes_before_what_is_left_of_it() -> None:
    """Everybody has let it expire: the next round begins with who meets the first requirement."""
    rules = queue(requirement=need("billing:3"), relax=(relax(10, "billing"),))
    pool = PoolDriver(rules, agent("ann", "billing"), agent("zoe", "billing:5"))
    pool.receive(opened("con_new"))
    pool.advance(40)
    assert [agent_id for _, agent_id in pool.offers()] == ["zoe", "ann", "zoe"]
    assert [one.asked_again for one in pool.events("contact.offered")] == [False, False, True]


def test_regret_keeps_who_is_wanted_elsewhere() -> None:
    """Ann could serve the late billing contact that waits; Bob could not: he takes what both can do."""
    pool = PoolDriver(agent("ann", "tech", "billing", max={"email": 0}), agent("bob", "tech"))
    pool.receive(opened("con_late", "billing", channel="email"))
    pool.advance(20_000)
    assert chosen(pool, "tech", channel="x", visibility="private") == "bob"


def test_being_free_for_a_call_has_a_price() -> None:
    """Ann has a chat and Bob is free: Bob is kept for calls, in a pool that gets any."""
    pool = PoolDriver(agent("ann", "billing"), agent("bob", "billing"))
    busy_with(pool, "con_chat", "ann", "chat")
    pool.advance(1)
    assert chosen(pool, channel="email") == "bob", "without calls the least load wins"
    pool = PoolDriver(agent("ann", "billing"), agent("bob", "billing"))
    busy_with(pool, "con_call", "bob", "voice")
    pool.receive(close("con_call"))
    busy_with(pool, "con_chat", "ann", "chat")
    assert chosen(pool, channel="email") == "ann", "with calls who is ready for one is kept"


@pytest.mark.parametrize(("rule", "channel", "ann_has", "bob_has", "expected"), [
    ("a chat goes where most chats are",        "chat",  ["chat"],           ["email"],  "ann"),
    ("of equals, where least may be paused",    "chat",  ["email", "email"], ["email"],  "bob"),
    ("the chats count before what pauses",      "chat",  ["chat", "email"],  [],         "ann"),
    ("an email goes to the least load",         "email", ["chat"],           ["email"],  "bob"),
])  # fmt: skip
def test_work_held(rule: str, channel: str, ann_has: list[str], bob_has: list[str], expected: str) -> None:
    pool = PoolDriver(agent("ann", "billing"), agent("bob", "billing"))
    for agent_id, has in (("ann", ann_has), ("bob", bob_has)):
        for number, one in enumerate(has):
            busy_with(pool, f"con_{agent_id}_{number}", agent_id, one)
    assert chosen(pool, channel=channel) == expected, rule


def test_a_call_goes_to_the_least_interruptible_work() -> None:
    costs: dict[str, Any] = {"units": 200, "cost": {"voice": 100, "live": 40, "async": 20}}
    pool = PoolDriver(agent("ann", "billing", **costs), agent("bob", "billing", **costs))
    busy_with(pool, "con_a", "ann", "email")
    busy_with(pool, "con_b", "bob", "chat")
    assert chosen(pool, channel="voice") == "bob"


def test_the_versatile_are_kept_free() -> None:
    rules = queue("it", match=Match(language="it"), requirement=need("lang:it"))
    pool = PoolDriver(rules, agent("ann", "billing", "lang:it"), agent("bob", "billing"))
    pool.receive(opened("con_it", language="it"), accept("con_it.offer.1"), close("con_it"))
    pool.receive(opened("con_1", "billing"), accept("con_1.offer.1"))
    assert [agent_id for _, agent_id in pool.offers()] == ["ann", "bob"]


def test_who_is_wanted_and_not_waited_for_is_as_versatile_as_who_can_do_it() -> None:
    """A step that passes at once says who goes first. Ann can do both languages, so Bob is spent before her."""

    def speaking(language: str) -> Any:
        rules = {"requirement": need(f"lang:{language}:4"), "relax": (relax(0, f"lang:{language}"),)}
        return queue(language, match=Match(language=language), **rules)

    pool = PoolDriver(speaking("it"), speaking("de"), agent("ann", "lang:it:5", "lang:de:2"), agent("bob", "lang:it:5"))
    pool.receive(opened("con_de", language="de"), accept("con_de.offer.1"), close("con_de"))
    pool.advance(1)
    pool.receive(presence("ann", "away"), opened("con_it", language="it"), accept("con_it.offer.1", "bob"))
    pool.receive(close("con_it"), presence("ann"))
    assert chosen(pool, language="it") == "bob", "though Ann's last assignment is longer ago"


def test_longest_since_the_last_assignment() -> None:
    pool = PoolDriver(agent("ann", "billing"), agent("bob", "billing"))
    for number, expected in enumerate(["ann", "bob", "ann", "bob"]):
        contact_id = f"con_{number}"
        pool.receive(opened(contact_id), accept(f"{contact_id}.offer.1"))
        assert pool.contact(contact_id).agent_id == expected
        pool.receive(close(contact_id))
        pool.advance(1)


def test_the_event_names_runners_up_and_who_was_passed_over() -> None:
    away = (agent("dan", "billing")[0],)
    pool = PoolDriver(ANN, CAT, agent("eve", "tax"), away, agent("fay", "billing", units=10))
    pool.receive(opened("con_new", "billing"))
    offered = pool.events("contact.offered")[0]
    assert (offered.agent_id, offered.runners_up) == ("ann", ("cat",))
    assert offered.passed_over == {"skill": 1, "not_available": 1, "at_capacity": 1}
