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
from services.router.core.admission import open_queue
from services.router.core.facts import TargetKept
from services.router.core.floor import Floor
from services.router.core.limits import BOOST_MAX
from services.router.core.outcomes import Events, done, refused
from services.router.core.presence import held_in_order, offers_withdrawn
from services.router.core.roster import on_roster
from services.router.core.soundness import is_sound_agent, is_sound_queue
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
    if not is_sound_queue(put.queue_id, rules):
        return refused(put, now, 422, "invalid", {"queue_id": put.queue_id})
    overflow = None if rules.overflow is None else rules.overflow.queue
    ways = {"overflow": overflow, "fallback_queue": rules.fallback_queue}
    for field, goal_id in ways.items():
        if goal_id is not None and open_queue(floor, goal_id) is None:
            return refused(put, now, 422, "unknown_queue", {"queue_id": put.queue_id, field: goal_id})
    known = floor.queues.get(put.queue_id)
    version = known.version + 1 if known is not None else 1
    rules = replace(rules, offer_seconds_by_medium=dict(sorted(rules.offer_seconds_by_medium.items())))
    updated = QueueUpdated(key=floor.key, at=now, queue_id=put.queue_id, config_version=version, rules=rules)
    return (updated, done(put, now, {"queue_id": put.queue_id, "config_version": version}))


# -- agents -----------------------------------------------------------------------------------------------------


def on_put_agent(floor: Floor, put: PutAgent, now: int) -> Events:
    if not is_sound_agent(put):
        return refused(put, now, 422, "invalid", {"agent_id": put.agent_id})
    known = floor.desks.get(put.agent_id)
    version = known.agent.version + 1 if known is not None else 1
    updated = AgentUpdated(
        key=floor.key, at=now, agent_id=put.agent_id, config_version=version, skills=put.skills,
        capacity=put.capacity, preferred_queues=put.preferred_queues, missed_offers_max=put.missed_offers_max,
    )  # fmt: skip
    return (updated, done(put, now, {"agent_id": put.agent_id, "config_version": version}))


def on_delete_agent(floor: Floor, delete: DeleteAgent, now: int) -> Events:
    """Everything the agent held goes on without them."""
    desk = on_roster(floor, delete.agent_id)
    if desk is None:
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
