"""Long histories from a seed, in which every rule gets its turn: a full house, a line that grows, time that passes."""

from __future__ import annotations

from random import Random
from typing import Any

from libs.common.events.values import RelaxStep, Requirement, SkillNeed
from tests.simulation.router.plain import TARGETS

AGENTS = ("ann", "bob", "cat", "dan")
SKILLS = ("billing", "tech", "public")
ACTIONS = 100
RECENT = 12
"""How far back an answer goes."""
PACES = (6, 1, 2, 3, 12), (10, 1, 1, 3, 9)
"""How often who opens, changes, comes or goes, waits and answers: somebody is free, or a line grows."""
ANSWERS = ("accept", "accept", "accept", "decline", "close", "release", "release")

ANYBODY = Requirement()
EASY = tuple(Requirement(all=(SkillNeed(skill=one, level=1),)) for one in SKILLS)
HARD = tuple(Requirement(all=(SkillNeed(skill=one, level=3),)) for one in SKILLS)

Action = tuple[str, Any]
History = tuple[dict[str, Any], list[Action]]


def lively(seed: int) -> History:
    random = Random(seed)
    staff = [("agent", agent(random, one)) for one in AGENTS]
    there = [("presence", (one, "available")) for one in AGENTS]
    script: list[Action] = [*staff, *there]
    pace = random.choice(PACES)
    channels = random.sample(sorted(TARGETS), random.randint(1, len(TARGETS)))  # With few, ages decide.
    opened = 0
    while len(script) < ACTIONS:
        name = random.choices(("open", "agent", "presence", "wait", "answer"), weights=pace)[0]
        opened += name == "open"
        script.append(action(random, name, opened, channels))
    return queue(random), script


def queue(random: Random) -> dict[str, Any]:
    steps = random.choice([(), (random.choice(EASY), ANYBODY)])
    return {
        "requirement": random.choice([ANYBODY, *EASY, *HARD] if steps else [ANYBODY, *EASY]),
        "offers_max": random.randint(2, 4), "offer_seconds": random.choice([5, 20, 300]),
        "last_agent_seconds": random.choice([0, 45]),
        "relax": tuple(RelaxStep(after_seconds=30 * n, requirement=one) for n, one in enumerate(steps, 1)),
    }  # fmt: skip


def agent(random: Random, name: str) -> tuple[str, dict[str, int], dict[str, Any]]:
    some = {one: random.randint(1, 3) for one in SKILLS if random.random() < 0.7}
    skills = random.choice([dict.fromkeys(SKILLS, 3), some])  # Whoever is alike is told apart by the last rules only.
    most: dict[str, int] = random.choice([{}, {}, {"voice": 1}, {"email": 1, "live": 2}])
    return name, skills, {"units": random.choice([20, 40, 120, 160]), "max": most}


def contact(random: Random, channels: list[str]) -> dict[str, Any]:
    return {
        "channel": random.choice(channels), "reach": random.choice([0, 10, 2_000, 50_000]),
        "sentiment": random.choice([0.0, -1.0, 0.5]), "tier": random.choice(["standard", "silver", "gold"]),
        "strikes": random.randint(0, 3), "last_agent": random.choice([None, None, *AGENTS]),
        "requirement": random.choice([None, None, *EASY, random.choice(HARD)]),
    }  # fmt: skip


def action(random: Random, name: str, opened: int, channels: list[str]) -> Action:
    match name:
        case "open":
            return name, (f"con_{opened}", contact(random, channels))
        case "agent":
            return name, agent(random, random.choice(AGENTS))
        case "presence":
            return name, (random.choice(AGENTS), random.choice(["available", "available", "away"]))
        case "wait":
            return name, random.choice([1, 5, 17, 30, 120])
        case _:
            return random.choice(ANSWERS), f"con_{random.randint(max(1, opened - RECENT), max(1, opened))}"
