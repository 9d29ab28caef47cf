"""A public conversation that goes on in private: answered in public, then seen by nobody but the two.

It moves when a response says so in public (`moved_to_private`), or when after an answer the first private message or
response of the conversation is seen. From then on one can see it, so it loses its boost for reach, and nothing else
changes: it keeps its agent, its queue and its promise. That somebody writes there is the acknowledgement. A move that
was only announced is believed for 15 minutes; without an acknowledgement, or when the customer writes in public again,
the contact is what it was before, so that nobody is quietened by a promise.
"""

from __future__ import annotations

from typing import Literal

from libs.common.events.contacts import ResponseObserved
from libs.common.events.in_private import (
    ContactMovedToPrivate,
    ContactPrivateAcknowledged,
    ContactReturnedToPublic,
)
from libs.common.events.values import Visibility
from services.router.core.facts import PrivateDue
from services.router.core.floor import Floor
from services.router.core.outcomes import Events
from services.router.core.policy import Signals, boost_of, named, signals_of
from services.router.core.state import Contact
from services.router.core.timers import private_due


def after_response(floor: Floor, now: int, contact: Contact, response: ResponseObserved) -> Events:
    """The company answered, which is what a move needs."""
    privately = response.visibility == "private"
    if contact.moved_to_private_at is not None:
        return acknowledged(floor, now, contact, "company") if privately else ()
    if contact.visibility == "private" or not (privately or response.moved_to_private):
        return ()
    move = moved(floor, now, contact, signals_of(contact), announced=not privately)
    return (move, acknowledgement(floor, now, contact, "company")) if privately else (move,)


def after_message(floor: Floor, now: int, contact: Contact, signals: Signals) -> Events:
    """The customer wrote; `signals` are what is known of the contact since. What is being wrapped up is over."""
    if contact.state == "wrap_up":
        return ()
    if contact.moved_to_private_at is not None:
        if signals.visibility == "private":
            return acknowledged(floor, now, contact, "customer")
        return (returned(floor, now, contact, signals, "wrote_in_public"),)
    if contact.visibility == "private" or signals.visibility != "private" or not contact.answered:
        return ()
    move = moved(floor, now, contact, signals, announced=False)
    return (move, acknowledgement(floor, now, contact, "customer"))


def on_due(floor: Floor, due: PrivateDue, now: int) -> Events:
    contact = floor.contacts.get(due.contact_id)
    if contact is None or not 0 < private_due(contact) <= now:
        return ()
    visibility: Visibility = contact.moved_from or "public"
    signals = signals_of(contact)._replace(visibility=visibility, reach=contact.public_reach)
    return (returned(floor, now, contact, signals, "not_acknowledged"),)


def moved(
    floor: Floor, now: int, contact: Contact, signals: Signals, *, announced: bool
) -> ContactMovedToPrivate:
    unseen = signals._replace(visibility="private", reach=1, velocity=0)
    boost = boost_of(floor.policy.weights, unseen, contact.raised)
    return ContactMovedToPrivate(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, announced=announced,
        boost=boost.whole, terms=named(boost.terms), policy_version=floor.policy.version,
    )  # fmt: skip


def acknowledged(floor: Floor, now: int, contact: Contact, by: Literal["customer", "company"]) -> Events:
    """Once is enough."""
    return () if contact.private_acknowledged_at is not None else (acknowledgement(floor, now, contact, by),)


def acknowledgement(
    floor: Floor, now: int, contact: Contact, by: Literal["customer", "company"]
) -> ContactPrivateAcknowledged:
    return ContactPrivateAcknowledged(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, by=by
    )


def returned(
    floor: Floor, now: int, contact: Contact, signals: Signals, reason: Literal["not_acknowledged", "wrote_in_public"]
) -> ContactReturnedToPublic:
    boost = boost_of(floor.policy.weights, signals, contact.raised)
    return ContactReturnedToPublic(
        key=floor.key, at=now, contact_id=contact.id, agent_id=contact.agent_id, reason=reason,
        visibility=signals.visibility, reach=signals.reach, boost=boost.whole, terms=named(boost.terms),
        policy_version=floor.policy.version,
    )  # fmt: skip
