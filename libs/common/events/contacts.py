"""Facts from outside, written by ingest to `omniroute.contacts.v1`."""

from __future__ import annotations

from typing import ClassVar, Literal

from libs.common.events.base import CONTACTS, Event, Instant, Topic
from libs.common.events.values import Medium, Reach, Requirement, Scalar, Tier, Visibility


class ContactFact(Event, frozen=True, kw_only=True):
    topic: ClassVar[Topic | None] = CONTACTS
    contact_id: str


class Message(ContactFact, frozen=True, kw_only=True):
    """A message and all the router needs to know of its contact. `occurred_at` is the provider's time, bounded."""

    message_id: str
    account: str
    channel: str
    medium: Medium
    visibility: Visibility
    kind: str = "message"
    customer_id: str
    occurred_at: Instant
    language: str | None = None
    topics: tuple[str, ...] = ()
    sentiment: float = 0.0
    tier: Tier = "standard"
    strikes: int = 0
    last_agent: str | None = None
    reach: Reach = Reach()
    requirement: Requirement | None = None
    queue: str | None = None
    incident_key: str | None = None
    """What many contacts are about at once: where its queue groups, those with the same key are offered as one."""
    attributes: dict[str, Scalar] = {}


class ContactOpened(Message, frozen=True, kw_only=True):
    """A first message: a new piece of work."""

    type: ClassVar[str] = "contact.opened"
    later: ClassVar[tuple[str, ...]] = ("linked_to", "incident_key")
    repeat_of: str | None = None
    linked_to: str | None = None
    """The contact that was referred here, or whose customer is called back."""


class MessageAdded(Message, frozen=True, kw_only=True):
    """A later message of the conversation, by the customer or by somebody who joined in.

    When the customer writes and the contact is closed, the router opens `<contact>.r2` from these same fields.
    """

    type: ClassVar[str] = "contact.message_added"
    later: ClassVar[tuple[str, ...]] = ("incident_key",)
    author: Literal["customer", "bystander"] = "customer"


class ContactEnriched(ContactFact, frozen=True, kw_only=True):
    """Language, topics or sentiment became known after the opening. None leaves a field as it is."""

    type: ClassVar[str] = "contact.enriched"
    language: str | None = None
    topics: tuple[str, ...] | None = None
    sentiment: float | None = None


class ReachChanged(ContactFact, frozen=True, kw_only=True):
    """How many can see the contact, and how often it was shared, by now; told also when that has not grown."""

    type: ClassVar[str] = "contact.reach_changed"
    reach: Reach


class ResponseObserved(ContactFact, frozen=True, kw_only=True):
    """The company answered, here or in the provider's own app. An automatic reply answers nothing."""

    type: ClassVar[str] = "contact.response_observed"
    later: ClassVar[tuple[str, ...]] = ("moved_to_private",)
    message_id: str | None = None
    agent_id: str | None = None
    visibility: Visibility
    occurred_at: Instant
    automatic: bool = False
    moved_to_private: bool = False
    """It says in public that the conversation goes on in private."""


class CustomerLeft(ContactFact, frozen=True, kw_only=True):
    """The customer hung up or closed the chat."""

    type: ClassVar[str] = "contact.customer_left"
    occurred_at: Instant
    reason: str = "customer_left"


class ContactWithdrawn(ContactFact, frozen=True, kw_only=True):
    """The author deleted what opened the contact: nobody need answer it any more."""

    type: ClassVar[str] = "contact.withdrawn"
    occurred_at: Instant
    reason: str = "deleted_by_author"


CONTACT_EVENTS: tuple[type[Event], ...] = (
    ContactOpened,
    MessageAdded,
    ContactEnriched,
    ReachChanged,
    ResponseObserved,
    CustomerLeft,
    ContactWithdrawn,
)
