"""What an outbox says on the log: the place of a record in its partition's outbox.

A relay that dies between its append and noting it appends again. So every record that comes through an outbox
carries its outbox position, which ascends in the partition without gaps; a reader keeps the last one it took and
drops what is not above it. `relay_repeats` is that rule for readers that aren't the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OUTBOX_HEADER: Final = "omni-outbox"
"""The header's name; its value is the position, a decimal number from 1."""


def outbox_position(headers: Mapping[str, str]) -> int | None:
    """The record's place in its partition's outbox; None for a record that came through none."""
    position = headers.get(OUTBOX_HEADER)
    return int(position) if position is not None and position.isdecimal() else None


def relay_repeats(headers: Mapping[str, str], last_taken: int) -> bool:
    """Whether this record was taken before: its outbox position is not above the last one taken."""
    position = outbox_position(headers)
    return position is not None and position <= last_taken
