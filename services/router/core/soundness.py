"""Whether what is asked for can be kept: within its bounds, and not at odds with itself.

The API says it more kindly, field by field; here is what holds whoever wrote the command.
"""

from __future__ import annotations

from libs.common.events.commands import PutAgent
from libs.common.events.values import Capacity, Overflow, QueueRules, RelaxStep, Requirement
from services.router.core.interruption import is_sound as is_sound_interruption
from services.router.core.limits import (
    GROUP_MAX,
    LENGTH_MAX,
    LEVEL_MAX,
    MISSED_OFFERS_MAX,
    OFFER_SECONDS_MAX,
    OFFERS_MAX,
    OPEN_INTERVALS_MAX,
    OVERFLOW_SECONDS_MAX,
    PARALLEL_OFFERS_MAX,
    PREFERRED_QUEUES_MAX,
    WAIT_OVER_SECONDS_MAX,
    WRAP_UP_SECONDS_MAX,
)
from services.router.core.predicates import flaws
from services.router.core.requirements import skills_of


def is_sound_queue(queue_id: str, rules: QueueRules) -> bool:
    lasting = (rules.offer_seconds, *rules.offer_seconds_by_medium.values())
    return (
        all(1 <= seconds <= OFFER_SECONDS_MAX for seconds in lasting)
        and 1 <= rules.parallel_offers <= PARALLEL_OFFERS_MAX
        and 1 <= rules.offers_max <= OFFERS_MAX
        and 0 <= rules.wrap_up_seconds <= WRAP_UP_SECONDS_MAX
        and rules.last_agent_seconds >= 0
        and rules.fallback_queue != queue_id
        and 2 <= rules.group_max <= GROUP_MAX
        and not (rules.group_by_incident and rules.parallel_offers > 1)
        and 1 <= rules.language_level <= LEVEL_MAX
        and rules.match.queue is None
        and (rules.requirement is None or is_sound_requirement(rules.requirement))
        and all(is_sound_step(step) for step in rules.relax)
        and is_sound_admission(queue_id, rules)
    )


def is_sound_step(step: RelaxStep) -> bool:
    """What insists on its time has no other occasion."""
    return (
        step.after_seconds >= 0
        and is_sound_bound(step.wait_over_seconds)
        and not (step.skip == "never" and step.wait_over_seconds is not None)
        and is_sound_requirement(step.requirement)
    )


def is_sound_admission(queue_id: str, rules: QueueRules) -> bool:
    """Whether what decides about coming in can be kept: the rule, the hours, the length, the overflow."""
    overflow = rules.overflow
    return (
        (rules.when is None or not flaws(rules.when))
        and (rules.hours is None or is_sound_table(rules.hours.open))
        and (rules.closed == "wait" or rules.hours is not None)
        and (rules.closed != "overflow" or overflow is not None)
        and (rules.max_length is None or 1 <= rules.max_length <= LENGTH_MAX)
        and (overflow is None or (overflow.queue != queue_id and is_sound_overflow(overflow, rules)))
    )


def is_sound_overflow(overflow: Overflow, rules: QueueRules) -> bool:
    """Whether there is an occasion for it, and each is within its bounds."""
    after, longer, wait = overflow.after_seconds, overflow.longer_than, overflow.wait_over_seconds
    occasions = any(one is not None for one in (after, longer, wait, rules.max_length))
    return (
        (occasions or rules.closed == "overflow")
        and (after is None or 1 <= after <= OVERFLOW_SECONDS_MAX)
        and (longer is None or 1 <= longer <= LENGTH_MAX)
        and is_sound_bound(wait)
    )


def is_sound_bound(wait_over_seconds: int | None) -> bool:
    return wait_over_seconds is None or 1 <= wait_over_seconds <= WAIT_OVER_SECONDS_MAX


def is_sound_table(table: tuple[tuple[int, int], ...]) -> bool:
    """Open at some time, ascending and disjoint."""
    edges = [edge for interval in table for edge in interval]
    return 1 <= len(table) <= OPEN_INTERVALS_MAX and edges == sorted({*edges})


def is_sound_requirement(requirement: Requirement) -> bool:
    """Of a queue: skills only, no agents."""
    needs = (*requirement.all, *requirement.any, *requirement.none)
    return requirement == skills_of(requirement) and all(1 <= need.level <= LEVEL_MAX for need in needs)


def is_sound_agent(put: PutAgent) -> bool:
    return (
        all(1 <= level <= LEVEL_MAX for level in put.skills.values())
        and is_sound_capacity(put.capacity)
        and len(put.preferred_queues) <= PREFERRED_QUEUES_MAX
        and 0 <= put.missed_offers_max <= MISSED_OFFERS_MAX
    )


def is_sound_capacity(capacity: Capacity) -> bool:
    positive = all(units >= 1 for units in (capacity.units, *capacity.cost.values()))
    return positive and all(most >= 0 for most in capacity.max.values()) and is_sound_interruption(capacity)
