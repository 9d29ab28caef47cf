"""What a channel's file provides, and what it is given: bytes in, happenings out, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from libs.common.errors import Problem
from services.ingest.core.normalize import Happening

Secrets = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A provider's request. Signatures are over `raw`; `headers` have lower-case names."""

    account: str
    raw: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]
    now: int
    """Microseconds since 1970 UTC."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a call said: what happened, and the kinds of what was acknowledged and is no contact."""

    happenings: tuple[Happening, ...] = ()
    ignored: tuple[str, ...] = ()


class Refused(Problem):
    """The call is not the provider's, or not for this account. `reason` is a tag for the metric."""

    status, code = 403, "webhook_refused"

    def __init__(self, reason: str, detail: str, *, status: int = 403) -> None:
        super().__init__(detail, status=status)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A channel: how it proves who calls, and what its calls mean. Every function is pure.

    `verify` and `challenge` raise Refused; `read` raises Malformed, Invalid, or Refused for another account's call.
    """

    name: str
    secrets: frozenset[str]
    """The names of the secrets that it knows."""
    required: frozenset[str]
    """Those that an account can't do without."""
    wrong: Callable[[Secrets], Mapping[str, str]]
    """Which of the secrets can't be used, and why."""
    challenge: Callable[[Call, Secrets], dict[str, Any]]
    """The answer to the provider's GET."""
    verify: Callable[[Call, Secrets], None]
    read: Callable[[Call, Secrets], Reading]
    """What a verified call says."""
