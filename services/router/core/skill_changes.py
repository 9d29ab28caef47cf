"""A skill is given up, or becomes another one: wherever it is asked for, and in everybody who has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.structs import replace

from libs.common.events.commands import DeleteSkill
from libs.common.events.routing import AgentUpdated
from libs.common.events.values import Requirement, SkillNeed
from services.router.core.floor import Floor
from services.router.core.limits import CHANGED_AT_ONCE_MAX
from services.router.core.outcomes import Events, done, refused
from services.router.core.queue_changes import changed
from services.router.core.requirements import skills_named, speaking
from services.router.core.state import Agent, Queue, Rules

CONFIGURED: Final = tuple(
    name for name in AgentUpdated.__struct_fields__ if name in Agent.__slots__ and name != "deleted"
)
"""What a version of an agent says: the fields that the entity and its event have in common."""


def on_delete_skill(floor: Floor, delete: DeleteSkill, now: int) -> Events:
    """Refused while a queue or an open contact asks for it and nothing replaces it.

    Contacts are pinned to what they entered by: as long as one asks for the old skill, agents keep it beside the new.
    """
    agents, queues = having(floor, delete.skill), asking(floor, delete.skill)
    contacts = waiting_for(floor, delete.skill)
    uses: dict[str, Any] = {"agents": len(agents), "queues": [one.id for one in queues], "contacts": contacts}
    state = {"skill": delete.skill, **uses}
    if not any(uses.values()):
        return refused(delete, now, 404, "not_found")
    if delete.replace_by == delete.skill:
        return refused(delete, now, 422, "invalid", state)
    if delete.replace_by is None and (queues or contacts):
        return refused(delete, now, 409, "skill_in_use", state)
    if len(agents) + len(queues) > CHANGED_AT_ONCE_MAX:
        return refused(delete, now, 409, "too_many_changes", state | {"changes_max": CHANGED_AT_ONCE_MAX})
    return (
        *(changed(floor, asking_for(one, delete.skill, delete.replace_by or ""), now) for one in queues),
        *(retrained(floor, one, delete, now, keeps=contacts > 0) for one in agents),
        done(delete, now, state | {"replaced_by": delete.replace_by}),
    )


def having(floor: Floor, skill: str) -> list[Agent]:
    agents = (desk.agent for _, desk in sorted(floor.desks.items()))
    return [agent for agent in agents if not agent.deleted and skill in agent.skills]


def asking(floor: Floor, skill: str) -> list[Queue]:
    """Queues that ask for it, or refuse it, at first or after relaxation."""
    queues = (queue for _, queue in sorted(floor.queues.items()) if not queue.deleted)
    return [one for one in queues if skill in asked_by(one)]


def asked_by(queue: Queue) -> list[str]:
    """The skills that a queue asks for or refuses; the language of whoever writes is its contacts' to ask for."""
    return skills_named(queue.requirement, *(step.requirement for step in queue.relax))


def waiting_for(floor: Floor, skill: str) -> int:
    """How many open contacts ask for it themselves or by the rules that they entered by."""
    return sum(skill in needed_by(one.own, one.rules, one.language) for one in floor.contacts.values())


def needed_by(own: Requirement | None, rules: Rules, language: str | None) -> list[str]:
    """The skills that a contact asks for or refuses, now or after relaxation, its language included."""
    spoken = speaking(rules.requirement, language, rules.language_level)
    return skills_named(own, spoken, *(step.requirement for step in rules.relax))


def asking_for(queue: Queue, skill: str, other: str) -> Queue:
    """The same queue with the other skill in the place of this one."""
    requirement = None if queue.requirement is None else renamed(queue.requirement, skill, other)
    steps = (replace(step, requirement=renamed(step.requirement, skill, other)) for step in queue.relax)
    return replace(queue, requirement=requirement, relax=tuple(steps))


def renamed(requirement: Requirement, skill: str, other: str) -> Requirement:
    """Where the other one stood already, the harder of two needs counts in `all`, the easier in `any` and `none`."""
    return replace(
        requirement,
        all=needs(requirement.all, skill, other, max),
        any=needs(requirement.any, skill, other, min),
        none=needs(requirement.none, skill, other, min),
    )


def needs(
    given: Iterable[SkillNeed], skill: str, other: str, of_two: Callable[[int, int], int]
) -> tuple[SkillNeed, ...]:
    levels: dict[str, int] = {}
    for need in given:
        name = other if need.skill == skill else need.skill
        levels[name] = of_two(levels.get(name, need.level), need.level)
    return tuple(SkillNeed(skill=name, level=level) for name, level in levels.items())


def retrained(floor: Floor, agent: Agent, delete: DeleteSkill, now: int, *, keeps: bool) -> AgentUpdated:
    """The agent with the other skill at the same level, or the higher one that they had."""
    skills = {name: level for name, level in agent.skills.items() if keeps or name != delete.skill}
    if delete.replace_by is not None:
        skills[delete.replace_by] = max(agent.skills[delete.skill], skills.get(delete.replace_by, 0))
    configured = {name: getattr(agent, name) for name in CONFIGURED} | {"skills": skills}
    return AgentUpdated(key=floor.key, at=now, agent_id=agent.id, config_version=agent.version + 1, **configured)
