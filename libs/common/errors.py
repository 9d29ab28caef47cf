"""What a caller is told when it doesn't work: one exception tree, one wire form (RFC 9457).

    Problem
    ├── Malformed 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409
    ├── TooLarge 413 · UnsupportedMedia 415 · Invalid 422 ── NotSupported 422 · IdempotencyKeyReused 422
    ├── TooMany 429
    └── Unavailable 503 ── OutcomeUnknown 503

`detail` and `errors` are read by strangers and kept by logs: they name fields and rules, never what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final

import msgspec

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:omniroute:problem:"
RETRY_AFTER_SECONDS_DEFAULT: Final = 1


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong in a body: where (JSON pointer, `/match/visibility`) and which rule it breaks."""

    pointer: str
    detail: str


class Problem(Exception):
    """A refusal with its HTTP status and its stable `code`; `members` are added to the body as they are."""

    status: int = 500
    code: str = "internal"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        code: str | None = None,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds until it is worth trying again."""
        self.code = code or self.code
        self.status = status or self.status
        self.members = dict(members or {})

    def body(self, trace_id: str | None) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            **self.members,
            "type": TYPE_PREFIX + self.code,
            "title": title_of(self.status),
            "status": self.status,
            "code": self.code,
            "detail": self.detail or title_of(self.status),
            "errors": [msgspec.to_builtins(error) for error in self.errors],
            "trace_id": trace_id,
        }

    def all_headers(self) -> dict[str, str]:
        """The headers that go with this status."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


class Malformed(Problem):
    """The body is no JSON that every reader would read the same way."""

    status, code = 400, "malformed"


class Unauthorized(Problem):
    status, code = 401, "unauthorized"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="omniroute"'}


class Forbidden(Problem):
    status, code = 403, "forbidden"


class NotFound(Problem):
    status, code = 404, "not_found"


class Conflict(Problem):
    status, code = 409, "conflict"


class TooLarge(Problem):
    status, code = 413, "too_large"


class UnsupportedMedia(Problem):
    status, code = 415, "unsupported_media_type"


class Invalid(Problem):
    status, code = 422, "invalid"


class NotSupported(Invalid):
    """A field whose behaviour isn't built was set to something other than its neutral value."""

    code = "not_supported"


class IdempotencyKeyReused(Invalid):
    code = "idempotency_key_reused"


class TooMany(Problem):
    status, code = 429, "too_many_requests"


class Unavailable(Problem):
    """Not now; always says when to try again."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str = "", *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(detail, retry_after=retry_after or RETRY_AFTER_SECONDS_DEFAULT, **more)


class OutcomeUnknown(Unavailable):
    """The command is on the log and its answer didn't come in time: `GET /v1/commands/{command_id}` tells it."""

    code = "outcome_unknown"

    def __init__(self, command_id: str) -> None:
        super().__init__(
            "the outcome is not known yet; ask /v1/commands/{command_id}", members={"command_id": command_id}
        )


def title_of(status: int) -> str:
    """The reason phrase of an HTTP status; the class's phrase for a status without one."""
    known = status in HTTPStatus._value2member_map_
    return HTTPStatus(status).phrase if known else HTTPStatus(status // 100 * 100).phrase
