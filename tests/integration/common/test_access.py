"""Who may do what: the matrix of roles, the life of a key, and walls between workspaces."""

from typing import Annotated, Any

import pytest
from fastapi import Depends

from libs.common.auth import Caller, Role, caller
from libs.common.http import ApiRouter
from libs.common.keys import CACHE_MICROSECONDS, Keys
from libs.common.workspaces import Workspaces
from tests.integration.common.conftest import MASTER_KEY, Platform

HOUR = 3_600_000_000
WANTED: tuple[Role, ...] = ("root", "admin", "supervisor", "agent", "integration", "viewer")
MATRIX: list[tuple[Role, set[Role]]] = [
    ("root", {"root", "admin", "supervisor", "agent", "integration", "viewer"}),
    ("admin", {"admin", "supervisor", "agent", "integration", "viewer"}),
    ("supervisor", {"supervisor", "viewer"}),
    ("integration", {"integration", "viewer"}),
    ("agent", {"agent"}),
    ("viewer", {"viewer"}),
]


def doors() -> ApiRouter:
    router = ApiRouter()
    for role in WANTED:

        async def enter(known: Annotated[Caller, Depends(caller(role))]) -> dict[str, Any]:
            return {"workspace": known.workspace, "key": known.key_id, "agent": known.agent_id}

        router.add_api_route(f"/doors/{role}", enter, methods=["GET"])
    return router


