"""Systems whose answers are known, as worlds: M/M/c, M/M/c+M, and the call centre of Wallace and Whitt (2005).

They stand beside `scenarios` in a scenario file, as `mmc` and `wallace_whitt`, and are played when they are named:
`mmc-10` is the system of ten agents, `wallace_whitt-84-2` the load of 84 with two skills an agent.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

from services.simulator.scenarios import UNITS, Channel, Group, ManyServers, Scenario, ScenarioFile, SkillBased

HOUR: Final = 3_600
DAYS: Final = 5
HORIZON_SECONDS: Final = DAYS * 24 * HOUR
WARM_UP_SECONDS: Final = 2 * HOUR
CALL_TARGET_SECONDS: Final = 20


def textbook(read: ScenarioFile) -> dict[str, Scenario]:
    """The systems that the file describes, by name."""
    known = {f"mmc-{system.c}": many_servers(system) for system in read.mmc}
    centre = read.wallace_whitt
    if centre is not None:
        known |= {
            f"wallace_whitt-{load:g}-{skills}": skill_based(centre, load, skills)
            for load in centre.loads
            for skills in centre.skills
        }
    return known


def many_servers(system: ManyServers, horizon_s: float = HORIZON_SECONDS) -> Scenario:
    call = call_channel("voice", system.lam_h, system.mean_s, horizon_s, system.patience_s)
    return Scenario(
        name=f"mmc-{system.c}", horizon_s=horizon_s, warm_up_s=WARM_UP_SECONDS, channels=(call,),
        agents=(Group(n=system.c, channels=("voice",)),),
    )  # fmt: skip


def skill_based(centre: SkillBased, load: float, skills: int, horizon_s: float = HORIZON_SECONDS) -> Scenario:
    """Every type has the same share of the load (in agents kept busy), and of every combination of skills."""
    seconds = centre.mean_min * 60
    each = load / centre.types * HOUR / seconds
    types = [f"type-{one}" for one in range(centre.types)]
    return Scenario(
        name=f"wallace_whitt-{load:g}-{skills}", horizon_s=horizon_s, warm_up_s=WARM_UP_SECONDS,
        waiting_room=centre.K,
        channels=tuple(call_channel(name, each, seconds, horizon_s) for name in types),
        agents=tuple(
            Group(n=1, channels=tuple(types[one] for one in skills_of(agent, centre.types, skills)))
            for agent in range(centre.C)
        ),
    )  # fmt: skip


def skills_of(agent: int, types: int, skills: int) -> tuple[int, ...]:
    """The agent's first skill, and the next combination of others counted from there: no type is better off."""
    first, turn = agent % types, agent // types
    offsets = list(combinations(range(1, types), skills - 1))
    return tuple(sorted((first + offset) % types for offset in (0, *offsets[turn % len(offsets)])))


def call_channel(
    name: str, per_hour: float, mean_s: float, horizon_s: float, patience_s: float | None = None,
    target: int = CALL_TARGET_SECONDS,
) -> Channel:  # fmt: skip
    return Channel(
        name=name, T=target, units=UNITS, mean_s=mean_s, patience_s=patience_s, dist="exp",
        profile=((0, horizon_s, per_hour),),
    )  # fmt: skip
