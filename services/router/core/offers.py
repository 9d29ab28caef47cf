"""Offers: made one at a time by `Settle`, and accepted, declined, withdrawn or timed out.

An accept wins while the offer is live. A queue may ask several agents at once: the first accept wins, the other offers
are withdrawn. Who declines or lets an offer expire isn't asked again before every able agent was; after `offers_max`
such offers, and when nobody is being asked any more, the contact is flagged, keeps its place, and waits for somebody
new. Where the queue accepts for its agents, whoever is asked has the contact at once.
"""

from __future__ import annotations

from typing import Final

from libs.common.events import SECOND
from libs.common.events.commands import AcceptOffer, DeclineOffer, OfferCommand
from libs.common.events.routing import (
    ContactOffered,
    ContactUnroutable,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
)
from services.router.core.choice import Choice
from services.router.core.desks import Desk, cost
from services.router.core.facts import OfferTimedOut
from services.router.core.floor import NOBODY_ANSWERS, Floor
from services.router.core.groups import companions, joined
from services.router.core.outcomes import Events, contact_state, done, refused, state_of
from services.router.core.picks import Pick
from services.router.core.policy import named
from services.router.core.presence import on_missed
from services.router.core.queues import score_of, thousandths
from services.router.core.relaxation import relaxed, step_now
from services.router.core.state import Contact, Offer, contact_and_number, offer_id, offer_of
from services.router.core.transitions import assigned, flag_ended, offer_withdrawn

ACCEPTED_BY_ANOTHER: Final = "accepted_by_another"


def of_choice(floor: Floor, contact: Contact, choice: Choice, now: int) -> Events:
    """An arriving contact has found an agent."""
    pick = Pick(
        contact=contact,
        lane="arrival",
        ageing_credit=choice.desk.agent.ageing_credit,
        express_credit=choice.desk.agent.express_credit,
        ageing_channel=choice.desk.agent.ageing_channel,
        runners_up=choice.runners_up,
        ahead=0,
        asked_again=choice.asked_again,
    )
    return offered(floor, choice.desk, pick, now, choice.passed_over)


def offered(floor: Floor, desk: Desk, pick: Pick, now: int, passed_over: dict[str, int]) -> Events:
    contact = pick.contact
    units = cost(desk.agent.capacity, (contact.channel, contact.medium))
    step = step_now(floor, contact)
    offer = ContactOffered(
        key=floor.key, at=now, contact_id=contact.id, agent_id=desk.agent.id,
        offer_id=offer_id(contact, contact.offers_made + 1), queue=contact.rules.queue,
        medium=contact.medium, expires_at=now + contact.rules.offer_seconds * SECOND, units=units,
        lane=pick.lane, score=thousandths(score_of(contact, now)), boost=contact.boost,
        terms=named(contact.terms), relaxed=step, ageing_credit=pick.ageing_credit,
        express_credit=pick.express_credit, ageing_channel=pick.ageing_channel or None,
        runners_up=pick.runners_up, passed_over=passed_over, ahead=pick.ahead, asked_again=pick.asked_again,
        group=companions(floor, contact, desk, again=pick.asked_again),
    )  # fmt: skip
    passed = relaxed(floor, contact, step, now, "nobody_available")
    accepts = accepted_at_once(floor, desk, contact, offer, now) if contact.rules.auto_accept else ()
    return (*passed, *flag_ended(floor, now, contact, "offered"), offer, *accepts)


def accepted_at_once(floor: Floor, desk: Desk, contact: Contact, offer: ContactOffered, now: int) -> Events:
    accepted = OfferAccepted(
        key=floor.key, at=now, contact_id=contact.id, offer_id=offer.offer_id, agent_id=offer.agent_id, automatic=True
    )
    group = contact.id if offer.group else None
    given = assigned(floor, now, contact, desk, units=offer.units, offer=offer.offer_id, group=group)
    return (accepted, *given, *joined(floor, now, contact, desk, offer.group))


def on_timed_out(floor: Floor, timeout: OfferTimedOut, now: int) -> Events:
    contact = floor.contacts.get(timeout.contact_id)
    due = tuple(offer for offer in contact.offers if offer.expires_at <= now) if contact is not None else ()
    if contact is None or not due:
        return ()  # The agent answered first: this timer lost the race.
    expired = tuple(
        OfferExpired(
            key=floor.key, at=now, contact_id=contact.id, offer_id=offer_id(contact, offer.number),
            agent_id=offer.agent_id,
        )
        for offer in due
    )  # fmt: skip
    absences = (event for offer in due for event in on_missed(floor, floor.desks[offer.agent_id], contact, now))
    return (*expired, *unanswered_too_often(floor, contact, now, due), *absences)


