"""What the documentation says of tables is so: each is listed once, and the runbook's SQL runs."""

import importlib
import re

import asyncpg
import pytest
from sqlmodel import SQLModel

from tests.integration.deploy.tools import ROOT

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
KINDS = ("record", "projection", "the log's own")


def listed() -> list[tuple[str, str]]:
    """Each table and what it is said to be."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs" / "tables.md").read_text(), re.MULTILINE)
    return [(name, kind) for name, kind in rows]


def test_every_table_is_listed_once() -> None:
    """Whoever adds one says what a backup must know of it."""
    for file in sorted([*ROOT.glob("libs/**/tables.py"), *ROOT.glob("services/**/tables.py")]):
        importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    assert sorted(name for name, _ in listed()) == sorted(SQLModel.metadata.tables)
    assert all(kind.startswith(KINDS) for _, kind in listed())


@pytest.mark.parametrize("block", re.findall(r"```sql\n(.*?)```", RUNBOOK, re.DOTALL))
async def test_the_sql_of_the_runbook_runs(database_url: str, block: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(block)
    await connection.close()


def test_every_link_of_the_runbook_leads_somewhere() -> None:
    anchors = {re.sub(r"[^a-z-]", "", title.lower().replace(" ", "-")) for title in headings()}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def headings() -> list[str]:
    return re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
