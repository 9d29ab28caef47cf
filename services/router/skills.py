"""Where each skill is used: who has it, which queues ask for it, what waits for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from libs.common.events.values import Requirement
from libs.common.http import ViewModel
from libs.common.postgres import Database
from services.router.core.skill_changes import asked_by, needed_by
from services.router.core.state import Queue, Rules

OF_AGENTS: Final = """
    SELECT skill, count(*) FROM router_entities AS e CROSS JOIN LATERAL json_object_keys(e.doc->'skills') AS skill
    WHERE e.workspace = $1 AND e.kind = 'agent' AND e.state <> 'deleted' GROUP BY 1
"""
OF_QUEUES: Final = """
    SELECT doc::text FROM router_entities
    WHERE workspace = $1 AND kind = 'queue' AND state IS DISTINCT FROM 'deleted' ORDER BY id
"""
OF_CONTACTS: Final = """
    SELECT doc->>'own', doc->>'rules', doc->>'language', count(*) FROM router_entities
    WHERE workspace = $1 AND kind = 'contact' AND ended_at IS NULL GROUP BY 1, 2, 3
"""


class SkillView(ViewModel):
    skill: str
    agents: int
    """How many have it."""
    queues: list[str]
    """Which ask for it, or refuse it, at first or after relaxation."""
    contacts: int
    """Open ones that ask for it themselves, or by the rules that they entered by."""


async def skills_in_use(database: Database, workspace: str) -> list[SkillView]:
    """All of the workspace, by name."""
    agents = {row[0]: row[1] for row in await database.pool.fetch(OF_AGENTS, workspace)}
    queues = queues_by_skill(await database.pool.fetch(OF_QUEUES, workspace))
    contacts = contacts_by_skill(await database.pool.fetch(OF_CONTACTS, workspace))
    return [
        SkillView(skill=skill, agents=agents.get(skill, 0), queues=queues.get(skill, []), contacts=contacts[skill])
        for skill in sorted({*agents, *queues, *contacts})
    ]


def queues_by_skill(rows: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        queue = msgspec.json.decode(row[0], type=Queue)
        for skill in asked_by(queue):
            found[skill].append(queue.id)
    return found


def contacts_by_skill(rows: Iterable[Any]) -> Counter[str]:
    """`rows`: (own requirement or None, pinned rules, language or None, how many contacts have all three)."""
    found: Counter[str] = Counter()
    for own, rules, language, count in rows:
        pinned = msgspec.json.decode(rules, type=Rules)
        needed = None if own is None else msgspec.json.decode(own, type=Requirement)
        for skill in needed_by(needed, pinned, language):
            found[skill] += count
    return found
