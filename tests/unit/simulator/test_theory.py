"""The product's core, played, agrees with what queueing theory says: within 95 % intervals over seeds."""

from __future__ import annotations

import pytest

from libs.common.events import Event
from libs.common.events.routing import ContactOffered
from services.router.core.core import RouterCore
from services.router.core.partition import Partition
from services.simulator import theory
from services.simulator.core_router import CoreRouter
from services.simulator.metrics import Estimate, estimates, measure
from services.simulator.play import Play
from services.simulator.policies import Policy
from services.simulator.runs import simulate
from services.simulator.scenarios import Group, ManyServers, Scenario, SkillBased
from services.simulator.textbook import HOUR, call_channel, many_servers, skill_based, skills_of
from services.simulator.worlds import draw

DAY = 24 * HOUR
PATIENT = ManyServers(c=10, lam_h=170, mean_s=180)
IMPATIENT = ManyServers(c=30, lam_h=660, mean_s=180, patience_s=180)
CENTRE = SkillBased(C=90, K=30, types=6, mean_min=10, loads=(84.0,), skills=(2, 6))


@pytest.mark.parametrize(("what", "computed", "published"), [
    ("Erlang B, 10 erlangs and 15 lines",        theory.erlang_b(10, 15),               0.0365),
    ("Erlang C, 8 erlangs and 10 agents",        theory.erlang_c(8, 10),                0.4092),
    ("M/M/1 waits ρ/(μ−λ)",                      theory.wait_in_mmc(0.5, 1, 1),         1.0),
    ("without patience to speak of, Erlang B",   theory.erlang_a(10, 1, 1e-9, 15)[0],   theory.erlang_b(10, 15)),
    ("with patience without end, Erlang C",      theory.erlang_a(8, 1, 1e9, 10).wait,   theory.wait_in_mmc(8, 1, 10)),
    ("without room to wait, Erlang B",           theory.blocked_in_mmck(10, 15, 0),     theory.erlang_b(10, 15)),
    ("Wallace and Whitt's exact pooled system",  theory.blocked_in_mmck(84, 90, 30),    0.0036),
    ("equal slopes: first come, first served",
        theory.accumulating_waits([0.2, 0.3], [1, 1], 1, 1)[1],                         theory.wait_in_mmc(0.5, 1, 1)),
    ("one slope of nothing: Cobham's priority",
        theory.accumulating_waits([0.2, 0.3], [1, 0], 1, 1)[0],                         0.5 / (1 - 0.2)),
])  # fmt: skip
def test_the_formulas_are_the_published_ones(what: str, computed: float, published: float) -> None:
    assert computed == pytest.approx(published, rel=0.015), what


def agrees(estimate: Estimate, exact: float) -> bool:
    assert estimate.ci95 is not None
    return abs(estimate.mean - exact) <= estimate.ci95


def played(scenario: Scenario, seeds: int) -> dict[str, Estimate]:
    return simulate({scenario.name: scenario}, [Policy("default")], range(1, seeds + 1)).results[0].metrics


@pytest.mark.slow
def test_calls_wait_as_erlang_c_says() -> None:
    metrics = played(many_servers(PATIENT, DAY / 2), seeds=8)
    assert agrees(metrics["wait_mean_s.voice"], theory.wait_in_mmc(170 / HOUR, 180, 10))
    assert agrees(metrics["occupancy"], 170 / HOUR * 180 / 10)


@pytest.mark.slow
def test_impatient_callers_leave_and_wait_as_erlang_a_says() -> None:
    metrics, exact = played(many_servers(IMPATIENT, DAY / 3), seeds=6), theory.erlang_a(660 / HOUR, 180, 180, 30)
    assert agrees(metrics["abandoned"], exact.abandoned)
    assert agrees(metrics["wait_mean_s.voice"], exact.wait)


class MainLaneAlone(RouterCore):
    """Nobody ever has a whole credit: the ageing lane never chooses."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if isinstance(event, ContactOffered):
            state.floor(event.key).desks[event.agent_id].agent.ageing_credit = 0


def two_classes(per_hour: float, targets: tuple[int, ...], horizon_s: float) -> Scenario:
    """Three agents, calls of five minutes, and promises so short that whoever waits is late."""
    channels = tuple(call_channel(f"class-{one}", per_hour, 300, horizon_s, target=one) for one in targets)
    agents = (Group(n=3, channels=tuple(channel.name for channel in channels)),)
    return Scenario(name="classes", horizon_s=horizon_s, warm_up_s=HOUR, channels=channels, agents=agents)


@pytest.mark.slow
def test_late_contacts_accumulate_priority_as_kleinrock_says() -> None:
    worlds = [draw(two_classes(15.0, (1, 3), 4 * DAY), seed) for seed in range(1, 9)]
    blind = {"reach": 0, "sentiment": 0, "tier": 0, "strikes": 0}
    measured = [measure(Play(one, CoreRouter(one, blind, MainLaneAlone())).run()) for one in worlds]
    found = estimates(measured)
    exact = theory.accumulating_waits([15 / HOUR, 15 / HOUR], [1, 1 / 3], 300, 3)
    assert exact[0] < exact[1] / 1.5
    assert agrees(found["wait_mean_s.class-1"], exact[0])
    assert agrees(found["wait_mean_s.class-3"], exact[1])


@pytest.mark.slow
def test_two_skills_an_agent_are_almost_as_good_as_all() -> None:
    """Wallace and Whitt: 0.46 % turned away with two skills, 0.40 % with all six, 0.36 % exactly."""
    two = played(skill_based(CENTRE, 84.0, 2, DAY / 2), seeds=5)["turned_away"]
    six = played(skill_based(CENTRE, 84.0, 6, DAY / 2), seeds=5)["turned_away"]
    assert agrees(two, 0.0046)
    assert agrees(six, theory.blocked_in_mmck(84, 90, 30))
    assert two.mean < 1.5 * six.mean


def test_of_two_skills_every_pair_is_as_frequent() -> None:
    pairs = [skills_of(agent, 6, 2) for agent in range(90)]
    assert {pairs.count(pair) for pair in pairs} == {90 // 15}


@pytest.mark.parametrize("skills", [1, 2, 3, 6])
def test_every_type_has_as_many_agents(skills: int) -> None:
    held = [skill for agent in range(90) for skill in skills_of(agent, 6, skills)]
    assert [held.count(one) for one in range(6)] == [15 * skills] * 6
