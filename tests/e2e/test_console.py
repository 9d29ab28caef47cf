"""The console in a real browser: who may in, what moves by itself, and that nothing leaves the house."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.house import House

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 20_000
SIZES = [(1360, 860), (600, 900)]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium is here"),
]


@dataclass
class Tab:
    """A page and what it did that nobody asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def sign_in(self, key: str) -> None:
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, house: House) -> Iterator[Tab]:
    page = browser.new_page(viewport={"width": 1360, "height": 860})
    tab = Tab(page)
    page.on("console", lambda message: tab.said.append(message.text))
    page.on("pageerror", lambda error: tab.said.append(str(error)))
    page.on("request", lambda request: tab.asked.append(request.url))
    page.goto(house.url + "/")
    yield tab
    page.close()


@pytest.fixture(scope="module")
def company(house: House) -> House:
    """A queue for posts, a promise, and one agent who isn't there."""
    house.call("PUT", "/v1/accounts/shop", {"provider": "generic"})
    house.call("PUT", "/v1/queues/social", {"match": {"visibility": "public"}, "offer_seconds": 600})
    target = {"match": {"visibility": "public"}, "metric": "first_response", "seconds": 900}
    house.call("PUT", "/v1/targets/posts", target)
    house.call("PUT", "/v1/agents/ann", {"name": "Ann <b>", "skills": {"public": 3}})
    return house


def post(house: House) -> str:
    """A public post; its contact's id."""
    body = {
        "account": "shop", "channel": "x", "visibility": "public", "source_id": uuid4().hex,
        "customer": {"identities": [{"channel": "x", "address": uuid4().hex}]}, "reach": {"views": 45_000},
    }  # fmt: skip
    taken = house.call("POST", "/v1/contacts?wait_seconds=5", body)
    contact_id: str = taken["contact_id"]
    return contact_id


def row(tab: Tab, table: str, words: str) -> str:
    """The row of the table that has these words, as soon as it is there."""
    found = tab.page.locator(f"#{table} tbody tr", has_text=words)
    expect(found).to_have_count(1)
    return found.inner_text()


def test_a_wrong_key_is_refused_aloud(tab: Tab) -> None:
    tab.sign_in("omni_not-a-key-of-this-house")
    expect(tab.page.get_by_role("alert")).to_have_text("This key opens nothing.")
    expect(tab.page.locator("#board")).to_be_hidden()


def test_an_empty_house_says_so_and_nothing_leaves_it(tab: Tab, house: House) -> None:
    tab.sign_in(house.key)
    expect(tab.page.get_by_role("status")).to_have_text("live")
    expect(tab.page.get_by_text("Nobody waits.")).to_be_visible()
    expect(tab.page.get_by_text("No promise was decided in the last hour.")).to_be_visible()
    assert tab.said == []
    assert {urlsplit(url).netloc for url in tab.asked} == {urlsplit(house.url).netloc}


def test_a_contact_moves_by_itself_from_waiting_to_its_agent(tab: Tab, company: House) -> None:
    tab.sign_in(company.key)
    expect(tab.page.locator("#waiting")).to_have_text("0")
    contact_id = post(company)
    expect(tab.page.locator("#waiting")).to_have_text("1")
    waiting = row(tab, "contacts", contact_id[-8:])
    assert "x · public" in waiting
    assert "14 min" in waiting, "what is left of its promise of 15 minutes"
    assert "45,000" in waiting

    company.call("PUT", "/v1/agents/ann/presence", {"status": "available", "lease_seconds": 600})
    expect(tab.page.locator("#offered")).to_have_text("1")
    expect(tab.page.locator("#contacts tbody")).to_contain_text("offered to Ann <b>")
    expect(tab.page.locator("#agents tbody tr")).to_contain_text(["20 / 120"])
    assert row(tab, "agents", "available").split()[-1] == "1", "Ann has one offer"

    company.call("POST", f"/v1/offers/{contact_id}.offer.1/accept", {})
    expect(tab.page.locator("#assigned")).to_have_text("1")
    expect(tab.page.get_by_text("Nobody waits.")).to_be_visible()
    assert tab.said == []


def test_a_contact_can_be_asked_why_by_keyboard(tab: Tab, company: House) -> None:
    company.call("PUT", "/v1/agents/ann/presence", {"status": "away"})
    contact_id = post(company)
    tab.sign_in(company.key)
    button = tab.page.locator(f"#contacts [data-contact='{contact_id}']")
    button.focus()
    tab.page.keyboard.press("Enter")
    dialog = tab.page.get_by_role("dialog", name=contact_id)
    expect(dialog).to_contain_text("45,000 can see it")
    expect(dialog.locator("#candidates")).to_contain_text("ann")
    tab.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert tab.said == []


def test_the_key_is_forgotten_when_signing_out(tab: Tab, house: House) -> None:
    tab.sign_in(house.key)
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("API key")).to_be_focused()
    assert tab.page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_page_is_never_wider_than_its_window(tab: Tab, company: House, width: int, height: int) -> None:
    post(company)
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.sign_in(company.key)
    expect(tab.page.locator("#contacts tbody tr").first).to_be_visible()
    wider = (
        "[...document.querySelectorAll('html, section')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
    )
    assert tab.page.evaluate(wider) == 0
