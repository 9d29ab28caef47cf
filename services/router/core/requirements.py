"""Whether an agent's skills meet a requirement, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from msgspec.structs import replace

from libs.common.events.values import RelaxStep, Requirement, SkillNeed

Skills = Mapping[str, int]
PUBLIC: Requirement = Requirement(all=(SkillNeed(skill="public"),))
"""What a queue without a requirement of its own asks of whoever takes a public contact."""


def for_anybody(requirement: Requirement | None) -> Requirement | None:
    """The same for whoever it prefers: preference is no need."""
    if requirement is None or not requirement.prefer_agents:
        return requirement
    return replace(requirement, prefer_agents=())


def skills_of(requirement: Requirement | None) -> Requirement | None:
    """What it asks of an agent's skills, whoever the agent is."""
    if requirement is None or not (requirement.prefer_agents or requirement.exclude_agents):
        return requirement
    return replace(requirement, prefer_agents=(), exclude_agents=())


def speaking(requirement: Requirement, language: str | None, level: int) -> Requirement:
    """The same with the contact's language besides, `lang:pt` for `pt` and for `pt-BR`; at level 0 it isn't asked."""
    if language is None or not level:
        return requirement
    speaks = SkillNeed(skill=f"lang:{language.partition('-')[0]}", level=level)
    return replace(requirement, all=(*requirement.all, speaks))


def passed_at_once(relax: Sequence[RelaxStep]) -> int:
    """How many steps pass with the queueing: what is asked for before them says who goes first, not who can."""
    return sum(1 for _ in takewhile(lambda step: not step.after_seconds, relax))


def meets(skills: Skills, requirement: Requirement | None) -> bool:
    """Every skill of `all`, one of `any` when there are some, none of `none`."""
    if requirement is None:
        return True
    return (
        all(skills.get(need.skill, 0) >= need.level for need in requirement.all)
        and (not requirement.any or any(skills.get(need.skill, 0) >= need.level for need in requirement.any))
        and not any(skills.get(need.skill, 0) >= need.level for need in requirement.none)
    )


def lacks(skills: Skills, requirement: Requirement | None) -> tuple[str, ...]:
    """The skills that are missing or too weak, or excluded and there; ascending."""
    if requirement is None:
        return ()
    short = [need.skill for need in requirement.all if skills.get(need.skill, 0) < need.level]
    if requirement.any and not any(skills.get(need.skill, 0) >= need.level for need in requirement.any):
        short += [need.skill for need in requirement.any]
    short += [need.skill for need in requirement.none if skills.get(need.skill, 0) >= need.level]
    return tuple(sorted(short))


def why_not(skills: Skills, requirement: Requirement | None) -> str | None:
    """The first reason in words: `skill billing 2 < 3`; None when the requirement is met."""
    if requirement is None:
        return None
    for need in requirement.all:
        if skills.get(need.skill, 0) < need.level:
            return f"skill {need.skill} {skills.get(need.skill, 0)} < {need.level}"
    for need in requirement.none:
        if skills.get(need.skill, 0) >= need.level:
            return f"skill {need.skill} {skills[need.skill]} is excluded"
    return None if meets(skills, requirement) else "none of " + ", ".join(n.skill for n in requirement.any)


def skills_named(*requirements: Requirement | None) -> list[str]:
    """The skills that these name, each once, by name."""
    given = [one for one in requirements if one is not None]
    return sorted({need.skill for one in given for need in (*one.all, *one.any, *one.none)})
