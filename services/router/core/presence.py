"""Who is there: presence, the lease that keeps it, and what becomes of the work of somebody who isn't."""

from __future__ import annotations

from libs.common.events import SECOND
from libs.common.events.commands import RenewLeases, SetPresence
from libs.common.events.routing import AgentPresenceChanged
from services.router.core.desks import Desk
from services.router.core.facts import AgentReleased, LeaseEnded, LeasesRenewed, ReleaseDue
from services.router.core.floor import Floor
from services.router.core.limits import LEASE_SECONDS_MAX, RELEASE_AFTER_SECONDS
from services.router.core.outcomes import Events, agent_state, done, refused
from services.router.core.state import Contact
from services.router.core.transitions import offer_withdrawn, released

LEASE_ENDED = "lease_ended"


def on_set_presence(floor: Floor, wish: SetPresence, now: int) -> Events:
    desk = floor.desks.get(wish.agent_id)
    if desk is None or desk.agent.deleted:
        return refused(wish, now, 404, "not_found")
    if not 1 <= wish.lease_seconds <= LEASE_SECONDS_MAX:
        return refused(wish, now, 422, "invalid", agent_state(desk.agent))
    until = None if wish.status == "offline" else now + wish.lease_seconds * SECOND
    outcome = done(
        wish, now, {"agent_id": wish.agent_id, "status": wish.status, "reason": wish.reason}
    )
    if (wish.status, wish.reason) == (desk.agent.status, desk.agent.reason):
        renewal = {} if until is None else {wish.agent_id: until}
        return (LeasesRenewed(key=floor.key, at=now, until=renewal), outcome)
    changed = AgentPresenceChanged(
        key=floor.key, at=now, agent_id=wish.agent_id, status=wish.status, reason=wish.reason,
        lease_until=until, release_at=_release_at(desk, now) if wish.status == "offline" else None,
    )  # fmt: skip
    if wish.status == "available":
        return (changed, outcome)
    return (*offers_withdrawn(floor, desk, "agent_not_available", now), changed, outcome)


def _release_at(desk: Desk, now: int) -> int | None:
    """Who goes offline has a moment to come back, and no other by going again; nothing to release needs no moment."""
    if desk.agent.status == "offline":
        return desk.agent.release_at
    return now + RELEASE_AFTER_SECONDS * SECOND if desk.held else None


def offers_withdrawn(floor: Floor, desk: Desk, reason: str, now: int) -> Events:
    return tuple(
        event for contact in held_in_order(desk) for event in offer_withdrawn(floor, now, contact, reason)
    )


def held_in_order(desk: Desk) -> list[Contact]:
    return [contact for _, contact in sorted(desk.held.items())]


def on_renew(floors: list[Floor], renew: RenewLeases, now: int) -> Events:
    """Nobody is made present by a heartbeat: `ended` names whose presence has to be set again."""
    events: list[LeasesRenewed] = []
    renewed: list[str] = []
    for floor in floors:
        here = [agent for agent in sorted(renew.leases) if _has_lease(floor.desks.get(agent))]
        until = {agent: now + _bounded(renew.leases[agent]) * SECOND for agent in here}
        renewed += here
        if until:
            events.append(LeasesRenewed(key=floor.key, at=now, until=until))
    ended = sorted({*renew.leases} - {*renewed})
    return (*events, done(renew, now, {"renewed": len(renewed), "ended": ended}))


def _has_lease(desk: Desk | None) -> bool:
    return desk is not None and desk.agent.lease_until is not None


def _bounded(seconds: int) -> int:
    return max(1, min(LEASE_SECONDS_MAX, seconds))


def on_lease_ended(floor: Floor, ended: LeaseEnded, now: int) -> Events:
    desk = floor.desks.get(ended.agent_id)
    if desk is None or desk.agent.lease_until is None or desk.agent.lease_until > now:
        return ()
    changed = AgentPresenceChanged(
        key=floor.key, at=now, agent_id=ended.agent_id, status="offline", reason=LEASE_ENDED,
        lease_until=None, release_at=_release_at(desk, now),
    )  # fmt: skip
    return (*offers_withdrawn(floor, desk, LEASE_ENDED, now), changed)


def on_release_due(floor: Floor, due: ReleaseDue, now: int) -> Events:
    """The agent has not come back: what they haven't answered waits again, with its age."""
    desk = floor.desks.get(due.agent_id)
    if desk is None or desk.agent.release_at is None or desk.agent.release_at > now:
        return ()
    unanswered = [one for one in held_in_order(desk) if one.state == "assigned" and not one.answered]
    reason = desk.agent.reason if desk.agent.reason == LEASE_ENDED else "agent_offline"
    releases = [event for one in unanswered for event in released(floor, now, one, reason or "agent_offline")]
    return (*releases, AgentReleased(key=floor.key, at=now, agent_id=due.agent_id))
