"""Around every request: a span, the metrics, the overload gate, the security headers, and the last resort."""

from __future__ import annotations

import time
from typing import Final

from anyio import BrokenResourceError
from opentelemetry.trace import Span, SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import telemetry
from libs.common.errors import Problem, Unavailable
from libs.common.problems import problem_response
from libs.common.rate_limit import Gate
from libs.common.telemetry import log

UNMATCHED: Final = "unmatched"
CLIENT_GONE: Final = 499
"""In the metrics: the client left before it had sent its body."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNGATED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""A response that says otherwise keeps its own."""


class _Exchange:
    """One request and what has been answered so far."""

    def __init__(self, scope: Scope, send: Send, gate: Gate | None) -> None:
        self.scope = scope
        self.status = 0
        self.seconds = 0.0
        self._send = send
        self._gate = gate
        self._began = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._on_start(message)
        await self._send(message)

    def _on_start(self, message: Message) -> None:
        self.status = message["status"]
        self.seconds = time.perf_counter() - self._began
        headers = MutableHeaders(scope=message)
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if headers.get("content-type", "").startswith("text/event-stream"):
            self.leave()  # A stream lasts for hours and costs little: it takes no place at the gate.

    def leave(self) -> None:
        gate, self._gate = self._gate, None
        if gate:
            gate.leave()

    @property
    def route(self) -> str:
        """The route's template: a path would have ids in it."""
        return str(getattr(self.scope.get("route"), "path", UNMATCHED))


def is_client_gone(failure: BaseException) -> bool:
    """Whether the client left in the middle: a body that ended early, a stream that nobody reads any more."""
    if isinstance(failure, BaseExceptionGroup):
        return all(is_client_gone(one) for one in failure.exceptions)
    return isinstance(failure, ClientDisconnect | BrokenResourceError)


class Front:
    def __init__(self, app: ASGIApp, service: str, gate: Gate) -> None:
        self._app = app
        self._service = service
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traceparent = Headers(scope=scope).get("traceparent")
        with telemetry.span("HTTP", traceparent=traceparent, kind=SpanKind.SERVER) as span:
            await self._traced(scope, receive, send, span)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        gated = scope["path"] not in UNGATED
        if gated and not self._gate.enter():
            await self._refuse(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._gate if gated else None)
        with telemetry.http_requests_in_progress.labels(self._service).track_inprogress():
            await self._answer(exchange, receive)
        self._record(exchange, span)

    async def _answer(self, exchange: _Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except Exception as failure:  # outermost
            if is_client_gone(failure):
                exchange.status = exchange.status or CLIENT_GONE
                return
            log.error("request failed", error=failure, exc_info=failure, route=exchange.route)
            if not exchange.status:
                await problem_response(Problem("something went wrong on our side"))(
                    exchange.scope, receive, exchange.send
                )
        finally:
            exchange.leave()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        telemetry.http_requests_refused_total.labels(self._service, "overload").inc()
        exchange = _Exchange(scope, send, None)
        await problem_response(Unavailable("too many requests at once; try again", code="overloaded"))(
            scope, receive, exchange.send
        )

    def _record(self, exchange: _Exchange, span: Span) -> None:
        sent = exchange.scope["method"]
        method = sent if sent in METHODS else "OTHER"
        route, status = exchange.route, exchange.status
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        telemetry.http_requests_total.labels(self._service, method, route, str(status)).inc()
        telemetry.http_request_seconds.labels(self._service, method, route).observe(exchange.seconds)
