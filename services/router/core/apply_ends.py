"""What the end of a contact changes: it leaves the state, and for a day there is a memory of it."""

from __future__ import annotations

from libs.common.events import SECOND
from libs.common.events.routing import ContactAbandoned, ContactClosed
from services.router.core.apply_contacts import free
from services.router.core.apply_pauses import wake_up
from services.router.core.floor import Floor
from services.router.core.limits import CLOSED_KEPT_SECONDS
from services.router.core.partition import Partition
from services.router.core.state import Closed, Contact, base_and_generation


def on_ended(
    partition: Partition, floor: Floor, contact: Contact, event: ContactClosed | ContactAbandoned
) -> None:
    if contact.state == "waiting":
        floor.leave(contact)
    floor.flag(contact, None)
    free(partition, floor, contact)
    wake_up(partition, floor, contact)
    contact.to_place = False
    del floor.contacts[contact.id]
    leave_consulted(partition, floor, contact)
    closed = memory_of(contact, event)
    floor.heads.pop(closed.id, None)
    floor.closed[closed.id] = closed
    partition.timers.of_closed(floor, closed)
    partition.mark("contact", floor, contact.id, None)
    partition.mark("closed", floor, closed.id, closed)


def leave_consulted(partition: Partition, floor: Floor, consult: Contact) -> None:
    """What it was a consult of is helped by one less, if it is still open."""
    origin = floor.contacts.get(consult.consult_of or "")
    if origin is not None:
        origin.consults = tuple(one for one in origin.consults if one != consult.id)
        partition.touch(floor, origin)


def memory_of(contact: Contact, event: ContactClosed | ContactAbandoned) -> Closed:
    base, generation = base_and_generation(contact.id)
    abandoned = isinstance(event, ContactAbandoned)
    return Closed(
        id=base, last=contact.id, generation=generation, sequence=contact.sequence,
        state="abandoned" if abandoned else "closed", until=event.at + CLOSED_KEPT_SECONDS * SECOND,
        queue=contact.rules.queue, agent_id=event.agent_id,
        resolution=event.reason if isinstance(event, ContactAbandoned) else event.resolution,
    )  # fmt: skip
