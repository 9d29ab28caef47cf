"""What each decision about an agent changes: the agent, the desk, and what waited for them."""

from __future__ import annotations

from collections.abc import Iterable

from libs.common.events.routing import AgentPresenceChanged, AgentUpdated
from services.router.core.apply_contacts import end_hold
from services.router.core.desks import Desk
from services.router.core.facts import LeasesRenewed
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Agent, Contact


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
    ask_anew(partition, floor, floor.stranded())
    floor.feed(desk)
    partition.touch_agent(floor, desk)
    if floor.dead_ends:
        floor.pool.recheck_after = ""
        partition.mark("pool", floor, floor.pool.id, floor.pool)
        partition.has_work(floor)


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
        end_hold(floor, contact)
        partition.touch(floor, contact)
    ask_anew(partition, floor, floor.bounced.values())


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
