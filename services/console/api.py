"""The console and what belongs to the whole installation: keys, workspaces, dead letters, the events' document."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi.responses import FileResponse

from libs.common.errors import NotFound
from libs.common.http import ApiRouter
from services.console import access, dead_letters
from services.console.asyncapi import document

STATIC: Final = Path(__file__).parent / "static"
MEDIA: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FILES: Final = {path.name: MEDIA[path.suffix] for path in STATIC.iterdir() if path.suffix in MEDIA}
FRESH: Final = {"cache-control": "no-cache"}
"""A browser asks again each time: the modules of two versions don't go together."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = ApiRouter()
for part in (access, dead_letters):
    router.include_router(part.router)


@router.get("/", include_in_schema=False)
async def console() -> FileResponse:
    headers = FRESH | {"content-security-policy": POLICY}
    return FileResponse(STATIC / "index.html", media_type="text/html", headers=headers)


@router.get("/static/{name}", include_in_schema=False)
async def static(name: str) -> FileResponse:
    if name not in FILES:
        raise NotFound("there is no such file")
    return FileResponse(STATIC / name, media_type=FILES[name], headers=FRESH)


@router.get("/asyncapi.json", tags=["operations"])
async def asyncapi() -> dict[str, Any]:
    """The events on the public topics, for integrators."""
    return document(version("omniroute"))
