"""What happened outside, in one shape for every channel.

A provider's call, a platform's request and a CloudEvent all come to one of three happenings: somebody wrote
(`Received`), the company answered (`Answered`), or something that was written is gone (`Deleted`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from libs.common.events.base import SECOND
from libs.common.events.values import Medium, Reach, Requirement, Scalar, Tier, Visibility
from services.ingest.core.identity import Identity
from services.ingest.core.visibility import NO_REACH

FUTURE_SECONDS_MAX: Final = 300
"""How far a provider's clock may run ahead of ours."""
EARLIEST: Final = 946_684_800 * SECOND
"""2000-01-01: no channel of ours is older, so an earlier time is a mistake."""

WHAT_IS_NO_PROSE: Final = re.compile(r"https?://\S+|[@#]\w+")


@dataclass(frozen=True, kw_only=True)
class Received:
    """Somebody who isn't the company wrote. `conversation` is the channel's own key where it has one; otherwise
    `parent`, the source id of the message that this one answers, tells which conversation it belongs to."""

    source_id: str
    channel: str
    medium: Medium
    visibility: Visibility
    identities: tuple[Identity, ...]
    kind: str = "message"
    conversation: str | None = None
    parent: str | None = None
    text: str | None = None
    occurred_at: int | None = None
    tier: Tier | None = None
    language: str | None = None
    declared_language: str | None = None
    """What the channel believes; taken when the words tell nothing."""
    topics: tuple[str, ...] | None = None
    sentiment: float | None = None
    reach: Reach = NO_REACH
    requirement: Requirement | None = None
    queue: str | None = None
    incident_key: str | None = None
    attributes: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The company wrote in the provider's own app; ours only if it is part of a conversation that we know."""

    source_id: str
    visibility: Visibility
    conversation: str | None = None
    parent: str | None = None
    text: str | None = None
    occurred_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """The author took a message back."""

    source_id: str
    occurred_at: int | None = None


Happening = Received | Answered | Deleted


def bounded(occurred_at: int | None, received_at: int) -> int:
    """The provider's time when it can be true, else the time of receipt. Microseconds."""
    if occurred_at is None or not EARLIEST <= occurred_at <= received_at + FUTURE_SECONDS_MAX * SECOND:
        return received_at
    return occurred_at


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A message that another one answers. One of the company's own posts may belong to no contact."""

    conversation: str
    contact_id: str | None


def conversation_of(happening: Received | Answered, parent: Parent | None) -> str:
    """The key of a message's conversation.

    An answer to something we never saw belongs to the conversation that starts there. Everybody who answers one of
    the company's own posts has a conversation of their own: they are customers, not each other's bystanders.
    """
    if happening.conversation is not None:
        return happening.conversation
    if parent is None:
        return happening.parent or happening.source_id
    return happening.source_id if parent.contact_id is None else parent.conversation


def prose(text: str | None) -> str:
    """The words of a message, without addresses, handles and hashtags: what a language can be told from."""
    return WHAT_IS_NO_PROSE.sub(" ", text or "").strip()
