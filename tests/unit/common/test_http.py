"""Whatever is sent, the answer is a document of ours, and nothing of what was sent is in it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from asyncpg import InterfaceError
from fastapi import Depends, Request
from fastapi.sse import EventSourceResponse
from pydantic import Field, model_validator

from libs.common.auth import Caller, caller
from libs.common.errors import Conflict
from libs.common.http import CHECK_SECONDS_MAX, ApiRouter, Id, Paging, StrictModel, build_app
from libs.common.log.port import LogError
from libs.common.routes import STRANGERS_AT_ONCE_MAX

SECRET = "mario.rossi@example.com"
router = ApiRouter()


class Body(StrictModel):
    number: int
    match: dict[str, str] = {}
    many: list[int] = Field(default=[], max_length=3)


class Kinds(StrictModel):
    one: int | Body | list[str]

    @model_validator(mode="after")
    def _never_seven(self) -> "Kinds":
        if self.one == 7:
            raise ValueError("must not be seven")
        return self


@router.post("/things", status_code=201)
async def post_thing(body: Body) -> dict[str, int]:
    return {"number": body.number}


@router.post("/kinds")
async def post_kinds(body: Kinds) -> None:
    pass


@router.post("/raw", max_body_size=100)
async def post_raw(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/things/{thing_id}")
async def get_thing(thing_id: Id, paging: Paging) -> dict[str, str]:
    return {"id": thing_id}


@router.get("/mine")
async def get_mine(known: Annotated[Caller, Depends(caller())]) -> str:
    return known.workspace


@router.get("/fails/{how}")
async def fail(how: str) -> None:
    raise {"log": LogError(SECRET), "late": TimeoutError(SECRET), "bug": KeyError(SECRET)}.get(how) or Conflict(
        "already closed", members={"state": {"state": "closed"}}
    )


@router.get("/stream", response_class=EventSourceResponse)
async def stream() -> AsyncIterator[dict[str, int]]:
    yield {"n": 1}


def client(**options: Any) -> httpx.AsyncClient:
    app = build_app("test", [router], {}, **options)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


JSON = {"content-type": "application/json"}
GOOD = b'{"number": 1}'

REFUSALS = [
    ("an unknown path", "GET", "/nowhere", b"", {}, 404, "not_found"),
    ("a trailing slash", "GET", "/things/a/", b"", {}, 404, "not_found"),
    ("a wrong method", "DELETE", "/things", b"", {}, 405, "method_not_allowed"),
    ("no content type", "POST", "/things", GOOD, {}, 415, "unsupported_media_type"),
    (
        "a form",
        "POST",
        "/things",
        GOOD,
        {"content-type": "application/x-www-form-urlencoded"},
        415,
        "unsupported_media_type",
    ),
    ("text", "POST", "/things", GOOD, {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    (
        "another charset",
        "POST",
        "/things",
        GOOD,
        {"content-type": "application/json; charset=utf-16"},
        415,
        "unsupported_media_type",
    ),
    ("no JSON", "POST", "/things", SECRET.encode(), JSON, 400, "malformed"),
    ("duplicate keys", "POST", "/things", b'{"number": 1, "number": 2}', JSON, 400, "malformed"),
    ("NaN", "POST", "/things", b'{"number": NaN}', JSON, 400, "malformed"),
    ("a lone surrogate", "POST", "/things", b'{"match": {"a": "\\ud800"}}', JSON, 400, "malformed"),
    ("U+0000", "POST", "/things", b'{"match": {"a": "\\u0000"}}', JSON, 400, "malformed"),
    ("too much", "POST", "/things", b" " * 1_048_577, JSON, 413, "too_large"),
    ("too much for this route", "POST", "/raw", b" " * 101, {}, 413, "too_large"),
    ("no body", "POST", "/things", b"", JSON, 422, "invalid"),
    ("null for a body", "POST", "/things", b"null", JSON, 422, "invalid"),
    ("a bool for an int", "POST", "/things", b'{"number": true}', JSON, 422, "invalid"),
    ("an id with an @", "GET", f"/things/{SECRET}", b"", {}, 422, "invalid"),
    ("U+0000 in a path", "GET", "/things/a%00b", b"", {}, 422, "invalid"),
    ("U+0000 in a query", "GET", "/things/a?cursor=%00", b"", {}, 422, "invalid"),
    ("a limit of 0", "GET", "/things/a?limit=0", b"", {}, 422, "invalid"),
    ("a cursor not ours", "GET", "/things/a?cursor=abc", b"", {}, 422, "invalid"),
    ("nobody's key", "GET", "/mine", b"", {"authorization": f"Bearer {SECRET}"}, 401, "unauthorized"),
    ("no key", "GET", "/mine", b"", {}, 401, "unauthorized"),
    ("a refusal of the handler", "GET", "/fails/no", b"", {}, 409, "conflict"),
    ("a log that doesn't answer", "GET", "/fails/log", b"", {}, 503, "unavailable"),
    ("a deadline", "GET", "/fails/late", b"", {}, 503, "unavailable"),
    ("our own bug", "GET", "/fails/bug", b"", {}, 500, "internal"),
]


@pytest.mark.parametrize(
    ("what", "method", "path", "body", "headers", "status", "code"), REFUSALS, ids=[row[0] for row in REFUSALS]
)
async def test_refusals(
    what: str, method: str, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async with client() as http:
        response = await http.request(method, path, content=body, headers=headers)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) >= {"type", "title", "detail", "errors", "trace_id"}
    assert len(problem["trace_id"]) == 32
    assert SECRET not in response.text


POINTERS = [
    ("/things", {"number": "x"}, ["/number"]),
    ("/things", {}, ["/number"]),
    ("/things", {"number": 1, "extra": 1}, ["/extra"]),
    ("/things", {"number": 1, "match": {"a": 1}}, ["/match/a"]),
    ("/things", {"number": 1, "match": {SECRET: 1}}, ["/match/*"]),
    ("/things", {"number": 1, SECRET: 1}, ["/*"]),
    ("/things", {"number": 1, "many": [1, True]}, ["/many/1"]),
    ("/things", {"number": 1, "many": [1, 2, 3, 4]}, ["/many"]),
    ("/kinds", {"one": {"number": "x"}}, ["/one", "/one/number"]),
    ("/kinds", {"one": 7}, [""]),
    ("/things", [SECRET], [""]),
]


@pytest.mark.parametrize(("path", "body", "pointers"), POINTERS)
async def test_pointers_lead_to_what_is_wrong(path: str, body: Any, pointers: list[str]) -> None:
    async with client() as http:
        response = await http.post(path, json=body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert SECRET not in response.text


async def test_a_place_that_breaks_several_rules_is_told_all_of_them() -> None:
    async with client() as http:
        response = await http.post("/kinds", json={"one": {"number": "x"}})
    [rules] = [error["detail"] for error in response.json()["errors"] if error["pointer"] == "/one"]
    assert len(rules.split("; ")) == 2


async def test_what_is_right_comes_through() -> None:
    async with client() as http:
        response = await http.post("/things", content=GOOD, headers={"content-type": "application/JSON; charset=UTF-8"})
        raw = await http.post("/raw", content=b"\xff" * 100)
    assert (response.status_code, response.json(), raw.json()) == (201, {"number": 1}, {"bytes": 100})


async def test_a_body_too_large_is_refused_before_it_has_all_been_sent() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000:
            sent += 1
            yield b" " * 65_536

    async with client() as http:
        response = await http.post("/things", content=endless(), headers=JSON)
    assert response.status_code == 413
    assert sent < 20


async def test_members_of_a_refusal_are_told() -> None:
    async with client() as http:
        response = await http.get("/fails/no")
    assert response.json()["state"] == {"state": "closed"}
    assert response.json()["type"] == "urn:omniroute:problem:conflict"


async def test_refusals_say_what_belongs_to_them() -> None:
    async with client() as http:
        unauthorized, unavailable, wrong_method = [await http.get(path) for path in ("/mine", "/fails/log", "/raw")]
    assert unauthorized.headers["www-authenticate"].startswith("Bearer")
    assert unavailable.headers["retry-after"] == "1"
    assert wrong_method.headers["allow"] == "POST"


async def test_the_trace_of_the_caller_goes_on() -> None:
    async with client() as http:
        response = await http.get("/nowhere", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert response.json()["trace_id"] == "ab" * 16


async def test_every_answer_has_security_headers() -> None:
    async with client() as http:
        answers = [await http.get(path) for path in ("/things/a", "/nowhere", "/fails/bug", "/healthz", "/docs")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_documentation_needs_nobody_else() -> None:
    async with client() as http:
        page = await http.get("/docs")
        files = [
            await http.get(f"/docs/files/{name}") for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")
        ]
    assert page.status_code == 200
    assert "http" not in page.text
    assert [file.status_code for file in files] == [200, 200, 200]


async def test_openapi_tells_of_problems_and_keys() -> None:
    async with client() as http:
        document = (await http.get("/openapi.json")).json()
    operation = document["paths"]["/things"]["post"]
    assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert "422" not in operation["responses"]
    assert document["paths"]["/mine"]["get"]["security"] == [{"key": []}]
    assert "HTTPValidationError" not in json.dumps(document)


async def test_metrics_count_by_template_and_never_by_path() -> None:
    async with client() as http:
        await http.get("/things/con_secret")
        await http.request("INVENTED", "/things/con_secret")
        metrics = (await http.get("/metrics")).text
    assert 'route="/things/{thing_id}",service="test",status="200"' in metrics.replace('method="GET",', "")
    assert "con_secret" not in metrics
    assert "INVENTED" not in metrics


async def test_ready_when_everything_is() -> None:
    async def yes() -> bool:
        return True

    async def no() -> bool:
        return False

    async with client(ready={"log": yes, "database": no}) as http:
        response = await http.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (503, {"log": True, "database": False})
    async with client(ready={"log": yes}) as http:
        assert (await http.get("/readyz")).status_code == 200


@pytest.mark.parametrize("failure", [LogError(SECRET), ConnectionRefusedError(SECRET), InterfaceError(SECRET)])
async def test_what_is_down_is_named(failure: Exception) -> None:
    async def yes() -> bool:
        return True

    async def down() -> bool:
        raise failure

    async with client(ready={"database": down, "machines": yes}) as http:
        response = await http.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (503, {"database": False, "machines": True})


async def test_what_does_not_answer_in_time_is_named() -> None:
    async def hang() -> bool:
        return await asyncio.Event().wait()

    async with asyncio.timeout(5 * CHECK_SECONDS_MAX), client(ready={"database": hang, "log": hang}) as http:
        response = await http.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (503, {"database": False, "log": False})


async def test_what_is_too_much_at_once_is_refused_aloud() -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()
    slow = ApiRouter()

    @slow.get("/slow")
    async def wait() -> str:
        inside.set()
        await go_on.wait()
        return "done"

    app = build_app("test", [slow], {}, concurrent_requests_max=1)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        first = asyncio.create_task(http.get("/slow"))
        await inside.wait()
        refused, health = await http.get("/slow"), await http.get("/healthz")
        go_on.set()
        assert (await first).status_code == 200
        assert (await http.get("/slow")).status_code == 200
    assert (refused.status_code, refused.json()["code"], health.status_code) == (503, "overloaded", 200)
    assert refused.headers["retry-after"] == "1"


async def test_strangers_whose_bodies_trickle_shut_nobody_out() -> None:
    inside, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def trickle() -> AsyncIterator[bytes]:
        inside.release()
        yield b" "
        await go_on.wait()

    async with client(concurrent_requests_max=STRANGERS_AT_ONCE_MAX + 1) as http:
        slow = [asyncio.create_task(http.post("/raw", content=trickle())) for _ in range(STRANGERS_AT_ONCE_MAX)]
        for _ in slow:
            await inside.acquire()
        one_more, known = await http.post("/raw", content=b" "), await http.get("/things/a")
        go_on.set()
        answers = [(await one).status_code for one in slow]
        later = await http.post("/raw", content=b" ")
    assert (one_more.status_code, one_more.json()["code"], known.status_code) == (503, "overloaded", 200)
    assert one_more.headers["retry-after"] == "1"
    assert {*answers, later.status_code} == {200}


async def test_streams_come_through() -> None:
    async with client() as http:
        response = await http.get("/stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert 'data: {"n":1}' in response.text.replace(": 1", ":1")
