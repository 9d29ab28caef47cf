"""A skill that is given up, or becomes another one."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.commands import DeleteSkill, PutAgent
from libs.common.events.values import Capacity, Requirement, SkillNeed
from services.router.core.skill_changes import renamed
from tests.simulation.router.builders import accept, agent, close, make, need, opened, queue, relax
from tests.simulation.router.driver import PoolDriver

ANN, BOB = agent("ann", "billing:3", "public"), agent("bob", "billing:2", "invoices:4")
ASKING = queue("care", order=1, requirement=need("billing:2"), relax=(relax(60, "billing"),))


def delete(skill: str = "billing", replace_by: str | None = None) -> Any:
    return make(DeleteSkill, skill=skill, replace_by=replace_by)


@pytest.mark.parametrize(("rule", "setup", "code", "uses"), [
    ("a queue asks for it",              [ANN, ASKING],                          "skill_in_use", (1, ["care"], 0)),
    ("only after relaxation",            [queue("q", relax=(relax(9, "billing"),))], "skill_in_use", (0, ["q"], 0)),
    ("a queue refuses who has it",       [queue("q", requirement=Requirement(none=need("billing").all))],
     "skill_in_use", (0, ["q"], 0)),
    ("a contact asks for it",            [ANN, (opened("con_1", "billing"),)],   "skill_in_use", (1, [], 1)),
    ("by the rules that it entered by",  [ASKING, (opened("con_1"),), queue("care")], "skill_in_use", (0, [], 1)),
    ("only agents have it",              [ANN, BOB],                             "ok",           (2, [], 0)),
    ("nobody knows it",                  [agent("cat", "tax")],                  "not_found",    None),
    ("it was used by who has gone",      [ANN, (opened("con_1", "billing"), accept("con_1.offer.1"), close("con_1"))],
     "ok", (1, [], 0)),
])  # fmt: skip
def test_given_up(rule: str, setup: list[Any], code: str, uses: tuple[int, list[str], int] | None) -> None:
    outcome = PoolDriver(*setup).run(delete())
    assert outcome.code == code, rule
    shown = tuple(outcome.state.get(name) for name in ("agents", "queues", "contacts"))
    assert shown == (uses or (None, None, None)), rule


def test_a_language_that_a_contact_needs_is_in_use() -> None:
    pool = PoolDriver(agent("ugo", "lang:it"), queue("care", order=1, language_skill=True))
    pool.receive(opened("con_1", language="it-CH"))
    assert pool.run(delete("lang:it")).code == "skill_in_use"


def test_a_step_that_waits_for_its_time_still_does() -> None:
    pool = PoolDriver(ANN, queue("care", order=1, relax=(relax(60, "billing", skip="never"),)))
    pool.receive(delete(replace_by="invoices"))
    assert pool.floor.queues["care"].relax == (relax(60, "invoices", skip="never"),)


def test_agents_lose_it() -> None:
    pool = PoolDriver(ANN)
    pool.receive(delete())
    assert pool.floor.desks["ann"].agent.skills == {"public": 1}


def test_another_one_takes_its_place() -> None:
    pool = PoolDriver(ANN, BOB, ASKING)
    assert pool.run(delete(replace_by="invoices")).state["replaced_by"] == "invoices"
    assert pool.floor.desks["ann"].agent.skills == {"public": 1, "invoices": 3}
    assert pool.floor.desks["bob"].agent.skills == {"invoices": 4}, "the higher level stays"
    care = pool.floor.queues["care"]
    assert (care.requirement, care.relax, care.version) == (need("invoices:2"), (relax(60, "invoices"),), 2)


def test_nothing_else_of_an_agent_changes() -> None:
    put = make(PutAgent, agent_id="ann", skills={"billing": 3}, capacity=Capacity(units=40), preferred_queues=("care",))
    pool = PoolDriver([put])
    pool.receive(delete(replace_by="invoices"))
    ann = pool.floor.desks["ann"].agent
    assert (ann.capacity.units, ann.preferred_queues, ann.version) == (40, ("care",), 2)


def test_who_waits_for_the_old_one_is_served() -> None:
    pool = PoolDriver(agent("ann", "billing:2", units=20), ASKING)
    pool.receive(opened("con_1"), opened("con_2", "billing"), delete(replace_by="invoices"))
    assert pool.floor.desks["ann"].agent.skills == {"billing": 2, "invoices": 2}
    pool.receive(accept("con_1.offer.1"), close("con_1"), accept("con_2.offer.1"), close("con_2"))
    assert pool.offers() == [("con_1", "ann"), ("con_2", "ann")]
    pool.receive(delete())
    assert pool.floor.desks["ann"].agent.skills == {"invoices": 2}


@pytest.mark.parametrize(("rule", "before", "after"), [
    ("the harder of two in all",     {"all": ("a:2", "b:4")},  {"all": ("b:4",)}),
    ("the easier of two in any",     {"any": ("a:2", "b:4")},  {"any": ("b:2",)}),
    ("the easier of two in none",    {"none": ("b:4", "a:5")}, {"none": ("b:4",)}),
    ("what isn't meant stays",       {"all": ("c:1", "a:2")},  {"all": ("c:1", "b:2")}),
])  # fmt: skip
def test_a_renamed_requirement(rule: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert renamed(requirement(before), "a", "b") == requirement(after), rule


def requirement(parts: dict[str, tuple[str, ...]]) -> Requirement:
    needs: dict[str, Any] = {part: tuple(one(text) for text in texts) for part, texts in parts.items()}
    return Requirement(**needs)


def one(text: str) -> SkillNeed:
    return SkillNeed(skill=text[0], level=int(text[2]))


@pytest.mark.parametrize(("rule", "setup", "other", "code"), [
    ("by itself",          [ANN],                                                "billing",  "invalid"),
    ("too many at once",   [agent(f"a{n}", "billing") for n in range(501)],      "invoices", "too_many_changes"),
])  # fmt: skip
def test_it_is_not_replaced(rule: str, setup: list[Any], other: str, code: str) -> None:
    pool = PoolDriver(*setup)
    updates = len(pool.events("agent.updated"))
    assert pool.run(delete(replace_by=other)).code == code, rule
    assert len(pool.events("agent.updated")) == updates