def unanswered_too_often(floor: Floor, contact: Contact, now: int, unanswered: tuple[Offer, ...]) -> Events:
    """A round is no longer than `offers_max`: with its last offer in vain nobody is being asked any more."""
    if contact.bounces + len(unanswered) < contact.rules.offers_max:
        return ()
    return (ContactUnroutable(key=floor.key, at=now, contact_id=contact.id, reason=NOBODY_ANSWERS),)


def on_accept(floor: Floor, accept: AcceptOffer, now: int) -> Events:
    contact, number = _offer(floor, accept)
    if contact is None or number > contact.offers_made:
        return _unknown_offer(floor, accept, now)
    offer = offer_of(contact, number)
    if offer is not None:
        return _accept_live(floor, contact, offer, accept, now)
    if contact.agent_id is not None and number == contact.accepted and _may_speak(accept, contact.agent_id):
        return (done(accept, now, contact_state(contact)),)  # The same agent again: it is theirs already.
    return refused(accept, now, 409, "offer_ended", contact_state(contact))


def _accept_live(floor: Floor, contact: Contact, offer: Offer, accept: AcceptOffer, now: int) -> Events:
    """The first accept wins."""
    if not _may_speak(accept, offer.agent_id):
        return refused(accept, now, 403, "forbidden", contact_state(contact))
    accepted = OfferAccepted(
        key=floor.key, at=now, contact_id=contact.id, offer_id=accept.offer_id, agent_id=offer.agent_id
    )
    desk, together = floor.desks[offer.agent_id], sorted(floor.groups.get(contact.id, {}))
    group = contact.id if together else None
    others = (one for one in contact.offers if one is not offer)
    return (
        accepted,
        *offer_withdrawn(floor, now, contact, ACCEPTED_BY_ANOTHER, others),
        *assigned(floor, now, contact, desk, units=offer.units, offer=accept.offer_id, group=group),
        *joined(floor, now, contact, desk, together),
        done(accept, now, contact_state(contact, "assigned", offer.agent_id)),
    )


def on_decline(floor: Floor, decline: DeclineOffer, now: int) -> Events:
    contact, number = _offer(floor, decline)
    if contact is None or number > contact.offers_made:
        return _unknown_offer(floor, decline, now)
    offer = offer_of(contact, number)
    if offer is not None:
        return _decline_live(floor, contact, offer, decline, now)
    before = dict(contact.declined).get(number)
    if before is not None and _may_speak(decline, before):
        return (done(decline, now, contact_state(contact)),)
    return refused(decline, now, 409, "offer_ended", contact_state(contact))


def _decline_live(floor: Floor, contact: Contact, offer: Offer, decline: DeclineOffer, now: int) -> Events:
    if not _may_speak(decline, offer.agent_id):
        return refused(decline, now, 403, "forbidden", contact_state(contact))
    declined = OfferDeclined(
        key=floor.key, at=now, contact_id=contact.id, offer_id=decline.offer_id,
        agent_id=offer.agent_id, reason=decline.reason,
    )  # fmt: skip
    others = tuple(one for one in contact.offers if one is not offer)
    return (
        declined,
        *unanswered_too_often(floor, contact, now, (offer,)),
        done(decline, now, contact_state(contact, "offered" if others else "waiting", offers=others)),
    )


def _offer(floor: Floor, command: OfferCommand) -> tuple[Contact | None, int]:
    contact_id, number = contact_and_number(command.offer_id)
    return (floor.contacts.get(contact_id), number) if number else (None, 0)


def _may_speak(command: OfferCommand, agent_id: str) -> bool:
    """The agent asked, or a supervisor for anyone."""
    return command.agent_id is None or command.agent_id == agent_id


def _unknown_offer(floor: Floor, command: OfferCommand, now: int) -> Events:
    state = state_of(floor, contact_and_number(command.offer_id)[0])
    if state is not None and state["state"] in {"closed", "abandoned"}:
        return refused(command, now, 409, "offer_ended", state)
    return refused(command, now, 404, "not_found")
