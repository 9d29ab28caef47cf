"""What a long expected wait does to a contact: its next relaxation step begins, or it goes on to the overflow.

A contact whose rules have such a bound is looked at when it has come to its queue and found nobody, and every minute
from then on. A step goes before the overflow: only what its queue's own agents couldn't take within the bound, by the
steps that they have, leaves them. So a look does one thing at most, and the next one goes by what that has changed.
"""

from __future__ import annotations

from dataclasses import replace

from libs.common.events.contacts import Message
from services.router.core.admission import Hop, Rehearsal, hops, opening, overflow_goal, refusal, rules_of
from services.router.core.arrivals import Previous, new_contact
from services.router.core.expected_wait import expected_wait
from services.router.core.facts import LoadDue
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.policy import boost_of, signals_of
from services.router.core.relaxation import relaxed
from services.router.core.requirements import passed_at_once
from services.router.core.state import Contact, Queue
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
    goal = goal_of(floor, contact, wait)
    return () if goal is None else overflowed(floor, now, contact, goal, "expected_wait")


def goal_of(floor: Floor, contact: Contact, wait: int) -> Queue | None:
    """Where so long a wait leads, once no step goes before."""
    return overflow_goal(floor, contact) if is_over(wait, overflow_bound(contact)) else None


def is_over(wait: int, bound: int | None) -> bool:
    return bound is not None and wait > bound


# -- before it comes --------------------------------------------------------------------------------------------


def foretold(floor: Floor, message: Message, said: Rehearsal, now: int) -> Rehearsal:
    """The rehearsal with what the expected wait would do to the contact as it comes. Changes nothing.

    The floor has the pool's agents, what they hold, and who waits.
    """
    while said.refused is None and said.opens_at is None:
        contact = as_it_would_come(floor, message, said, now)
        wait = expected_wait(floor, contact, now)
        if wait is None or is_over(wait, step_bound(contact)):
            break
        goal = goal_of(floor, contact, wait)
        if goal is None:
            break
        been = (*contact.been, contact.rules.queue)
        gone = (Hop(goal, "expected_wait"), *hops(floor, goal, been, now))
        last = gone[-1].queue
        said = said._replace(
            hops=(*said.hops, *gone), refused=refusal(floor, last, now), opens_at=opening(last, now),
            rules=rules_of(last, message.visibility, message.medium),
        )  # fmt: skip
    return said


def as_it_would_come(floor: Floor, message: Message, said: Rehearsal, now: int) -> Contact:
    """The contact in the queue where the rehearsal ends, before anything else has happened to it."""
    contact = new_contact(floor, message, now, "", Previous(None, message.strikes, None))
    been = [said.entered.id, *(hop.queue.id for hop in said.hops)]
    return replace(
        contact, rules=said.rules, been=tuple(been[:-1]), relaxed=passed_at_once(said.rules.relax),
        boost=boost_of(floor.policy.weights, signals_of(contact), 0).whole,
    )  # fmt: skip
