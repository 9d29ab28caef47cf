"""Recorded conversations as a JSONL file: read, made one where rows share a message, and put in order.

A row is `{"conversation", "brand", "messages": [{"id", "at", "from", "author", "text"}]}`; `from` is `customer`,
`agent` or `bystander`, `at` RFC 3339, ids ascend with the provider's own order.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from libs.common.events.codec import instant


class RecordedMessage(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    at: str
    sender: Literal["customer", "agent", "bystander"] = msgspec.field(name="from")
    author: str
    text: str

    @property
    def instant(self) -> int:
        return instant(self.at)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation; its messages in the order of their ids."""

    conversation: str
    brand: str
    messages: tuple[RecordedMessage, ...]

    @property
    def root(self) -> RecordedMessage:
        return self.messages[0]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way in. `last` closes its conversation."""

    conversation: Recorded
    message: RecordedMessage
    last: bool


class UnreadableRow(Exception):
    """The file isn't what it should be; the message names the line."""


def read_conversations(path: Path) -> list[Recorded]:
    """Every conversation of the file. Raises UnreadableRow."""
    with path.open("rb") as lines:
        rows = [_row(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    return merge_rows(rows)


def _row(number: int, line: bytes) -> Recorded:
    try:
        row = msgspec.json.decode(line, type=Recorded)
        assert row.messages, "a conversation has messages"
        return msgspec.structs.replace(row, messages=_in_order(row.messages))
    except (msgspec.MsgspecError, ValueError, AssertionError) as error:
        raise UnreadableRow(f"line {number}: {error}") from error


def _in_order(messages: Iterable[RecordedMessage]) -> tuple[RecordedMessage, ...]:
    return tuple(sorted(messages, key=lambda message: int(message.id)))


def merge_rows(rows: Iterable[Recorded]) -> list[Recorded]:
    """Rows that share a message id are one conversation, and the first row's copy of the message stands."""
    merged: list[dict[str, RecordedMessage]] = []
    heads: list[Recorded] = []
    home: dict[str, int] = {}
    for row in rows:
        place = next((home[message.id] for message in row.messages if message.id in home), len(merged))
        if place == len(merged):
            merged.append({})
            heads.append(row)
        for message in row.messages:
            merged[place].setdefault(message.id, message)
            home.setdefault(message.id, place)
    return [
        msgspec.structs.replace(head, messages=_in_order(messages.values()))
        for head, messages in zip(heads, merged, strict=True)
    ]


def deliveries(conversations: Iterable[Recorded]) -> list[Delivery]:
    """All messages of all conversations in the order of their ids, which is the provider's own."""
    every = [
        Delivery(conversation=one, message=message, last=message is one.messages[-1])
        for one in conversations
        for message in one.messages
    ]
    return sorted(every, key=lambda delivery: int(delivery.message.id))
