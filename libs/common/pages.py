"""Lists in pages: `?limit=&cursor=` → `{"items": [], "next_cursor": null}`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from libs.common.errors import FieldError, Invalid

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
CURSOR_CHARACTERS_MAX: Final = 1_024

T = TypeVar("T")
Row = TypeVar("Row")


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = None


@dataclass(frozen=True)
class PageRequest:
    """Which page is asked for: rows after the sort key `after`, at most `limit`."""

    limit: int = LIMIT_DEFAULT
    after: tuple[str | int, ...] | None = None

    @property
    def fetch(self) -> int:
        """How many rows to select: one more than shown, to know whether there is a next page."""
        return self.limit + 1

    def keys(self, *kinds: type[str] | type[int]) -> tuple[Any, ...] | None:
        """The sort key of the last row seen, None on the first page. Raises Invalid for a cursor not ours."""
        if self.after is None:
            return None
        if tuple(type(key) for key in self.after) != kinds:
            raise _not_ours()
        return self.after


def page_request(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS_MAX)] = None,
) -> PageRequest:
    return PageRequest(limit=limit, after=None if cursor is None else decode_cursor(cursor))


Paging = Annotated[PageRequest, Depends(page_request)]
"""A parameter of a handler that answers a list."""


def page_of(
    rows: Sequence[Row], request: PageRequest, show: Callable[[Row], T], key: Callable[[Row], Sequence[str | int]]
) -> Page[T]:
    """The page of up to `request.fetch` selected rows; `key` is what they are sorted by."""
    shown = rows[: request.limit]
    more = len(rows) > request.limit
    return Page(items=[show(row) for row in shown], next_cursor=encode_cursor(*key(shown[-1])) if more else None)


def encode_cursor(*key: str | int) -> str:
    """A sort key as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[str | int, ...]:
    """Raises Invalid for what `encode_cursor` didn't make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _not_ours() from None
    if not isinstance(key, list) or not all(_is_plain(item) for item in key):
        raise _not_ours()
    return tuple(key)


def _is_plain(item: object) -> bool:
    if isinstance(item, str):
        return item.isprintable()
    return type(item) is int and abs(item) < 2**63


def _not_ours() -> Invalid:
    return Invalid("unknown cursor", errors=[FieldError("/cursor", "is no cursor of this list")])
