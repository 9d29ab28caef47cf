"""The questions that the API asks of the projection; every one names its workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from libs.common.errors import NotFound
from libs.common.postgres import Database
from services.router.core.limits import EARLY_UNIT
from services.router.core.queues import score_of
from services.router.core.state import Contact, Policy
from services.router.skills import SkillView, skills_in_use

E = TypeVar("E")

AHEAD: Final = """
    SELECT count(*) FROM router_entities WHERE workspace = $1 AND kind = 'contact' AND state = 'waiting'
    AND queue = $2 AND id <> $3 AND
    (($4 - promise_at)::numeric * $6, $3::text) >
    ($5::numeric * CASE WHEN $4 >= promise_at THEN target_us ELSE $7 END, id COLLATE "C")
"""
"""Scores compared exactly, as the core does: by cross-multiplication; of equal ones the lower id comes first."""
BY_PROMISE: Final = 'promise_at, id COLLATE "C"'
LATE: Final = "promise_at <= $2", 'round(($2 - promise_at)::numeric, 40) / target_us DESC, id COLLATE "C"'
EARLY: Final = "promise_at > $2", BY_PROMISE
"""The core's order in two parts, each as (who, by what): who is late comes before who is not. Forty digits tell any two
shares of lateness apart, and equal ones stay equal."""
WAITING: Final = "workspace = $1 AND kind = 'contact' AND state = 'waiting'"
TARGETS: Final = f"""
    WITH RECURSIVE targets AS (
        SELECT min(target_us) AS target FROM router_entities WHERE {WAITING}
        UNION ALL
        SELECT (SELECT min(target_us) FROM router_entities WHERE {WAITING} AND target_us > target) FROM targets
        WHERE target IS NOT NULL
    )
"""  # noqa: S608 - all of it is ours
"""Of whom some wait: a look each, however many do."""
USED_UNITS: Final = """
    SELECT held.id, sum(held.units) AS units FROM router_entities AS contact,
    unnest(coalesce(offered_to, ARRAY[agent]), coalesce(offered_units, ARRAY[contact.units])) AS held (id, units)
    WHERE workspace = $1 AND kind = 'contact' AND state IN ('offered', 'assigned', 'wrap_up')
    AND (agent = ANY($2::varchar[]) OR offered_to && $2::varchar[]) GROUP BY 1
"""
"""An offer takes of each who has one what it costs there; what is assigned takes it of its agent."""


class Row(NamedTuple):
    """An entity as it stands in the projection."""

    id: str
    pool: str
    partition: int
    doc: str
    state: str | None
    agent: str | None
    offered_to: list[str] | None
    ended: str | None
    ended_at: int | None
    opened_at: int | None

    def entity(self, kind: type[E]) -> E:
        return msgspec.json.decode(self.doc, type=kind)


FIELDS: Final = ", ".join(f"{f}::text" if f in ("doc", "ended") else f for f in Row._fields)


FLOOR_ENTITIES: Final = f"""
    SELECT kind, {FIELDS} FROM router_entities
    WHERE workspace = $1 AND pool IN ($2, '*') AND partition = $3
    AND (kind IN ('pool', 'policy', 'pace', 'queue', 'agent', 'target')
    OR (kind = 'contact' AND state IN ('offered', 'assigned', 'wrap_up')))
