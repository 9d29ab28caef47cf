"""Who is there: presence, the lease that keeps it, and what becomes of the work of somebody who isn't.

A break that is asked for `when_free`, and the end of a shift, let an agent finish: busy from now on, without new work,
and `away` or `offline` when the last contact has left. Who misses too many offers in a row is sent `away`.
"""

from __future__ import annotations

from typing import Any, Final

from libs.common.events import SECOND, Event
from libs.common.events.commands import RenewLeases, SetPresence
from libs.common.events.routing import AgentPresenceChanged
from services.router.core.desks import Desk
from services.router.core.facts import AgentReleased, LeaseEnded, LeasesRenewed, ReleaseDue, ShiftEnded
from services.router.core.floor import Floor
from services.router.core.limits import LEASE_SECONDS_MAX, RELEASE_AFTER_SECONDS
from services.router.core.outcomes import Events, agent_state, done, refused
from services.router.core.roster import on_roster
from services.router.core.state import Agent, Contact
from services.router.core.transitions import offer_withdrawn, released

LEASE_ENDED: Final = "lease_ended"
MISSED_OFFERS: Final = "missed_offers"
SHIFT_ENDED: Final = "shift_ended"
LEAVES: Final = ("away", "offline")
"""What an agent can become when free."""


def on_set_presence(floor: Floor, wish: SetPresence, now: int) -> Events:
    desk = on_roster(floor, wish.agent_id)
    if desk is None:
        return refused(wish, now, 404, "not_found")
    if not is_sound_presence(wish, now):
        return refused(wish, now, 422, "invalid", agent_state(desk.agent))
    changed = wished(desk, wish, floor.key, now)
    outcome = done(wish, now, _presence_state(changed))
    if _is_present_so(desk.agent, changed):
        renewal = {} if changed.lease_until is None else {wish.agent_id: changed.lease_until}
        return (LeasesRenewed(key=floor.key, at=now, until=renewal), outcome)
    if changed.status == "available":
        return (changed, outcome)
    return (*offers_withdrawn(floor, desk, "agent_not_available", now), changed, outcome)


def is_sound_presence(wish: SetPresence, now: int) -> bool:
    ends = wish.until is None or (wish.until > now and wish.status != "offline")
    return 1 <= wish.lease_seconds <= LEASE_SECONDS_MAX and ends and (not wish.when_free or wish.status in LEAVES)


def wished(desk: Desk, wish: SetPresence, key: str, now: int) -> AgentPresenceChanged:
    """What was asked for; who shall leave when free and holds something stays busy for now."""
    stays = wish.when_free and is_working(desk)
    offline = wish.status == "offline" and not stays
    return AgentPresenceChanged(
        key=key, at=now, agent_id=wish.agent_id, status="busy" if stays else wish.status, reason=wish.reason,
        lease_until=None if offline else now + wish.lease_seconds * SECOND,
        release_at=_release_at(desk, now) if offline else None,
        next_status=wish.status if stays else None, until=wish.until,
    )  # fmt: skip


def is_working(desk: Desk) -> bool:
    """Offers are no work: they go to somebody else."""
    return any(contact.state != "offered" for contact in desk.held.values())


def _presence_state(changed: AgentPresenceChanged) -> dict[str, Any]:
    state = {"agent_id": changed.agent_id, "status": changed.status, "reason": changed.reason}
    return state if changed.next_status is None else state | {"next_status": changed.next_status}


def _is_present_so(agent: Agent, changed: AgentPresenceChanged) -> bool:
    """Nothing but the lease would change."""
    present = (agent.status, agent.reason, agent.next_status, agent.until)
    return present == (changed.status, changed.reason, changed.next_status, changed.until)


def when_free(floor: Floor, desk: Desk, now: int) -> Events:
    """The last contact has left: so does the agent."""
    agent = desk.agent
    assert agent.next_status is not None, "only who wants to leave is let go"
    gone = agent.next_status == "offline"
    return (
        AgentPresenceChanged(
            key=floor.key, at=now, agent_id=agent.id, status=agent.next_status, reason=agent.reason,
            lease_until=None if gone else agent.lease_until, until=None if gone else agent.until,
        ),
    )  # fmt: skip


def on_shift_ended(floor: Floor, ended: ShiftEnded, now: int) -> Events:
    desk = floor.desks.get(ended.agent_id)
    if desk is None or desk.agent.until is None or desk.agent.until > now:
        return ()
    stays = is_working(desk)
    changed = AgentPresenceChanged(
        key=floor.key, at=now, agent_id=ended.agent_id, status="busy" if stays else "offline", reason=SHIFT_ENDED,
        lease_until=desk.agent.lease_until if stays else None, next_status="offline" if stays else None,
    )  # fmt: skip
    return (*offers_withdrawn(floor, desk, SHIFT_ENDED, now), changed)


def on_missed(floor: Floor, desk: Desk, contact: Contact, now: int) -> Events:
    """The agent has missed this contact's offer: away, if that is too many in a row."""
    agent = desk.agent
    if not agent.missed_offers_max or agent.missed + 1 < agent.missed_offers_max:
        return ()
    changed = AgentPresenceChanged(
        key=floor.key, at=now, agent_id=agent.id, status="away", reason=MISSED_OFFERS,
        lease_until=agent.lease_until, until=agent.until,
    )  # fmt: skip
    return (*offers_withdrawn(floor, desk, MISSED_OFFERS, now, but=contact), changed)


def _release_at(desk: Desk, now: int) -> int | None:
    """Who goes offline has a moment to come back, and no other by going again; nothing to release needs no moment."""
    if desk.agent.status == "offline":
        return desk.agent.release_at
    return now + RELEASE_AFTER_SECONDS * SECOND if desk.held else None


def offers_withdrawn(floor: Floor, desk: Desk, reason: str, now: int, *, but: Contact | None = None) -> Events:
    """The agent's live offers, `but` this contact's; others who are asked beside the agent go on being asked."""
    events: list[Event] = []
    for contact in held_in_order(desk):
        theirs = [offer for offer in contact.offers if offer.agent_id == desk.agent.id and contact is not but]
        events += offer_withdrawn(floor, now, contact, reason, theirs)
    return tuple(events)


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
