"""Ids that say nothing of whom they are for: `con_01JD3K…`, never guessable."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""
TIME_DIGITS: Final = 10
CHANCE_DIGITS: Final = 16
"""80 bits of chance."""


def new_id(prefix: str, now: int) -> str:
    """`<prefix>_` and 26 digits in order of time: 10 of the time (milliseconds), 16 of chance."""
    return f"{prefix}_{_digits(now // 1_000, TIME_DIGITS)}{_digits(secrets.randbits(80), CHANCE_DIGITS)}"


def id_under(prefix: str, command_id: str) -> str:
    """`<prefix>_` and 26 digits that are the same whenever a request is run again under this command id."""
    digest = hashlib.blake2b(command_id.encode(), digest_size=16).digest()
    return f"{prefix}_{_digits(int.from_bytes(digest), TIME_DIGITS + CHANCE_DIGITS)}"


def _digits(number: int, count: int) -> str:
    return "".join(ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(count)))
