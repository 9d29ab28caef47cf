"""What a group's offer, its end, and a member's leaving change."""

from __future__ import annotations

from libs.common.events.routing import ContactBrokeOut, ContactOffered
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact


def wait_together(partition: Partition, floor: Floor, first: Contact, event: ContactOffered) -> None:
    """Those who are offered with the first are offered to nobody else."""
    for contact_id in event.group:
        contact = floor.contacts[contact_id]
        floor.leave(contact)
        contact.group, contact.to_place = first.id, False
        contact.asked = () if event.asked_again else contact.asked
        floor.enter(contact)
        partition.touch(floor, contact)


def wait_apart(partition: Partition, floor: Floor, first: Contact) -> None:
    """The offer ended without an agent: each waits by itself again."""
    first.companions = 0
    for _, contact in sorted(floor.groups.pop(first.id, {}).items()):
        floor.leave(contact)
        contact.group = None
        floor.enter(contact)
        floor.seek(contact)
        partition.touch(floor, contact)


def leave_group(partition: Partition, floor: Floor, desk: Desk, contact: Contact) -> None:
    """The agent holds it no longer. If it carried its group's units, the next one does."""
    desk.drop(contact)
    group, contact.group = contact.group, None
    if group is None or not contact.units:
        return
    others = [one for one in desk.held.values() if one.group == group]
    heir = min(others, key=lambda one: one.id, default=None)
    if heir is not None:
        desk.drop(heir)
        heir.units = contact.units
        desk.take(heir)
        partition.touch(floor, heir)


def on_broke_out(partition: Partition, floor: Floor, contact: Contact, event: ContactBrokeOut) -> None:
    desk = floor.desks[event.agent_id]
    desk.stand_up()
    leave_group(partition, floor, desk, contact)
    contact.alone, contact.units = True, event.units
    desk.take(contact)
    desk.sit_down()
    partition.touch_agent(floor, desk)
