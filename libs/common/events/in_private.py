"""The router's decisions on public conversations that go on in private, on `omniroute.routing.v1` like its others.

Boosts and score terms are integers in thousandths.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from libs.common.events.routing import ContactDecision
from libs.common.events.values import Visibility


class ContactMovedToPrivate(ContactDecision, frozen=True, kw_only=True):
    """A public contact was answered and goes on in private: only the two see it from now on. It keeps its agent."""

    type: ClassVar[str] = "contact.moved_to_private"
    agent_id: str | None = None
    announced: bool
    """A response said so in public; False when the first private message or response shows it."""
    boost: int
    terms: dict[str, int]
    policy_version: int = 0


class ContactPrivateAcknowledged(ContactDecision, frozen=True, kw_only=True):
    """Somebody was seen to write in private: the conversation has really moved."""

    type: ClassVar[str] = "contact.private_acknowledged"
    agent_id: str | None = None
    by: Literal["customer", "company"]


class ContactReturnedToPublic(ContactDecision, frozen=True, kw_only=True):
    """What had moved to private is seen again by as many as before."""

    type: ClassVar[str] = "contact.returned_to_public"
    agent_id: str | None = None
    reason: Literal["not_acknowledged", "wrote_in_public"]
    visibility: Visibility
    reach: int
    boost: int
    terms: dict[str, int]
    policy_version: int = 0
