"""What FastAPI doesn't know of our API: every operation may answer a problem, and a POST takes an Idempotency-Key."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from libs.common.errors import MEDIA_TYPE

METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "code", "detail", "errors", "trace_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:omniroute:problem:conflict"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "description": "stable, for programs", "examples": ["conflict"]},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer", "examples": ["/match/visibility"]},
                    "detail": {"type": "string"},
                },
            },
        },
        "trace_id": {"type": ["string", "null"]},
        "state": {"type": "object", "description": "409: the subject as it is"},
        "command_id": {"type": "string", "description": "outcome_unknown: what to ask /v1/commands for"},
    },
}
PROBLEM_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: Final = {"4XX": "Refused", "5XX": "Not possible now"}
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "a repeat within 24 hours gets the first answer again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}


def describe(app: FastAPI) -> None:
    """Completes the document that `/openapi.json` serves."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                _complete(method, operation)
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, description in PROBLEMS.items():
        responses.setdefault(status, {"description": description, "content": PROBLEM_CONTENT})
    if method == "post" and operation.get("security"):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
