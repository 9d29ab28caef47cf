"""What happens to every request before its handler sees it: the door, the limits, the body, the Idempotency-Key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from libs.common import strict_json
from libs.common.auth import RequireRole, identify
from libs.common.caller import Caller
from libs.common.errors import Invalid, Problem, TooLarge, Unavailable, UnsupportedMedia
from libs.common.idempotency import Idempotency, Scope, checked_key
from libs.common.parts import optional_part
from libs.common.problems import problem_response
from libs.common.rate_limit import Gate, RateLimit

BODY_BYTES_MAX: Final = 1_048_576
"""A route with `max_body_size` says its own."""
BODY_SECONDS_MAX: Final = 30
"""A body that takes longer holds a place at the gate for nothing."""
STRANGERS_AT_ONCE_MAX: Final = 32
"""Bodies from whoever that a route without a door waits for at once: a few of the places that everybody shares."""
IDEMPOTENCY_KEY: Final = "idempotency-key"

Answer = Callable[[Request], Awaitable[Response]]


class CappedRequest(Request):
    """Reads its body once, up to a cap, and its JSON strictly."""

    def __init__(self, request: Request, body_bytes_max: int, gate: Gate | None) -> None:
        """`gate` bounds how many bodies are waited for at once."""
        super().__init__(request.scope, request.receive)
        self._bytes_max = body_bytes_max
        self._gate = gate
        self._read: bytes | None = None
        self._value: Any = None

    async def body(self) -> bytes:
        """Raises TooLarge as soon as more has arrived, Unavailable when too many bodies are waited for."""
        if self._read is None:
            with _place_at(self._gate):
                self._read = await self._read_all()
        return self._read

    async def json(self) -> Any:
        """Raises Malformed or TooLarge."""
        if self._value is None:
            self._value = await strict_json.loads_beside(await self.body())
        return self._value

    async def _read_all(self) -> bytes:
        chunks = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                async for chunk in self.stream():
                    chunks += chunk
                    if len(chunks) > self._bytes_max:
                        raise TooLarge(f"a body may have {self._bytes_max} bytes")
        except TimeoutError:
            raise Problem("the body came too slowly", status=408, code="request_timeout") from None
        return bytes(chunks)


class ApiRoute(APIRoute):
    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, max_body_size: int | None = None, **options: Any
    ) -> None:
        self.body_bytes_max = max_body_size or BODY_BYTES_MAX  # The framework's own limit answers in plain text.
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Any]:
        answer, doors = super().get_route_handler(), doors_of(self.dependant)
        gate = None if doors else Gate(STRANGERS_AT_ONCE_MAX)

        async def handle(request: Request) -> Response:
            known = await self._admit(request, doors)
            refuse_nul(request)
            capped = CappedRequest(request, self.body_bytes_max, gate)
            await self._read(capped)
            return await idempotent(capped, known, answer)

        return handle

    async def _admit(self, request: Request, doors: list[RequireRole]) -> Caller | None:
        """Who has no business here is told before the body is read."""
        known = await identify(request)
        for door in doors:
            door.check(known)
        limit: RateLimit | None = optional_part(request, RateLimit)
        if limit and known:
            await limit.take(known.workspace, known.key_id)
        return known

    async def _read(self, request: CappedRequest) -> None:
        """The cap for every body; JSON, and only that, where the handler takes a model."""
        if request.method in ("GET", "HEAD"):
            return
        body = await request.body()
        if self.body_field is None or not body:
            return
        if not is_json(request.headers.get("content-type", "")):
            raise UnsupportedMedia("the body must be application/json")
        await request.json()


class ApiRouter(APIRouter):
    """A router whose routes are ApiRoutes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"route_class": ApiRoute, "redirect_slashes": False, **options})


def doors_of(dependant: Dependant) -> list[RequireRole]:
    """Every role that the handler or what it depends on asks for."""
    own = [dependant.call] if isinstance(dependant.call, RequireRole) else []
    return [*own, *(door for inner in dependant.dependencies for door in doors_of(inner))]


@contextmanager
def _place_at(gate: Gate | None) -> Iterator[None]:
    if gate and not gate.enter():
        raise Unavailable("too many requests at once; try again", code="overloaded")
    try:
        yield
    finally:
        if gate:
            gate.leave()


def is_json(content_type: str) -> bool:
    """`application/json` or `application/…+json`, in UTF-8 if a charset is named."""
    kind, _, parameters = content_type.lower().partition(";")
    kind, charset = kind.strip(), parameters.strip().replace('"', "").removeprefix("charset=")
    json_kind = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    return json_kind and ("charset=" not in parameters or charset in ("utf-8", "utf8"))


def refuse_nul(request: Request) -> None:
    """U+0000 in a path or a query is in nobody's id, and PostgreSQL doesn't take it."""
    if "\x00" in request.url.path or "%00" in request.url.query:
        raise Invalid("U+0000 is not accepted")


async def idempotent(request: CappedRequest, known: Caller | None, answer: Answer) -> Response:
    """Answer a POST under its Idempotency-Key; anything else as it is."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    memory: Idempotency | None = optional_part(request, Idempotency)
    if request.method != "POST" or key is None or known is None or memory is None:
        return await answer(request)
    scope = Scope(known.workspace, known.key_id, request.url.path, checked_key(key))
    content = request.url.query.encode() + b"\x00" + await request.body()
    return await memory.answer(scope, content, lambda: _refusals_too(request, answer))


async def _refusals_too(request: Request, answer: Answer) -> Response:
    """A refusal by the handler is an answer like any other: a repeat gets it again."""
    try:
        return await answer(request)
    except Problem as problem:
        return problem_response(problem)
