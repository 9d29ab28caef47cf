"""What the services that answer about one contact may ask each other within a process: parts, by these types.

Ingest knows a contact from its first message; the router knows where it stands once it has read of it. Neither is
needed for the other to work: each asks `optional_part`.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from libs.common.events.contacts import ContactOpened
from libs.common.events.values import Medium, Reach, Requirement, Scalar, Tier, Visibility


class ReceivedContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as ingest has it, with all its attributes (the log has only the routable ones)."""

    contact_id: str
    account: str
    channel: str
    medium: Medium
    visibility: Visibility
    customer_id: str
    opened_at: int
    tier: Tier
    repeat_of: str | None
    linked_to: str | None = None
    reach: Reach
    language: str | None
    topics: tuple[str, ...]
    sentiment: float
    attributes: dict[str, Scalar]


class ContactDirectory(Protocol):
    """Who knows of contacts before the router does: ingest provides it."""

    async def known(self, workspace: str, contact_id: str) -> bool:
        """Whether this contact was received."""
        ...

    async def find(self, workspace: str, contact_id: str) -> ReceivedContact | None: ...


class ExpectedWait(msgspec.Struct, frozen=True, kw_only=True):
    """Until an agent has it: seconds and the bounds that hold four times in five, or the reason why nobody knows."""

    expected_wait_seconds: float | None = None
    expected_wait_interval: tuple[float, float] | None = None
    expected_wait_unknown: str | None = None


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a contact stands in the router."""

    state: str
    queue: str | None = None
    position: int | None = None
    wait: ExpectedWait | None = None
    unroutable: str | None = None
    """Why nobody can or will take it, or that its queue refused it."""


class ChannelWait(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes to a human on a channel, for somebody who comes now and is like those who came last."""

    channel: str
    medium: Medium
    pool: str
    queue: str
    wait: ExpectedWait


class QueueVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue would say of a contact: `failed` points into its configuration, to the first thing that fails."""

    queue: str
    order: int
    matched: bool
    failed: str | None = None


class Onward(msgspec.Struct, frozen=True, kw_only=True):
    queue: str
    reason: str


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What the router would do with a contact that came now."""

    pool: str
    queue: str
    """Where it would wait in the end."""
    because: Literal["asked_for", "matched", "no_match"]
    queues: tuple[QueueVerdict, ...] = ()
    overflows: tuple[Onward, ...] = ()
    """From the queue that takes it on to the others."""
    refused: str | None = None
    opens_at: int | None = None
    requirement: Requirement
    """The queue's part of what it would need."""
    target: str | None = None
    target_seconds: int


class RoutingView(Protocol):
    """Who knows where a contact stands: the router provides it."""

    async def placed(self, workspace: str, contact_id: str) -> Placed | None:
        """None as long as the router hasn't seen the contact."""
        ...

    async def channels(self, workspace: str) -> list[ChannelWait]:
        """The channels on which somebody came within the last hour, the soonest way to a human first."""
        ...

    async def rehearse(self, opened: ContactOpened) -> Rehearsed:
        """Where this contact would go if it came now, and why. Nothing happens."""
        ...
