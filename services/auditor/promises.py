"""The promises as a reader of the topics can check them: one event at a time, in the order of one partition.

Pure and independent of what it checks: it knows the events and nothing of how they come about. It serves the tests
and, in production, the auditor.

P3  a contact has at most one owner, and as many live offers, each to somebody else, as its queue wants at once;
    an offer ends once
P4  no offer or assignment exceeds the agent's capacity, offers and wrap-ups included, unless it is forced; what is
    paused takes none, is paused only for what may interrupt it and within its budget, and goes on only into room
P5  who isn't available gets no offer
P6  every offer ends, in time
P7  of a contact's offers one is accepted; what was accepted or closed is not accepted or closed again
P9  nobody waits for ever: assigned, escalated, or flagged as unroutable
P10 events of one subject arrive in order, with a gapless sequence
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from libs.common.events import ESCALATIONS, ROUTING, SECOND, Event, routing
from libs.common.events.escalations import ClockEvent, EscalationRaised
from services.auditor.agenda import Agenda
from services.auditor.capacity import AgentView, Held, Pauses

OFFER_GRACE_SECONDS: Final = 2
"""How long after its time-out an offer may still be live."""
TAKE_OVER_GRACE_SECONDS: Final = 10
"""How much longer, for any offer, after its owner began again."""
WAIT_MAX_SECONDS: Final = 7 * 24 * 3_600
"""How long a contact may wait without anybody being told."""
ENDED_KEPT_SECONDS: Final = 25 * 3_600

Subject = tuple[str, str, str, str]
"""What the sequence counts for: the topic, the field that names it, the pool's key, the id."""


class Violation(NamedTuple):
    promise: str
    key: str
    subject: str
    at: int
    detail: str

    def __str__(self) -> str:
        return f"{self.promise} broken at {self.at} by {self.key} {self.subject}: {self.detail}"


class LiveOffer(NamedTuple):
    agent_id: str
    expires_at: int


@dataclass(slots=True)
class ContactView:
    channel: str = ""
    medium: str = ""
    owner: str | None = None
    offers_max: int = 1
    """So many may be live at once."""
    offers: dict[str, LiveOffer] = field(default_factory=dict)
    accepted: str | None = None
    """Until it is assigned."""
    waits_since: int | None = None
    """When it began to wait, or somebody was last told that it does."""
    flagged: bool = False
    pauses: Pauses = field(default_factory=Pauses)
    known: bool = True
    """Whether its first event was seen; what is said of others is taken as it comes."""


