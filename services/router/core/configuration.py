"""The rules: pools, their policy, queues, agents, and the targets that the SLA service decides."""

from __future__ import annotations

from msgspec.structs import replace

from libs.common.events.commands import (
    DeleteAgent,
    DeletePool,
    PutAgent,
    PutPolicy,
    PutPool,
    PutQueue,
)
from libs.common.events.escalations import TargetUpdated
from libs.common.events.routing import AgentUpdated
from libs.common.events.rules import PolicyUpdated, PoolUpdated, QueueUpdated
from libs.common.events.values import Capacity, QueueRules, Requirement
from services.router.core.admission import open_queue
from services.router.core.facts import TargetKept
from services.router.core.floor import Floor
from services.router.core.interruption import is_sound as is_sound_interruption
from services.router.core.limits import (
    BOOST_MAX,
    GROUP_MAX,
    LEVEL_MAX,
    MISSED_OFFERS_MAX,
    OFFER_SECONDS_MAX,
    OFFERS_MAX,
    PARALLEL_OFFERS_MAX,
    PREFERRED_QUEUES_MAX,
    WRAP_UP_SECONDS_MAX,
)
from services.router.core.outcomes import Events, done, refused
from services.router.core.presence import held_in_order, offers_withdrawn
from services.router.core.queue_changes import is_sound_admission, is_sound_bound
from services.router.core.requirements import skills_of
from services.router.core.state import DEFAULT_WEIGHTS, OPTIONAL_TERMS
from services.router.core.transitions import closed, released, wrapped_up


def on_put_pool(floor: Floor, put: PutPool, now: int) -> Events:
    updated = PoolUpdated(key=floor.key, at=now, pool_id=floor.pool.id)
    return (updated, done(put, now, {"pool_id": floor.pool.id}))


def on_delete_pool(floor: Floor, delete: DeletePool, now: int) -> Events:
    state = {"pool_id": floor.pool.id, "contacts": len(floor.contacts)}
    if floor.pool.deleted or not floor.pool.sequence:
        return refused(delete, now, 404, "not_found")
    if floor.contacts or any(not desk.agent.deleted for desk in floor.desks.values()):
        return refused(delete, now, 409, "pool_in_use", state)
    updated = PoolUpdated(key=floor.key, at=now, pool_id=floor.pool.id, deleted=True)
    return (updated, done(delete, now, state))


def on_put_policy(floor: Floor, put: PutPolicy, now: int) -> Events:
    weights = DEFAULT_WEIGHTS | {name: w for name, w in put.weights.items() if w or name not in OPTIONAL_TERMS}
    known = {*DEFAULT_WEIGHTS, *OPTIONAL_TERMS}
    if not weights.keys() <= known or not all(0 <= weight <= BOOST_MAX for weight in weights.values()):
        return refused(put, now, 422, "invalid", {"weights": put.weights})
    version = floor.policy.version + 1
    updated = PolicyUpdated(
        key=floor.key, at=now, pool_id=floor.pool.id, policy_version=version, weights=weights
    )
    return (updated, done(put, now, {"pool_id": floor.pool.id, "policy_version": version, "weights": weights}))


# -- queues -----------------------------------------------------------------------------------------------------


def on_put_queue(floor: Floor, put: PutQueue, now: int) -> Events:
    rules = put.rules
    if not is_sound_queue(put.queue_id, rules) or not is_sound_admission(put.queue_id, rules):
        return refused(put, now, 422, "invalid", {"queue_id": put.queue_id})
    if rules.overflow is not None and open_queue(floor, rules.overflow.queue) is None:
        return refused(put, now, 422, "unknown_queue", {"queue_id": put.queue_id, "overflow": rules.overflow.queue})
    known = floor.queues.get(put.queue_id)
    version = known.version + 1 if known is not None else 1
    rules = replace(rules, offer_seconds_by_medium=dict(sorted(rules.offer_seconds_by_medium.items())))
    updated = QueueUpdated(key=floor.key, at=now, queue_id=put.queue_id, config_version=version, rules=rules)
    return (updated, done(put, now, {"queue_id": put.queue_id, "config_version": version}))


def is_sound_queue(queue_id: str, rules: QueueRules) -> bool:
    steps = [step.after_seconds for step in rules.relax]
    lasting = (rules.offer_seconds, *rules.offer_seconds_by_medium.values())
    requirements = [rules.requirement or Requirement(), *(step.requirement for step in rules.relax)]
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
        and all(step >= 0 for step in steps)
        and all(is_sound_bound(step.wait_over_seconds) for step in rules.relax)
        and not any(step.skip == "never" and step.wait_over_seconds is not None for step in rules.relax)
        and all(is_sound_requirement(one) for one in requirements)
    )


def is_sound_requirement(requirement: Requirement) -> bool:
    """Of a queue: skills only, no agents."""
    needs = (*requirement.all, *requirement.any, *requirement.none)
    return requirement == skills_of(requirement) and all(1 <= need.level <= LEVEL_MAX for need in needs)


# -- agents -----------------------------------------------------------------------------------------------------


def on_put_agent(floor: Floor, put: PutAgent, now: int) -> Events:
    levels = all(1 <= level <= LEVEL_MAX for level in put.skills.values())
    if not levels or not is_sound_capacity(put.capacity) or len(put.preferred_queues) > PREFERRED_QUEUES_MAX:
        return refused(put, now, 422, "invalid", {"agent_id": put.agent_id})
    if not 0 <= put.missed_offers_max <= MISSED_OFFERS_MAX:
        return refused(put, now, 422, "invalid", {"agent_id": put.agent_id})
    known = floor.desks.get(put.agent_id)
    version = known.agent.version + 1 if known is not None else 1
    updated = AgentUpdated(
        key=floor.key, at=now, agent_id=put.agent_id, config_version=version, skills=put.skills,
        capacity=put.capacity, preferred_queues=put.preferred_queues, missed_offers_max=put.missed_offers_max,
    )  # fmt: skip
    return (updated, done(put, now, {"agent_id": put.agent_id, "config_version": version}))


def is_sound_capacity(capacity: Capacity) -> bool:
    positive = all(units >= 1 for units in (capacity.units, *capacity.cost.values()))
    return positive and all(most >= 0 for most in capacity.max.values()) and is_sound_interruption(capacity)


def on_delete_agent(floor: Floor, delete: DeleteAgent, now: int) -> Events:
    """Everything the agent held goes on without them."""
    desk = floor.desks.get(delete.agent_id)
    if desk is None or desk.agent.deleted:
        return refused(delete, now, 404, "not_found")
    steps = list(offers_withdrawn(floor, desk, "agent_deleted", now))
    for contact in held_in_order(desk):
        if contact.state == "assigned" and contact.medium == "voice":  # The call ends with who holds it.
            steps.append(closed(floor, now, contact, "agent_deleted"))
        elif contact.state == "assigned":
            steps += released(floor, now, contact, "agent_deleted")
        elif contact.state == "wrap_up":
            steps += wrapped_up(floor, now, contact)
    updated = AgentUpdated(
        key=floor.key, at=now, agent_id=delete.agent_id, config_version=desk.agent.version + 1, deleted=True
    )
    return (*steps, updated, done(delete, now, {"agent_id": delete.agent_id, "deleted": True}))


# -- targets ----------------------------------------------------------------------------------------------------


def on_target_updated(target: TargetUpdated) -> Events:
    return (
        TargetKept(
            key=target.key, at=target.at, target_id=target.target_id, target_version=target.target_version,
            match=None if target.deleted else target.match, metric=target.metric, seconds=target.seconds,
        ),
    )  # fmt: skip
