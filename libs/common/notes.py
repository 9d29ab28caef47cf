"""Notes: what people write for whoever works on a contact next. They may name anybody, so they are rows and never on
the log, and they go when their customer is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from libs.common.postgres import Database

ADD: Final = """
    INSERT INTO platform_notes (workspace, note_id, contact_id, author, text, at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
REMOVE: Final = "DELETE FROM platform_notes WHERE workspace = $1 AND note_id = $2"
OF: Final = """
    SELECT note_id, contact_id, author, text, at FROM platform_notes
    WHERE workspace = $1 AND contact_id = ANY($2::text[]) AND (at, note_id) > ($3, $4) ORDER BY at, note_id LIMIT $5
"""


@dataclass(frozen=True, kw_only=True)
class Note:
    """`author` is the API key's id or `agent:<id>`; `at` microseconds since 1970 UTC."""

    note_id: str
    contact_id: str
    author: str
    text: str
    at: int


class Notes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, workspace: str, note: Note) -> None:
        """Once under its id."""
        row = note.note_id, note.contact_id, note.author, note.text, note.at
        await self._database.pool.execute(ADD, workspace, *row)

    async def remove(self, workspace: str, note_id: str) -> None:
        await self._database.pool.execute(REMOVE, workspace, note_id)

    async def of(self, workspace: str, contacts: Sequence[str], after: tuple[int, str], limit: int) -> list[Note]:
        """At most `limit` notes about these contacts, the oldest first, after the given (time, id)."""
        rows = await self._database.pool.fetch(OF, workspace, contacts, *after, limit)
        return [Note(**row) for row in rows]

