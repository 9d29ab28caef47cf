"""The one way our services speak HTTP: everything that an `api.py` imports, and the application it becomes part of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from libs.common.docs import add_docs
from libs.common.keys import Keys
from libs.common.log.port import LogError
from libs.common.middleware import Front
from libs.common.openapi import describe
from libs.common.pages import Page, PageRequest, Paging, decode_cursor, encode_cursor, page_of
from libs.common.parts import from_app, optional_part, part
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.problems import add_problem_handlers, problem_response
from libs.common.rate_limit import Gate, RateLimit
from libs.common.routes import BODY_BYTES_MAX, ApiRoute, ApiRouter, CappedRequest, is_json
from libs.common.schema import Id, Name, Seconds, StrictModel, Tag, Text, Time, ViewModel
from libs.common.telemetry import log

__all__ = [
    "BODY_BYTES_MAX",
    "ApiRoute",
    "ApiRouter",
    "CappedRequest",
    "Id",
    "Name",
    "Page",
    "PageRequest",
    "Paging",
    "Seconds",
    "StrictModel",
    "Tag",
    "Text",
    "Time",
    "ViewModel",
    "build_app",
    "decode_cursor",
    "encode_cursor",
    "from_app",
    "is_json",
    "optional_part",
    "page_of",
    "part",
    "problem_response",
]

RATE_LIMIT_PER_SECOND_DEFAULT: Final = 1_000
CONCURRENT_REQUESTS_MAX_DEFAULT: Final = 256
CHECK_SECONDS_MAX: Final = 2.0
"""Within what a probe waits for an answer."""
Check = Callable[[], Awaitable[bool]]


def build_app(
    title: str,
    routers: Sequence[APIRouter],
    parts: Mapping[type[Any], Any],
    *,
    ready: Mapping[str, Check] | None = None,
    rate_limit_per_second: int = RATE_LIMIT_PER_SECOND_DEFAULT,
    concurrent_requests_max: int = CONCURRENT_REQUESTS_MAX_DEFAULT,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """An application of these routers over these parts (by type), with health, metrics and documentation.

    `ready` names what must answer before the process takes requests. Without a `Keys` part nobody has a key.
    """
    app = FastAPI(
        title=f"omniroute {title}",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.parts = {Keys: None, RateLimit: RateLimit(rate_limit_per_second), **parts}
    app.add_middleware(Front, service=title, gate=Gate(concurrent_requests_max))
    add_problem_handlers(app)
    for router in (*routers, _operations(ready or {})):
        app.include_router(router)
    add_docs(app)
    describe(app)
    return app


def _operations(ready: Mapping[str, Check]) -> APIRouter:
    """Open to whoever reaches the process: they tell nothing of any workspace."""
    router = APIRouter(tags=["operations"])

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    async def readyz(_request: Request) -> Response:
        answers = await asyncio.gather(*(is_well(name, check) for name, check in ready.items()))
        checks = dict(zip(ready, answers, strict=True))
        well = all(checks.values())
        return JSONResponse({"status": "ok" if well else "unavailable", "checks": checks}, 200 if well else 503)

    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    for path, answer in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        router.add_api_route(path, answer, methods=["GET"])
    return router


async def is_well(name: str, check: Check) -> bool:
    """Whether the part answers, in time, that it is."""
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except (LogError, *DATABASE_TROUBLE) as failure:
        log.warning("not_ready", kind=name, error=failure)
        return False
