"""The console in a real browser: who may in, what moves by itself, and that nothing leaves the house."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.house import House
from tests.e2e.tabs import IN_A_BROWSER, Tab, opened

WINDOWS = [(360, 740, "light"), (480, 900, "dark"), (600, 900, "light"), (1360, 860, "dark"), (1600, 900, "light")]

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def company(house: House) -> House:
    """A queue for posts, a promise, and one agent who isn't there."""
    house.call("PUT", "/v1/accounts/shop", {"provider": "generic"})
    rules = {"match": {"visibility": "public"}, "requirement": {"all": [{"skill": "public", "level": 2}]}}
    house.call("PUT", "/v1/queues/social", {"name": "Social care", "offer_seconds": 600, **rules})
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


def test_an_explanation_is_drawn(tab: Tab, company: House) -> None:
    contact_id = post(company)
    tab.sign_in(company.key)
    tab.page.locator(f"#contacts [data-contact='{contact_id}']").click()
    dialog = tab.page.get_by_role("dialog", name=contact_id)
    line = dialog.get_by_role("img")
    expect(line).to_have_attribute("aria-label", re.compile("its promise is 13 min .. s of a target of 15 min 00 s"))
    expect(dialog.get_by_label("What moved the promise")).to_have_text(re.compile("reach: 10.1 %, 1 min 31 s sooner"))
    moments = dialog.get_by_label("What happened").get_by_role("listitem")
    expect(moments.first).to_contain_text("the customer wrote")
    expect(moments.filter(has_text="now")).to_have_count(1)
    expect(moments.last).to_contain_text("what its target would allow")
    kept, reach = line.locator(".kept").bounding_box(), line.locator(".term.reach").bounding_box()
    assert kept is not None
    assert reach is not None
    assert reach["x"] == pytest.approx(kept["x"] + kept["width"], abs=1), "what moved the promise follows it"
    assert reach["width"] / kept["width"] == pytest.approx(0.101 / 0.899, rel=0.05)
    tab.hurts_nobody()
    assert tab.said == []


def test_a_queue_shows_who_waits_who_could_come_and_its_rules(tab: Tab, company: House) -> None:
    company.call("PUT", "/v1/agents/ann/presence", {"status": "away"})
    waiting = company.call("GET", "/v1/contacts?state=waiting&queue=social")["items"] or [{"contact_id": post(company)}]
    tab.sign_in(company.key)
    tab.page.get_by_role("link", name="Queues").click()
    expect(tab.page).to_have_title("Queues · omniroute")
    social = tab.page.locator("#queues tbody tr", has_text="Social care")
    expect(social.locator("td").nth(1)).to_have_text(str(len(waiting)))
    expect(social.locator("td").nth(4)).to_have_text("0 of 1")
    link = social.get_by_role("link")
    link.focus()
    tab.press("Enter")
    panel = tab.page.get_by_role("region", name="Social care")
    expect(panel).to_contain_text("visibility public")
    expect(panel).to_contain_text("public ≥ 2")
    expect(panel.get_by_label("What keeps each agent from the first in line")).to_have_text("ann: away")
    expect(panel.get_by_role("button").first).to_be_visible()
    with tab.page.expect_response(re.compile("/v1/queues/social/stats")):
        pass
    expect(link).to_be_focused()
    tab.hurts_nobody()
    tab.page.go_back()
    expect(panel).to_be_hidden()
    assert tab.said == []


@pytest.mark.parametrize(("width", "height", "scheme"), WINDOWS)
@pytest.mark.parametrize("view", ["board", "queues/social"])
def test_no_window_is_too_narrow(
    browser: Browser, company: House, view: str, width: int, height: int, scheme: Any
) -> None:
    post(company)
    tab = opened(browser, f"{company.url}/#/{view}", viewport={"width": width, "height": height}, color_scheme=scheme)
    tab.sign_in(company.key)
    expect(tab.page.get_by_role("main").locator("tbody tr").first).to_be_visible()
    tab.hurts_nobody()
    tab.page.close()
