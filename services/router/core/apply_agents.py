"""What each decision about an agent changes: the agent, the desk, and what waited for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from libs.common.events.routing import AgentPresenceChanged, AgentUpdated
from services.router.core.apply_contacts import end_hold
from services.router.core.choice import stranded
from services.router.core.desks import Desk
from services.router.core.facts import LeasesRenewed
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Agent, Contact, first_choices


def on_updated(partition: Partition, floor: Floor, event: AgentUpdated) -> None:
    desk = floor.desks.get(event.agent_id)
    if desk is None:
        desk = floor.desks[event.agent_id] = Desk(Agent(id=event.agent_id))
    agent = desk.agent
    agent.sequence += 1
    agent.version, agent.deleted = event.config_version, event.deleted
    agent.skills, agent.capacity = event.skills, event.capacity
    agent.preferred_queues, agent.missed_offers_max = event.preferred_queues, event.missed_offers_max
    if event.deleted:
        agent.status, agent.reason = "offline", None
        agent.lease_until = agent.release_at = agent.next_status = agent.until = None
        agent.to_fill = False
    floor.configure(desk)
    if desk.peers is None:
        left(partition, floor, desk)
    else:
        ask_anew(partition, floor, floor.bounced.values())
        let_others_look(partition, floor)
    ask_anew(partition, floor, stranded(floor))
    floor.feed(desk)
    partition.touch_agent(floor, desk)
    partition.recheck_dead_ends(floor)


def on_presence_changed(
    partition: Partition, floor: Floor, desk: Desk, event: AgentPresenceChanged
) -> None:
    agent = desk.agent
    came = event.status == "available" and agent.status != "available"
    agent.sequence += 1
    desk.stand_up()
    agent.status, agent.reason = event.status, event.reason
    agent.lease_until, agent.release_at = event.lease_until, event.release_at
    agent.next_status, agent.until = event.next_status, event.until
    agent.shift += 1 if came else 0
    agent.missed = 0 if came else agent.missed
    desk.sit_down()
    partition.timers.of_agent(floor, agent)
    if came:
        floor.feed(desk)
    elif desk.peers is None:
        agent.to_fill = agent.to_fill and bool(desk.paused)
        left(partition, floor, desk)


def left(partition: Partition, floor: Floor, desk: Desk) -> None:
    """What was held for them is anybody's; where they were the last to be asked, the asking begins anew."""
    for contact in list(floor.held.get(desk.agent.id, {}).values()):
        if not is_awaited(floor, contact):
            end_hold(floor, contact)
            partition.touch(floor, contact)
    ask_anew(partition, floor, floor.bounced.values())
    let_others_look(partition, floor)


def is_awaited(floor: Floor, contact: Contact) -> bool:
    """Whether somebody it may be held for is there."""
    need = floor.need_of(contact)
    desks = (floor.desks.get(agent_id) for agent_id in first_choices(contact.own, contact.last_agent))
    return any(desk is not None and desk.peers is not None and need.allows(desk.agent) for desk in desks)


def let_others_look(partition: Partition, floor: Floor) -> None:
    """Nobody waits for who has left: who is there looks at what load has opened."""
    for desk in list(deserted(floor)):
        floor.feed(desk)
        partition.touch_agent(floor, desk)


def deserted(floor: Floor) -> Iterator[Desk]:
    """Who has room for what others would have taken, of whom nobody is available any more."""
    for bucket in floor.opening:
        if not bucket.live or (need := bucket.open_need) is bucket.need:
            continue
        for peers in (peers for profile in need.profiles for peers in profile.peers.values()):
            if peers.has_room(bucket.kind):
                yield from (floor.desks[agent_id] for _, agent_id in peers.members)


def ask_anew(partition: Partition, floor: Floor, contacts: Iterable[Contact]) -> None:
    for contact in contacts:
        floor.seek(contact)
        partition.touch(floor, contact)


def on_leases_renewed(partition: Partition, floor: Floor, event: LeasesRenewed) -> None:
    for agent_id, until in event.until.items():
        desk = floor.desks[agent_id]
        desk.agent.lease_until = until
        partition.timers.of_agent(floor, desk.agent)
        partition.touch_agent(floor, desk)