"""  # noqa: S608 - the fields are ours
PARKED_FOR_RESERVES: Final = f"""
    SELECT DISTINCT ON (agent, channel) kind, {FIELDS} FROM router_entities
    WHERE workspace = $1 AND pool = $2 AND partition = $3 AND kind = 'contact' AND state = 'parked'
    AND agent IN (SELECT id FROM router_entities WHERE workspace = $1 AND pool = $2 AND partition = $3
    AND kind = 'agent' AND doc #> '{{capacity,wake_up_reserve}}' IS NOT NULL)
"""  # noqa: S608 - the fields are ours


RULES: Final = f"""
    SELECT kind, {FIELDS} FROM router_entities WHERE workspace = $1
    AND (kind IN ('policy', 'queue') AND pool = $2 OR kind = 'target' AND partition =
    (SELECT min(partition) FROM router_entities WHERE workspace = $1 AND kind = 'target'))
"""  # noqa: S608 - the fields are ours
LENGTHS: Final = """
    SELECT queue, count(*) FROM router_entities WHERE workspace = $1 AND kind = 'contact' AND pool = $2
    AND state IN ('waiting', 'offered') GROUP BY 1
"""


class Reads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def entity(self, workspace: str, kind: str, id_: str) -> Row:
        """Raises NotFound, also for what was deleted."""
        found = await self._rows(
            "workspace = $1 AND kind = $2 AND id = $3 AND state IS DISTINCT FROM 'deleted' LIMIT 1",
            workspace,
            kind,
            id_,
        )
        if not found:
            raise NotFound(f"there is no such {kind}")
        return found[0]

    async def is_deleted(self, workspace: str, kind: str, id_: str) -> bool:
        """Whether it was there and was deleted; never heard of is not deleted."""
        found = await self._rows("workspace = $1 AND kind = $2 AND id = $3", workspace, kind, id_)
        return bool(found) and all(row.state == "deleted" for row in found)

    async def entities(
        self, workspace: str, kind: str, after: str, limit: int, *, pool: str | None = None
    ) -> list[Row]:
        """At most `limit` entities of a kind in ascending order of id, after the given one."""
        return await self._rows(
            "workspace = $1 AND kind = $2 AND id > $3 AND state IS DISTINCT FROM 'deleted'"
            " AND ($5::text IS NULL OR pool = $5) ORDER BY id LIMIT $4",
            workspace,
            kind,
            after,
            limit,
            pool,
        )

    async def contacts(
        self, workspace: str, filters: Mapping[str, str], after: tuple[int, str], limit: int
    ) -> list[Row]:
        """Contacts for which every filter's column has its value, the oldest first."""
        wanted = "".join(f" AND {column} = ${number}" for number, column in enumerate(filters, 5))
        return await self._rows(
            f"workspace = $1 AND kind = 'contact' AND (opened_at, id) > ($2, $3){wanted}"
            " ORDER BY opened_at, id LIMIT $4",
            workspace,
            *after,
            limit,
            *filters.values(),
        )

    async def most_urgent(self, workspace: str, filters: Mapping[str, str], now: int, limit: int) -> list[Row]:
        """At most `limit` waiting contacts for which every filter's column has its value, the highest score first."""
        late = await self._in_order(LATE, workspace, filters, now, limit)
        if len(late) == limit:
            return late
        return late + await self._in_order(EARLY, workspace, filters, now, limit - len(late))

    async def _in_order(
        self, part: tuple[str, str], workspace: str, filters: Mapping[str, str], now: int, limit: int
    ) -> list[Row]:
        """Among equal targets the order is that of the promises: of each target the first are looked at, no others."""
        who, order = part
        wanted = "".join(f" AND {column} = ${number}" for number, column in enumerate(filters, 4))
        firsts = (
            f"SELECT * FROM router_entities WHERE {WAITING} AND target_us = target AND {who}{wanted}"  # noqa: S608
            f" ORDER BY {BY_PROMISE} LIMIT $3"
        )
        found = f"{TARGETS} SELECT {FIELDS} FROM targets, LATERAL ({firsts}) AS first ORDER BY {order} LIMIT $3"  # noqa: S608
        rows = await self._database.pool.fetch(found, workspace, now, limit, *filters.values())
        return [Row(*row) for row in rows]

    async def waiting(self, workspace: str, filters: Mapping[str, str]) -> int:
        """How many contacts wait for which every filter's column has its value."""
        wanted = "".join(f" AND {column} = ${number}" for number, column in enumerate(filters, 2))
        counted = f"SELECT count(*) FROM router_entities WHERE {WAITING}{wanted}"  # noqa: S608
        return int(await self._database.pool.fetchval(counted, workspace, *filters.values()))

    async def held_by(self, workspace: str, agent: str) -> list[Row]:
        """The open contacts that an agent has, the parked ones too, and those on offer to the agent."""
        return await self._rows(
            "workspace = $1 AND kind = 'contact' AND ended_at IS NULL"
            " AND (agent = $2 OR offered_to @> ARRAY[$2::varchar])"
            " ORDER BY opened_at, id",
            workspace,
            agent,
        )

    async def floor_entities(self, workspace: str, pool: str, partition: int) -> list[tuple[str, Row]]:
        """A pool's rules, its agents and what they hold, as (kind, row); the workspace's targets too. Of parked
        contacts one a channel, of agents who keep a reserve for those."""
        async with self._database.pool.acquire() as connection:
            rows = await connection.fetch(FLOOR_ENTITIES, workspace, pool, partition)
            rows += await connection.fetch(PARKED_FOR_RESERVES, workspace, pool, partition)
        return [(row["kind"], Row(*list(row)[1:])) for row in rows]

    async def partition_of(self, workspace: str, pool: str) -> int:
        """Where a pool lives that has a queue."""
        found = "SELECT partition FROM router_entities WHERE workspace = $1 AND pool = $2 AND kind = 'queue' LIMIT 1"
        return int(await self._database.pool.fetchval(found, workspace, pool))

    async def rules(self, workspace: str, pool: str) -> list[tuple[str, Row]]:
        """A pool's queues and policy and the workspace's targets, as (kind, row)."""
        rows = await self._database.pool.fetch(RULES, workspace, pool)
        return [(row["kind"], Row(*list(row)[1:])) for row in rows]

    async def skills(self, workspace: str) -> list[SkillView]:
        return await skills_in_use(self._database, workspace)

    async def lengths(self, workspace: str, pool: str) -> dict[str, int]:
        """Queue → how many wait in it or are on offer; absent for none."""
        return {row[0]: row[1] for row in await self._database.pool.fetch(LENGTHS, workspace, pool)}

    async def events(self, workspace: str, contact_id: str, after: int, limit: int) -> list[tuple[Any, ...]]:
        """(sequence, id, type, value) of a contact's decisions in order."""
        rows = await self._database.pool.fetch(
            "SELECT sequence, id, type, doc::text FROM router_events"
            " WHERE workspace = $1 AND contact_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4",
            workspace,
            contact_id,
            after,
            limit,
        )
        return [tuple(row) for row in rows]

    async def ahead(self, workspace: str, contact: Contact, now: int) -> int:
        """How many waiting contacts of the same queue come first in the main order."""
        late, unit = score_of(contact, now)
        fields = workspace, contact.rules.queue, contact.id, now, late, unit, EARLY_UNIT
        return int(await self._database.pool.fetchval(AHEAD, *fields))

    async def used_units(self, workspace: str, agents: Sequence[str]) -> dict[str, int]:
        """Units that each agent's offers, assignments and wrap-ups take; absent for none."""
        rows = await self._database.pool.fetch(USED_UNITS, workspace, agents)
        return {row["id"]: int(row["units"]) for row in rows}

    async def policy(self, workspace: str, pool: str) -> Policy:
        """The pool's weights; the usual ones when nobody has set any."""
        rows = await self._rows("workspace = $1 AND kind = 'policy' AND pool = $2 LIMIT 1", workspace, pool)
        return rows[0].entity(Policy) if rows else Policy()

    async def _rows(self, where: str, *values: Any) -> list[Row]:
        rows = await self._database.pool.fetch(f"SELECT {FIELDS} FROM router_entities WHERE {where}", *values)  # noqa: S608
        return [Row(*row) for row in rows]

