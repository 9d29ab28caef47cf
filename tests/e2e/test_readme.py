"""The README does what it says: its bash blocks, pasted word for word, against a fresh `omniroute up`."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.e2e.house import ROOT, House

README = (ROOT / "README.md").read_text()
EXAMPLE = "".join(re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
SECONDS_MAX = 60

pytestmark = [
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and not (shutil.which("bash") and shutil.which("curl")),
        reason="the README's example needs bash and curl",
    ),
]


def paste(house: House, example: str) -> str:
    """What a terminal shows; the admin key is typed when it is asked for."""
    done = subprocess.run(
        ["bash", "-c", example],
        env={"PATH": os.environ["PATH"], "OMNIROUTE_PORT": str(house.port)},
        input=house.key + "\n",
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def values(shown: str) -> list[Any]:
    """The JSON values in what was shown, one after the other, whatever stands between them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := shown.find("{", at)) >= 0:
        value, at = decoder.raw_decode(shown, at)
        found.append(value)
    return found


@pytest.fixture(scope="module")
def shown(house: House) -> list[Any]:
    return values(paste(house, EXAMPLE))


def test_nothing_is_refused(shown: list[Any]) -> None:
    assert [value for value in shown if "code" in value] == []
    assert len(shown) > 15


def test_the_customer_is_offered_at_once(shown: list[Any]) -> None:
    taken = next(value for value in shown if "repeat_of" in value)
    assert (taken["state"], taken["queue"]) == ("offered", "social")


def test_the_explanation_names_the_agent_and_what_moved_the_promise(shown: list[Any]) -> None:
    explained = next(value for value in shown if "candidates" in value)
    assert [one["agent"] for one in explained["candidates"] if one["chosen"]] == ["ann"]
    assert explained["score"]["promise_seconds"] == pytest.approx(900 - 127, abs=1), "two minutes, as the text says"


def test_the_offer_is_accepted_and_the_contact_closed(shown: list[Any]) -> None:
    states = [value["state"] for value in shown if value.get("agent") == "ann" and "state" in value]
    assert states == ["assigned", "closed", "closed"]
    assert shown[-2]["resolution"] == "solved"


def test_the_feed_tells_it_in_order(shown: list[Any]) -> None:
    told = [value["type"] for value in shown if "type" in value]
    routing = [name for name in told if not name.startswith("clock.")]
    assert routing == [
        "contact.opened", "contact.queued", "contact.offered", "offer.accepted", "contact.assigned",
        "contact.response_observed", "contact.closed",
    ]  # fmt: skip
    assert [name for name in told if name.startswith("clock.")] == ["clock.started", "clock.met"]


def test_the_promise_was_met(shown: list[Any]) -> None:
    (clock,) = shown[-1]["items"]
    assert (clock["target"], clock["state"]) == ("public-first-response", "met")


def test_what_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert "docs/picture.svg" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
