"""Recorded conversations: rows that share a message are one, and delivery is in the provider's order."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.all.recorded import UnreadableRow, deliveries, merge_rows, read_conversations

ROW = '{{"conversation": "{name}", "brand": "b", "messages": [{messages}]}}\n'
MESSAGE = '{{"id": "{id}", "at": "2020-01-01T00:00:0{id}Z", "from": "customer", "author": "u", "text": "{text}"}}'


def row(name: str, *ids: int) -> str:
    return ROW.format(name=name, messages=", ".join(MESSAGE.format(id=one, text=name) for one in ids))


def written(folder: Path, *rows: str) -> Path:
    path = folder / "conversations.jsonl"
    path.write_text("".join(rows))
    return path


def test_rows_that_share_a_message_are_one_and_the_first_copy_stands(tmp_path: Path) -> None:
    conversations = read_conversations(written(tmp_path, row("a", 1, 3), row("b", 2), row("c", 3, 4)))
    assert [[(message.id, message.text) for message in one.messages] for one in conversations] == [
        [("1", "a"), ("3", "a"), ("4", "c")],
        [("2", "b")],
    ]


def test_delivery_is_in_message_order_and_the_last_one_closes(tmp_path: Path) -> None:
    conversations = read_conversations(written(tmp_path, row("a", 3, 1), row("b", 2)))
    assert [(one.message.id, one.last) for one in deliveries(conversations)] == [("1", False), ("2", True), ("3", True)]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRow, match="line 2"):
        read_conversations(written(tmp_path, row("a", 1), '{"conversation": "x"}\n'))


def test_the_public_conversations_are_523(test_data: Path) -> None:
    conversations = read_conversations(test_data / "data" / "public_care_conversations.jsonl")
    assert (len(conversations), len(merge_rows(conversations)), len(deliveries(conversations))) == (523, 523, 1205)
