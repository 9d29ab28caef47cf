"""What the documents point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
FILE = re.compile(r"`((?:libs|services|tests|docs|migrations|deploy|benchmarks)/[\w./-]+)`")


@pytest.mark.parametrize("document", DOCS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = [link for link in LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("document", DOCS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_file_that_is_named_exists(document: Path) -> None:
    gone = [name for name in FILE.findall(document.read_text()) if not (ROOT / name).exists()]
    assert gone == []


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {(ROOT / "docs" / link).resolve() for link in LINK.findall(index)}
    records = {file for file in DOCS if "decisions" in file.parts}
    assert {*DOCS} - records - {ROOT / "docs" / "README.md"} <= linked


def test_every_decision_is_in_its_index() -> None:
    folder = ROOT / "docs" / "decisions"
    linked = LINK.findall((folder / "README.md").read_text())
    assert sorted(linked) == sorted(file.name for file in folder.glob("0*.md"))
