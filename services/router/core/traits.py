"""What queues and targets match a contact by, as a message shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from libs.common.events.contacts import Message
from libs.common.events.values import Medium, Scalar, Visibility
from services.router.core.policy import audience


class MessageTraits(NamedTuple):
    """All that a queue's rule can compare, and what `libs.common.promises` matches on."""

    channel: str
    medium: Medium
    visibility: Visibility
    account: str
    queue: str
    tier: str
    language: str | None
    topics: tuple[str, ...]
    sentiment: float
    reach: int
    strikes: int
    attributes: Mapping[str, Scalar]


def traits_of(message: Message, queue: str, strikes: int) -> MessageTraits:
    return MessageTraits(
        message.channel, message.medium, message.visibility, message.account, queue,
        message.tier, message.language, message.topics, message.sentiment,
        audience(message.visibility, message.reach), strikes, message.attributes,
    )  # fmt: skip
