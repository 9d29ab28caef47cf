"""What a long expected wait does to a contact: its next relaxation step begins, or it goes on to the overflow.

A contact whose rules have such a bound is looked at when it has come to its queue and found nobody, and every minute
from then on. A step goes before the overflow: only what its queue's own agents couldn't take within the bound, by the
steps that they have, leaves them. So a look does one thing at most, and the next one goes by what that has changed.
"""

from __future__ import annotations

from services.router.core.admission import overflow_goal
from services.router.core.expected_wait import expected_wait
from services.router.core.facts import LoadDue
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.relaxation import relaxed
from services.router.core.state import Contact
from services.router.core.timers import load_due, overflow_bound, step_bound
from services.router.core.transitions import overflowed


def on_load_due(floor: Floor, due: LoadDue, now: int) -> Events:
    contact = floor.contacts.get(due.contact_id)
    if contact is None or contact.state != "waiting" or not 0 < load_due(contact) <= now:
        return ()
    looked = LoadDue(key=floor.key, at=now, contact_id=contact.id)
    return (looked, *because_of(floor, contact, now)) if contact.group is None else (looked,)


def because_of(floor: Floor, contact: Contact, now: int) -> Events:
    wait = expected_wait(floor, contact, now)
    if wait is None:
        return ()
    if is_over(wait, step_bound(contact)):
        return relaxed(floor, contact, contact.relaxed + 1, now, "expected_wait")
    if not is_over(wait, overflow_bound(contact)):
        return ()
    goal = overflow_goal(floor, contact)
    return () if goal is None else overflowed(floor, now, contact, goal, "expected_wait")


def is_over(wait: int, bound: int | None) -> bool:
    return bound is not None and wait > bound