class Auditor:
    """Reads one partition. `from_start` says that its first event is the topic's first."""

    def __init__(
        self, *, from_start: bool = True, offer_grace_seconds: int = OFFER_GRACE_SECONDS,
        wait_max_seconds: int = WAIT_MAX_SECONDS,
    ) -> None:  # fmt: skip
        self._from_start = from_start
        self._offer_grace = offer_grace_seconds * SECOND
        self._restored_at = 0
        self.latest = 0
        """Microseconds that an expired offer lived past its time at most, take-overs excused."""
        self._wait_max = wait_max_seconds * SECOND
        self._found: list[Violation] = []
        self._sequences: dict[Subject, tuple[int, int]] = {}
        self._agents: dict[tuple[str, str], AgentView] = {}
        self._contacts: dict[tuple[str, str], ContactView] = {}
        self._ended: dict[tuple[str, str], int] = {}
        self._ended_order: deque[tuple[int, tuple[str, str]]] = deque()
        self._expiring: Agenda[tuple[str, str, str]] = Agenda(self._is_live)
        self._waiting: Agenda[tuple[str, str]] = Agenda(self._still_waits)

    def take(self, event: Event, sequence: int) -> list[Violation]:
        """One record of routing or escalations; the promises that it breaks."""
        self._in_order(event, sequence)
        if event.topic == ROUTING:  # The other topic's time runs on while the router is away.
            self._time(event.at)
        match event:
            case routing.ContactDecision():
                self._contact(event)
            case routing.AgentUpdated():
                self._agent(event.key, event.agent_id).capacity = event.capacity
                if event.deleted:
                    self._agent(event.key, event.agent_id).status = "offline"
            case routing.AgentPresenceChanged():
                self._agent(event.key, event.agent_id).status = event.status
            case ClockEvent():
                self._told(event)
        return self._drain()

    def restored(self, at: int) -> None:
        """The router of this partition began again at `at`: who was due meanwhile gets the grace of a take-over."""
        self._restored_at = max(self._restored_at, at)

    def pass_time(self, now: int) -> list[Violation]:
        """Nothing happened up to now: offers that should have ended, contacts that wait for ever."""
        self._time(now)
        return self._drain()

    def waiting(self) -> list[tuple[str, str]]:
        """(key, contact) of all who wait and of whom nobody was told."""
        return sorted(
            place for place, one in self._contacts.items() if one.waits_since is not None and not one.flagged
        )

    # -- P10 ----------------------------------------------------------------------------------------------------

    def _in_order(self, event: Event, sequence: int) -> None:
        subject = (event.topic or "", event.subject_field, event.key, event.subject)
        first = (0, 0) if self._from_start else (sequence - 1, 0)
        last, at = self._sequences.get(subject, first)
        if sequence != last + 1:
            self._broken("P10", event, f"sequence {sequence} after {last}")
        if event.at < at:
            self._broken("P10", event, f"dated {event.at}, before {at}")
        self._sequences[subject] = (sequence, event.at)

    # -- contacts -----------------------------------------------------------------------------------------------

    def _contact(self, event: routing.ContactDecision) -> None:
        place = (event.key, event.contact_id)
        if place in self._ended:
            self._broken("P7", event, f"{event.type} after its end")
            return
        contact = self._contacts.get(place)
        if contact is None:
            queued = isinstance(event, routing.ContactQueued)
            contact = self._contacts[place] = ContactView(known=queued or self._from_start)
            if not contact.known:
                return
        if contact.known or isinstance(event, routing.ContactQueued):
            contact.known = True
            self._step(contact, event)

    def _step(self, contact: ContactView, event: routing.ContactDecision) -> None:
        match event:
            case routing.ContactQueued():
                self._queued(contact, event)
            case routing.ContactOffered():
                self._offered(contact, event)
            case routing.OfferAccepted():
                self._accepted(contact, event)
            case routing.OfferDeclined() | routing.OfferExpired() | routing.OfferWithdrawn():
                self._offer_ended(contact, event)
            case routing.ContactAssigned():
                self._assigned(contact, event)
            case routing.ContactBrokeOut():
                held = Held(contact.channel, contact.medium, event.units, contact.pauses, "assigned")
                self._hold(event, self._agent(event.key, event.agent_id), held)
            case routing.ContactReleased() | routing.ContactParked():
                self._let_go(contact, event)
            case routing.ContactTransferred():
                self._transferred(contact, event)
            case routing.ContactPaused():
                self._paused(contact, event)
            case routing.ContactResumed(reason="unpaused"):
                self._unpaused(contact, event)
            case routing.ContactWrapUpStarted():
                self._agent(event.key, event.agent_id).wraps_up(event.contact_id)
            case routing.ContactClosed() | routing.ContactAbandoned():
                self._ended_now(contact, event)
            case routing.ContactUnroutable():
                contact.flagged = event.unroutable
                self._waits(contact, event, contact.waits_since is not None)

    def _queued(self, contact: ContactView, event: routing.ContactQueued) -> None:
        contact.channel, contact.medium = event.channel, event.medium
        contact.offers_max = event.parallel_offers
        contact.pauses.allow(event.target_seconds)
        if contact.owner is not None or contact.offers:
            self._broken("P3", event, f"queued while {contact.owner or [*contact.offers]} has it")
        contact.flagged = False
        self._waits(contact, event, True, event.opens_at or 0)

    def _offered(self, contact: ContactView, event: routing.ContactOffered) -> None:
        agent = self._agent(event.key, event.agent_id)
        if len(contact.offers) >= contact.offers_max:
            self._broken("P3", event, f"{event.offer_id} while {[*contact.offers]} are live")
        if any(offer.agent_id == event.agent_id for offer in contact.offers.values()):
            self._broken("P3", event, f"{event.offer_id} for {event.agent_id}, who is being asked")
        if contact.owner is not None:
            self._broken("P3", event, f"{event.offer_id} while {contact.owner} owns it")
        if agent.status not in ("available", None):
            self._broken("P5", event, f"{event.agent_id} is {agent.status}")
        self._hold(event, agent, Held(contact.channel, contact.medium, event.units, contact.pauses))
        contact.offers[event.offer_id] = LiveOffer(event.agent_id, event.expires_at)
        self._waits(contact, event, False)
        self._expiring.add(event.expires_at + self._offer_grace, (event.key, event.contact_id, event.offer_id))

    def _accepted(self, contact: ContactView, event: routing.OfferAccepted) -> None:
        live = contact.offers.pop(event.offer_id, None)
        if live is None or live.agent_id != event.agent_id:
            self._broken("P7", event, f"{event.offer_id} is no live offer")
        if contact.accepted is not None:
            self._broken("P7", event, f"{event.offer_id} beside {contact.accepted}")
        contact.accepted = event.offer_id

    def _offer_ended(self, contact: ContactView, event: routing.OfferDecision) -> None:
        live = contact.offers.pop(event.offer_id, None)
        if live is None or live.agent_id != event.agent_id:
            self._broken("P3", event, f"{event.offer_id} is no live offer")
        elif isinstance(event, routing.OfferExpired):
            self.latest = max(self.latest, event.at - self._time_of(live))
            if event.at < live.expires_at:
                self._broken("P6", event, f"{event.offer_id} ended before its time-out")
        self._agent(event.key, event.agent_id).holds.pop(event.contact_id, None)
        self._waits(contact, event, not contact.offers and contact.accepted is None)

    def _assigned(self, contact: ContactView, event: routing.ContactAssigned) -> None:
        if contact.owner is not None:
            self._broken("P3", event, f"assigned while {contact.owner} owns it")
        if contact.offers:
            self._broken("P3", event, f"assigned while {[*contact.offers]} are live")
        if event.offer_id is not None and event.offer_id != contact.accepted:
            self._broken("P7", event, f"{event.offer_id} was not accepted")
        agent = self._agent(event.key, event.agent_id)
        held = Held(contact.channel, contact.medium, event.units, contact.pauses, "assigned")
        if event.offer_id is None and not event.forced:
            self._hold(event, agent, held)
        elif (why := agent.spares_a_pause(event.contact_id, held)) is not None:
            self._broken("P4", event, why)
        agent.holds[event.contact_id] = held
        contact.owner, contact.accepted = event.agent_id, None
        self._waits(contact, event, False)

    def _let_go(
        self, contact: ContactView, event: routing.ContactReleased | routing.ContactParked
    ) -> None:
        if isinstance(event, routing.ContactReleased) and contact.owner != event.agent_id:
            self._broken("P3", event, f"released by {event.agent_id}, owned by {contact.owner}")
        self._leaves(contact, event)
        self._waits(contact, event, False)

    def _transferred(self, contact: ContactView, event: routing.ContactTransferred) -> None:
        if contact.owner not in (None, event.agent_id):
            self._broken("P3", event, f"transferred by {event.agent_id}, owned by {contact.owner}")
        self._leaves(contact, event)
        self._waits(contact, event, False)

    def _paused(self, contact: ContactView, event: routing.ContactPaused) -> None:
        if contact.owner != event.agent_id:
            self._broken("P3", event, f"paused by {event.agent_id}, owned by {contact.owner}")
        taken = self._contacts.get((event.key, event.paused_for))
        by = taken.medium if taken is not None else None
        if taken is not None and taken.offers:
            self._broken("P4", event, f"paused for {[*taken.offers]}, which nobody has accepted")
        why = self._agent(event.key, event.agent_id).breaks_pausing(event.contact_id, by)
        if why is not None:
            self._broken("P4", event, why)
        contact.pauses.since = event.at

    def _unpaused(self, contact: ContactView, event: routing.ContactResumed) -> None:
        why = self._agent(event.key, contact.owner or "").breaks_going_on(event.contact_id)
        if why is not None:
            self._broken("P4", event, why)
        contact.pauses.end(event.at)

    def _ended_now(
        self, contact: ContactView, event: routing.ContactClosed | routing.ContactAbandoned
    ) -> None:
        self._leaves(contact, event)
        place = (event.key, event.contact_id)
        del self._contacts[place]
        self._ended[place] = event.at
        self._ended_order.append((event.at, place))

    def _leaves(self, contact: ContactView, event: routing.ContactDecision) -> None:
        if contact.offers:
            self._broken("P6", event, f"{[*contact.offers]} never ended")
        if contact.owner is not None:
            self._agent(event.key, contact.owner).holds.pop(event.contact_id, None)
        contact.owner = None
        contact.offers.clear()
        contact.pauses.end(event.at)

    def _hold(self, event: routing.ContactDecision, agent: AgentView, more: Held) -> None:
        why = agent.breaks_capacity(event.contact_id, more)
        if why is not None:
            self._broken("P4", event, why)
        agent.holds[event.contact_id] = more

    # -- P6 and P9: what time alone breaks ----------------------------------------------------------------------

    def _time(self, now: int) -> None:
        for _, offer in self._expiring.due(now):
            self._still_live(now, *offer)
        for since, (key, contact_id) in self._waiting.due(now - self._wait_max):
            self._found.append(Violation("P9", key, contact_id, now, f"nobody was told since {since}"))
        while self._ended_order and self._ended_order[0][0] + ENDED_KEPT_SECONDS * SECOND < now:
            _, place = self._ended_order.popleft()
            del self._ended[place]
            for topic in (ROUTING, ESCALATIONS):
                self._sequences.pop((topic, "contact_id", *place), None)

    def _still_live(self, now: int, key: str, contact_id: str, offer_id: str) -> None:
        """Whether a live offer past its time has an excuse."""
        live = self._contacts[key, contact_id].offers[offer_id]
        excused_until = self._time_of(live) + self._offer_grace
        if now <= excused_until:
            self._expiring.add(excused_until, (key, contact_id, offer_id))
        else:
            detail = f"was due at {live.expires_at}, its owner began at {self._restored_at}"
            self._found.append(Violation("P6", key, offer_id, now, detail))

    def _is_live(self, _at: int, offer: tuple[str, str, str]) -> bool:
        key, contact_id, offer_id = offer
        contact = self._contacts.get((key, contact_id))
        return contact is not None and offer_id in contact.offers

    def _still_waits(self, since: int, place: tuple[str, str]) -> bool:
        contact = self._contacts.get(place)
        return contact is not None and contact.waits_since == since and not contact.flagged

    def _time_of(self, offer: LiveOffer) -> int:
        """When it has to end: after a take-over any of them may take longer."""
        return max(offer.expires_at, self._restored_at + TAKE_OVER_GRACE_SECONDS * SECOND)

    def _waits(self, contact: ContactView, event: Event, waits: bool, opens_at: int = 0) -> None:
        """Since now, or since its queue opens."""
        since = max(event.at, opens_at)
        contact.waits_since = since if waits else None
        if waits:
            self._waiting.add(since, (event.key, event.subject))

    def _told(self, event: ClockEvent) -> None:
        contact = self._contacts.get((event.key, event.contact_id))
        if isinstance(event, EscalationRaised) and contact is not None and contact.waits_since is not None:
            self._waits(contact, event, True)

    # -- what was found -----------------------------------------------------------------------------------------

    def _agent(self, key: str, agent_id: str) -> AgentView:
        agent = self._agents.get((key, agent_id))
        if agent is None:
            agent = AgentView() if self._from_start else AgentView(status=None, capacity=None)
            self._agents[key, agent_id] = agent
        return agent

    def _broken(self, promise: str, event: Event, detail: str) -> None:
        self._found.append(Violation(promise, event.key, event.subject, event.at, detail))

    def _drain(self) -> list[Violation]:
        found, self._found = self._found, []
        return found