@pytest.mark.parametrize(("role", "opened"), MATRIX, ids=[role for role, _ in MATRIX])
async def test_a_role_opens_what_it_implies(platform: Platform, role: Role, opened: set[Role]) -> None:
    key = await platform.keys.put("default", "k", role, agent="ann" if role == "agent" else None)
    async with platform.client(key, doors()) as http:
        answers = {wanted: (await http.get(f"/doors/{wanted}")).status_code for wanted in WANTED}
    assert answers == {wanted: 200 if wanted in opened else 403 for wanted in WANTED}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer nobody", "Basic {key}", "{key}", "Bearer {key}x", "Bearer " + "x" * 9_000],
)
async def test_nobody_is_let_in_by_halves(platform: Platform, header: str) -> None:
    async with platform.client(None, doors()) as http:
        headers = {"authorization": header.format(key=platform.root_key)}
        response = await http.get("/doors/viewer", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_agents_key_is_one_agents(platform: Platform) -> None:
    async with platform.client(platform.root_key) as http:
        made = await http.put("/v1/keys/ann", json={"role": "agent", "agent": "ann"})
        assert (await http.put("/v1/keys/x", json={"role": "agent"})).status_code == 422
        assert (await http.put("/v1/keys/x", json={"role": "viewer", "agent": "ann"})).status_code == 422
    async with platform.client(made.json()["key"], doors()) as http:
        assert (await http.get("/doors/agent")).json() == {"workspace": "default", "key": "ann", "agent": "ann"}


async def test_a_key_says_what_it_is(platform: Platform) -> None:
    key = await platform.keys.put("default", "k", "agent", agent="ann")
    async with platform.client(key) as http:
        assert (await http.get("/v1/me")).json() == {
            "key_id": "k", "workspace": "default", "role": "agent", "agent": "ann",
        }  # fmt: skip
    async with platform.client(None) as http:
        assert (await http.get("/v1/me")).status_code == 401


async def test_the_life_of_a_key(platform: Platform) -> None:
    async with platform.client(platform.root_key, doors()) as http:
        first, second = [(await http.put("/v1/keys/k", json={"role": "viewer"})).json()["key"] for _ in range(2)]
        shown = (await http.get("/v1/keys/k")).json()
        async with platform.client(first, doors()) as old, platform.client(second, doors()) as new:
            assert (await old.get("/doors/viewer")).status_code == 401
            assert (await new.get("/doors/viewer")).status_code == 200
            assert (await http.delete("/v1/keys/k")).status_code == 204
            assert (await new.get("/doors/viewer")).status_code == 401
        assert [(await http.request(how, "/v1/keys/k")).status_code for how in ("GET", "DELETE")] == [404, 404]
    assert shown == {
        "id": "k", "role": "viewer", "agent": None, "expires_at": None, "created_at": "2026-11-18T11:06:40.000000Z",
    }  # fmt: skip


async def test_a_key_ends_at_its_time(platform: Platform) -> None:
    end = platform.clock.now() + HOUR
    key = await platform.keys.put("default", "k", "viewer", expires_at=end)
    platform.clock.move_to(end - 1)
    assert await platform.keys.authenticate(key) is not None
    platform.clock.move_to(end)
    assert await platform.keys.authenticate(key) is None


async def test_a_key_revoked_elsewhere_ends_within_seconds(platform: Platform) -> None:
    key = await platform.keys.put("default", "k", "viewer")
    assert await platform.keys.authenticate(key) is not None
    await Keys(platform.database, platform.clock, MASTER_KEY).delete("default", "k")
    platform.clock.move_to(platform.clock.now() + CACHE_MICROSECONDS + 1)
    assert await platform.keys.authenticate(key) is None


async def test_the_table_opens_nothing(platform: Platform) -> None:
    row = await platform.database.pool.fetchrow("SELECT * FROM platform_keys")
    assert platform.root_key not in str(dict(row))
    elsewhere = Keys(platform.database, platform.clock, b"another master key")
    assert await elsewhere.authenticate(platform.root_key) is None


async def test_keys_come_in_pages(platform: Platform) -> None:
    async with platform.client(platform.root_key) as http:
        for name in ("c", "b", "d"):
            await http.put(f"/v1/keys/{name}", json={"role": "viewer"})
        first = (await http.get("/v1/keys?limit=2")).json()
        rest = (await http.get("/v1/keys", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [key["id"] for key in first["items"] + rest["items"]] == ["admin", "b", "c", "d"]
    assert rest["next_cursor"] is None


async def make_workspace(platform: Platform, name: str) -> str:
    async with platform.client(platform.root_key) as http:
        response = await http.put(f"/v1/workspaces/{name}", json={"name": name.title()})
    assert response.status_code == 201
    key: str = response.json()["admin_key"]
    return key


async def test_a_workspace_is_made_with_its_admin_and_what_it_begins_with(platform: Platform) -> None:
    key = await make_workspace(platform, "acme")
    assert platform.created == ["acme"]
    async with platform.client(key, doors()) as http:
        assert (await http.get("/doors/admin")).json()["workspace"] == "acme"
        assert (await http.get("/doors/root")).status_code == 403
        assert (await http.get("/v1/workspaces")).status_code == 403
    async with platform.client(platform.root_key) as http:
        again = await http.put("/v1/workspaces/acme", json={"name": "Acme Ltd"})
        listed = (await http.get("/v1/workspaces")).json()["items"]
    assert (again.status_code, again.json()) == (200, {"admin_key": None})
    assert [(one["id"], one["name"]) for one in listed] == [("acme", "Acme Ltd"), ("default", "default")]


async def test_a_key_sees_nothing_of_another_workspace(platform: Platform) -> None:
    theirs = await make_workspace(platform, "acme")
    await platform.keys.put("default", "ours", "viewer")
    async with platform.client(theirs) as http:
        assert (await http.get("/v1/keys/ours")).status_code == 404
        assert (await http.delete("/v1/keys/ours")).status_code == 404
        assert [key["id"] for key in (await http.get("/v1/keys")).json()["items"]] == ["admin"]
        assert (await http.put("/v1/keys/ours", json={"role": "viewer"})).status_code == 200
    assert (await platform.keys.get("default", "ours")).role == "viewer"


async def test_nobody_rises_or_locks_everybody_out(platform: Platform) -> None:
    admin = await platform.keys.put("default", "second", "admin")
    async with platform.client(admin) as http:
        tries = [
            await http.put("/v1/keys/x", json={"role": "root"}),
            await http.put("/v1/keys/admin", json={"role": "admin"}),
            await http.delete("/v1/keys/admin"),
            await http.put("/v1/keys/second", json={"role": "viewer"}),
            await http.delete("/v1/keys/second"),
        ]
    assert [one.status_code for one in tries] == [403, 403, 403, 409, 409]
    async with platform.client(platform.root_key) as http:
        assert (await http.delete("/v1/workspaces/default")).status_code == 409


async def test_a_deleted_workspace_opens_nothing_and_its_id_is_never_given_again(platform: Platform) -> None:
    key = await make_workspace(platform, "acme")
    assert await platform.keys.authenticate(key) is not None
    async with platform.client(platform.root_key) as http:
        assert (await http.delete("/v1/workspaces/acme")).status_code == 204
        assert (await http.get("/v1/workspaces/acme")).status_code == 404
        assert (await http.put("/v1/workspaces/acme", json={"name": "Other"})).status_code == 409
    assert await platform.keys.authenticate(key) is None


async def test_a_workspace_that_failed_half_way_is_begun_anew(platform: Platform) -> None:
    async def fails(workspace: str) -> None:
        raise TimeoutError

    async with platform.client(platform.root_key, on_created=fails) as http:
        assert (await http.put("/v1/workspaces/acme", json={"name": "Acme"})).status_code == 503
        assert (await http.get("/v1/workspaces/acme")).status_code == 404
    assert await platform.keys.authenticate(await make_workspace(platform, "acme")) is not None


async def test_only_the_first_start_makes_the_admin_key(platform: Platform) -> None:
    assert await platform.workspaces.ensure_first_start(None) is None
    assert await platform.workspaces.ensure_first_start(platform.root_key) is None
    assert await platform.workspaces.ensure_first_start("a key set anew later") is None
    known = await platform.keys.authenticate("a key set anew later")
    assert known is not None
    assert (known.role, known.workspace) == ("root", "default")


async def test_a_key_that_is_given_is_the_admin_key(database: Any, clock: Any) -> None:
    keys = Keys(database, clock, MASTER_KEY)
    assert await Workspaces(database, keys, clock).ensure_first_start("a key of our own") == "a key of our own"
    assert await keys.authenticate("a key of our own") is not None


async def test_too_many_requests_of_one_key_are_refused_aloud(platform: Platform) -> None:
    other = await platform.keys.put("default", "other", "viewer")
    async with platform.client(platform.root_key, doors(), rate_limit_per_second=1) as http:
        answers = [await http.get("/doors/viewer") for _ in range(10)]
        mine = await http.get("/doors/viewer", headers={"authorization": f"Bearer {other}"})
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert mine.status_code == 200
