"""Every failure of a request becomes application/problem+json, and none repeats what was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import asyncpg
import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from libs.common.errors import MEDIA_TYPE, FieldError, Invalid, NotFound, Problem, Unavailable
from libs.common.log.port import LogError
from libs.common.telemetry import current_trace_id, log

ERRORS_SHOWN_MAX: Final = 50
UNAVAILABLE: Final = (
    LogError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The log or the database doesn't answer now: trying again helps. Not all of DATABASE_TROUBLE, since a request may also
be refused by the database for a mistake of ours."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What a misspelt field of ours looks like: of a name that we don't know, nothing else is repeated."""
_UNKNOWN: Final = "extra_forbidden"
_KEY: Final = "[key]"
"""pydantic's last step where the name itself is wrong."""
_TAGS: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""What is wrong with the field that tells of which kind a body is."""
_OWN_WORDS: Final = frozenset({"union_tag_invalid"})
"""Kinds of pydantic's errors whose message repeats the input."""


def problem_response(problem: Problem) -> Response:
    """The problem on the wire."""
    body = msgspec.json.encode(problem.body(current_trace_id()))
    return Response(body, problem.status, problem.all_headers(), MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    for failure in UNAVAILABLE:
        app.add_exception_handler(failure, _on_unavailable)


async def _on_problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem_response(problem)


async def _on_http(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    response = problem_response(of_http(failure.status_code))
    for name, value in (failure.headers or {}).items():
        response.headers[name] = value
    return response


async def _on_validation(_request: Request, failure: Exception) -> Response:
    assert isinstance(failure, RequestValidationError)
    return problem_response(of_validation(failure))


async def _on_unavailable(_request: Request, failure: Exception) -> Response:
    if isinstance(failure, ValueError):
        raise failure  # An argument of ours that no column takes: asyncpg's kind for it is an InterfaceError too.
    log.warning("request refused: a server we need doesn't answer", error=failure)
    return problem_response(Unavailable("try again"))


def of_http(status: int) -> Problem:
    """What the framework itself refuses: unknown paths, wrong methods."""
    if status == HTTPStatus.NOT_FOUND:
        return NotFound("there is nothing at this path")
    known = status in HTTPStatus._value2member_map_
    return Problem(status=status, code=HTTPStatus(status).name.lower() if known else "refused")


def of_validation(failure: RequestValidationError) -> Problem:
    """What a model refused, as JSON pointers and rules: an error a place, whose rules may be several."""
    rules: dict[str, list[str]] = {}
    for error in failure.errors()[:ERRORS_SHOWN_MAX]:
        rules.setdefault(place_of(error, failure.body), []).append(rule(error))
    return Invalid(
        "the request doesn't have the right form",
        errors=[FieldError(place, "; ".join(broken)) for place, broken in rules.items()],
    )


def rule(error: Any) -> str:
    """pydantic's message, which names rules; our own where it would name the input."""
    if error["type"] in _OWN_WORDS:
        return "is none of the known kinds"
    return str(error["msg"]).removeprefix("Value error, ")


def place_of(error: Any, body: Any) -> str:
    """The field that is wrong; of a union whose kind is told by a field, that one."""
    if error["type"] in _TAGS:
        return pointer((*error["loc"], error["ctx"]["discriminator"].strip("'")), body, "missing")
    return pointer(error["loc"], body, error["type"])


def pointer(location: Sequence[int | str], body: Any, kind: str) -> str:
    """Where in the body (or which parameter): only what is there, names of unions and validators left out."""
    where, *steps = location
    if where != "body":
        return "".join(f"/{_shown(step)}" for step in steps)
    path, node = "", body
    strange = len(steps) - 1 if kind == _UNKNOWN else len(steps) - 2 if steps[-1:] == [_KEY] else -1
    for index, step in enumerate(steps):
        if has(node, step):
            path, node = f"{path}/{_shown(step, _WORD if index == strange else _NAME)}", node[step]
        elif kind == "missing" and index == len(steps) - 1:
            path = f"{path}/{_shown(step)}"
    return path


def has(node: Any, step: int | str) -> bool:
    """Whether the JSON value has this member."""
    if isinstance(node, dict):
        return step in node
    return isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node)


def _shown(step: int | str, form: re.Pattern[str] = _NAME) -> str:
    """A field's name; what doesn't look like one may be somebody's address."""
    return str(step) if isinstance(step, int) or form.fullmatch(step) else "*"
