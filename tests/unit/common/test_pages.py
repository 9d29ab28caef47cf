"""Cursors: opaque, ours, and never a way in."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from libs.common.http import PageRequest, decode_cursor, encode_cursor, page_of

keys = st.lists(
    st.integers(1 - 2**63, 2**63 - 1) | st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126))
)


@given(keys)
def test_a_cursor_brings_back_its_key(key: list[str | int]) -> None:
    assert decode_cursor(encode_cursor(*key)) == tuple(key)


def word(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "!", "a", word(b"x"), word(b"{}"), word(b"[null]"), word(b"[1.5]"), word(b"[true]"), word(b"[[1]]"),
     word(b'["\\u0000"]'), word(b'["\\ud800"]'), word(b"[9223372036854775808]"), word(b"[" * 5_000), word(b"\xff")],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_cursor(cursor)
    assert refused.value.errors[0].pointer == "/cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    request = PageRequest(after=("a", 1))
    assert request.keys(str, int) == ("a", 1)
    with pytest.raises(Invalid):
        request.keys(str)


@pytest.mark.parametrize(("rows", "shown", "more"), [(0, 0, False), (1, 1, False), (2, 2, False), (3, 2, True)])
def test_there_is_a_next_page_when_there_are_more_rows(rows: int, shown: int, more: bool) -> None:
    request = PageRequest(limit=2)
    page = page_of(list(range(rows)), request, str, lambda row: (row,))
    assert page.items == [str(row) for row in range(shown)]
    assert (page.next_cursor is not None) is more
    if page.next_cursor:
        assert decode_cursor(page.next_cursor) == (1,)
