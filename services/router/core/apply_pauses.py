"""What pausing and parking change at an agent's desk: the units that are taken, and the room that is kept."""

from __future__ import annotations

from libs.common.events.routing import ContactPaused
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.interruption import pause_budget
from services.router.core.partition import Partition
from services.router.core.state import Contact


def on_paused(floor: Floor, contact: Contact, event: ContactPaused) -> None:
    desk = _desk(floor, contact)
    desk.stand_up()
    contact.paused_for, contact.paused_at = event.paused_for, event.at
    desk.pause(contact)
    desk.sit_down()


def on_unpaused(floor: Floor, contact: Contact, at: int) -> None:
    desk = _desk(floor, contact)
    desk.stand_up()
    end_pause(contact, at)
    desk.unpause(contact)
    desk.sit_down()


def on_pause_spent(floor: Floor, contact: Contact, at: int) -> None:
    """From now on it keeps its room from everything."""
    desk = _desk(floor, contact)
    desk.stand_up()
    contact.paused_total, contact.paused_at = pause_budget(contact), at
    desk.sit_down()


def end_pause(contact: Contact, at: int) -> None:
    if contact.paused_at is not None:
        contact.paused_total += at - contact.paused_at
        contact.paused_for = contact.paused_at = None


def _desk(floor: Floor, contact: Contact) -> Desk:
    assert contact.agent_id is not None, "what is paused has an agent"
    return floor.desks[contact.agent_id]


def fall_asleep(floor: Floor, contact: Contact) -> None:
    """It is parked: while its agent has any such, new work leaves them their reserve."""
    desk = floor.desks.get(contact.agent_id or "")
    if desk is not None:
        desk.stand_up()
        desk.park(contact)
        desk.sit_down()


def wake_up(partition: Partition, floor: Floor, contact: Contact) -> None:
    """It is parked no longer; nothing, when it wasn't."""
    desk = floor.desks.get(contact.agent_id or "")
    if desk is not None and contact.id in desk.parked.get(contact.medium, ()):
        desk.stand_up()
        desk.unpark(contact)
        desk.sit_down()
        if desk.agent.capacity.wake_up_reserve:
            floor.feed(desk)
            partition.touch_agent(floor, desk)
