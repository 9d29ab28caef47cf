"""Ids that say nothing of whom they are for: `con_01JD3K…`, in order of time and never guessable."""

from __future__ import annotations

import secrets
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""
TIME_DIGITS: Final = 10
CHANCE_DIGITS: Final = 16
"""80 bits of chance."""


def new_id(prefix: str, now: int) -> str:
    """`<prefix>_` and 26 digits: 10 of the time (milliseconds), 16 of chance."""
    return f"{prefix}_{_digits(now // 1_000, TIME_DIGITS)}{_digits(secrets.randbits(80), CHANCE_DIGITS)}"


def _digits(number: int, count: int) -> str:
    return "".join(ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(count)))
