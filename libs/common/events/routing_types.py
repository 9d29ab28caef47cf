"""Every type of decision on `omniroute.routing.v1`."""

from __future__ import annotations

from libs.common.events import consults, in_private, routing, rules
from libs.common.events.base import Event

ROUTING_EVENTS: tuple[type[Event], ...] = (
    routing.ContactQueued,
    routing.ContactOffered,
    routing.OfferAccepted,
    routing.OfferDeclined,
    routing.OfferExpired,
    routing.OfferWithdrawn,
    routing.ContactAssigned,
    routing.ContactBrokeOut,
    routing.ContactReleased,
    routing.ContactTransferred,
    routing.ContactReferred,
    routing.ContactCallbackRequested,
    consults.ContactConsulted,
    routing.ContactRelaxed,
    routing.ContactOverflowed,
    routing.ContactPriorityChanged,
    routing.ContactPaused,
    routing.ContactParked,
    routing.ContactResumed,
    routing.ContactUnroutable,
    routing.ContactWrapUpStarted,
    routing.ContactWrapUpExtended,
    routing.ContactWrapUpEnded,
    routing.ContactClosed,
    routing.ContactAbandoned,
    routing.AgentPresenceChanged,
    routing.AgentUpdated,
    rules.QueueUpdated,
    rules.PoolUpdated,
    rules.PolicyUpdated,
    in_private.ContactMovedToPrivate,
    in_private.ContactPrivateAcknowledged,
    in_private.ContactReturnedToPublic,
)
