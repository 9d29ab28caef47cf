"""When two addresses are the same one. Identities are linked by address or by an explicit call, never by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PHONE_CHANNELS: Final = frozenset({"voice", "phone", "sms", "whatsapp"})
PHONE_PUNCTUATION: Final = re.compile(r"[\s().\-/]")
PHONE: Final = re.compile(r"\+?\d{3,20}")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person's address on one channel; the rest is what the channel shows of them."""

    channel: str
    address: str
    handle: str | None = None
    name: str | None = None
    verified: bool = False

    @property
    def place(self) -> tuple[str, str]:
        return self.channel, self.address


def same_form(channel: str, address: str) -> str:
    """The form under which an address is kept, so that two spellings of one address meet."""
    address = address.strip()
    if channel in PHONE_CHANNELS:
        return _phone(address)
    return address.casefold() if "@" in address else address


def _phone(address: str) -> str:
    """`0039 06/123-45` → `+390612345`; what is no number stays as it is."""
    digits = PHONE_PUNCTUATION.sub("", address)
    if not PHONE.fullmatch(digits):
        return address.casefold()
    return "+" + digits[2:] if digits.startswith("00") else digits
