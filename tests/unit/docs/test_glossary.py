"""The glossary has every event and every state, and none that isn't there."""

import re
from pathlib import Path
from typing import get_args

from libs.common.events import PUBLIC_TOPICS
from libs.common.events.codec import EVENTS
from services.router.core.state import ContactState

GLOSSARY = (Path(__file__).resolve().parents[3] / "docs" / "glossary.md").read_text()


def rows(heading: str) -> set[str]:
    """The names in the first column of the tables under headings that begin so."""
    parts = re.split(r"^#{2,3} ", GLOSSARY, flags=re.MULTILINE)
    lines = "\n".join(part for part in parts if part.startswith(heading)).splitlines()
    return {name for line in lines if line.startswith("| `") for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_every_public_event_is_explained() -> None:
    written = rows("Facts") | rows("Decisions") | rows("Promises: ")
    assert written == {event.type for event in EVENTS.values() if event.topic in PUBLIC_TOPICS}


def test_every_state_is_explained() -> None:
    assert rows("A contact's states") == {*get_args(ContactState), "received", "closed", "abandoned"}
