"""What a message means for the contact of its conversation: it opens one, or it joins the one that is there.

Ingest never decides that a contact is reopened. A message that finds its contact closed is still added to it: the
router, which alone knows the truth at that moment, opens the repeat contact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, Literal

from libs.common.events.contacts import ContactOpened, MessageAdded
from libs.common.events.values import Medium, Reach, Requirement, Scalar, Tier, Visibility
from services.ingest.core.normalize import Received
from services.ingest.core.visibility import NO_REACH, widest

Author = Literal["customer", "bystander", "company"]
MessageAuthor = Literal["customer", "bystander"]
State = Literal["open", "closed", "withdrawn"]
SENTIMENT_UNKNOWN: Final = 0.0
ATTRIBUTES_MAX: Final = 50
"""Of one message, and of a contact."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """What ingest knows of a contact."""

    contact_id: str
    key: str
    account: str
    channel: str
    medium: Medium
    visibility: Visibility
    customer_id: str
    opened_at: int
    conversation: str | None
    """None once its customer was erased: nobody can join it any more."""
    state: State = "open"
    sequence: int = 0
    repeat_of: str | None = None
    linked_to: str | None = None
    """The contact that was referred here, or whose customer is called back."""
    language: str | None = None
    topics: tuple[str, ...] = ()
    sentiment: float = SENTIMENT_UNKNOWN
    tier: Tier = "standard"
    reach: Reach = NO_REACH
    requirement: Requirement | None = None
    queue: str | None = None
    incident_key: str | None = None
    attributes: dict[str, Scalar] = field(default_factory=dict)

    @property
    def pool(self) -> str:
        return self.key.split("/", 1)[1]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who wrote, and what the company owes them."""

    customer_id: str
    tier: Tier
    strikes: int
    last_agent: str | None


def opened(
    received: Received, writer: Writer, *, contact_id: str, key: str, account: str, conversation: str, at: int
) -> Contact:
    """The contact that a first message opens."""
    return Contact(
        contact_id=contact_id, key=key, account=account, conversation=conversation, opened_at=at,
        customer_id=writer.customer_id, tier=writer.tier,
        channel=received.channel, medium=received.medium, visibility=received.visibility,
        language=received.language, topics=received.topics or (), sentiment=received.sentiment or SENTIMENT_UNKNOWN,
        reach=received.reach, requirement=received.requirement, queue=received.queue,
        incident_key=received.incident_key, attributes=dict(received.attributes),
    )  # fmt: skip


def joined(contact: Contact, received: Received, writer: Writer) -> Contact:
    """The contact after its customer wrote again. What a message doesn't say stays as it was."""
    return replace(
        contact, tier=writer.tier, visibility=received.visibility, reach=widest(contact.reach, received.reach),
        language=received.language or contact.language,
        topics=contact.topics if received.topics is None else received.topics,
        sentiment=contact.sentiment if received.sentiment is None else received.sentiment,
        requirement=received.requirement or contact.requirement, queue=received.queue or contact.queue,
        incident_key=received.incident_key or contact.incident_key,
        attributes=_first(contact.attributes | received.attributes),
    )  # fmt: skip


def _first(attributes: dict[str, Scalar]) -> dict[str, Scalar]:
    """What is too much is dropped: no message is lost for it."""
    return dict(islice(attributes.items(), ATTRIBUTES_MAX))


def overheard(contact: Contact, received: Received) -> Contact:
    """The contact after somebody else joined in: only more people can see it."""
    return replace(contact, reach=widest(contact.reach, received.reach))


def author_of(contact: Contact, customer_id: str) -> MessageAuthor:
    """A contact is its customer's; whoever else writes has joined in."""
    return "customer" if customer_id == contact.customer_id else "bystander"


def opening(contact: Contact, writer: Writer, *, message: dict[str, Any], routable: Iterable[str]) -> ContactOpened:
    links: dict[str, Any] = {"repeat_of": contact.repeat_of, "linked_to": contact.linked_to}
    return ContactOpened(**_of(contact, writer, routable), **links, **message)


def addition(
    contact: Contact, writer: Writer, author: MessageAuthor, *, message: dict[str, Any], routable: Iterable[str]
) -> MessageAdded:
    return MessageAdded(**_of(contact, writer, routable), author=author, **message)


def _of(contact: Contact, writer: Writer, routable: Iterable[str]) -> dict[str, Any]:
    """All that the router needs to know of a contact. Only what the account declares routable leaves ingest."""
    attributes = {name: contact.attributes[name] for name in sorted(routable) if name in contact.attributes}
    names = ("contact_id", "key", "account", "channel", "medium", "visibility", "customer_id", "language", "topics",
             "sentiment", "tier", "reach", "requirement", "queue", "incident_key")  # fmt: skip
    return {
        **{name: getattr(contact, name) for name in names},
        "strikes": writer.strikes,
        "last_agent": writer.last_agent,
        "attributes": attributes,
    }


@dataclass(frozen=True, kw_only=True)
class Line:
    """A message of a contact as far as being owed an answer goes, in the order of receipt."""

    author: Author
    deleted: bool
    opens: bool
    automatic: bool = False


def nobody_need_answer(lines: Iterable[Line]) -> bool:
    """What opened the contact is gone, and the customer has nothing else that waits for an answer."""
    opener_gone, waiting = False, 0
    for line in lines:
        if line.author == "company" and not line.automatic:
            waiting = 0
        elif line.author == "customer" and not line.deleted:
            waiting += 1
        opener_gone = opener_gone or (line.opens and line.deleted)
    return opener_gone and waiting == 0
