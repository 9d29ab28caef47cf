"""An agent's desk in a real browser, by keyboard: from being available to the closed contact."""

import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.cable import cable_to
from tests.e2e.house import House
from tests.e2e.tabs import IN_A_BROWSER, Tab, opened

WINDOWS = [(360, 740, "light"), (480, 900, "dark"), (1360, 860, "light"), (1600, 900, "dark")]
HEARTBEAT_SECONDS_MAX = 40
WORDS = "Where is my <b>parcel</b>?"

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def company(house: House) -> House:
    """Posts, with a promise and a wrap-up; agents come with each test."""
    house.call("PUT", "/v1/accounts/shop", {"provider": "generic"})
    rules = {"name": "Social care", "match": {"visibility": "public"}, "offer_seconds": 60, "wrap_up_seconds": 300}
    house.call("PUT", "/v1/queues/social", rules)
    target = {"match": {"visibility": "public"}, "metric": "first_response", "seconds": 900}
    house.call("PUT", "/v1/targets/posts", target)
    return house


@pytest.fixture
def ann(company: House) -> Iterator[str]:
    """The key of an agent who is alone; nobody's work is left when the test is over."""
    company.call("PUT", "/v1/agents/ann", {"name": "Ann", "skills": {"public": 3}})
    key: str = company.call("PUT", "/v1/keys/ann", {"role": "agent", "agent": "ann"})["key"]
    yield key
    company.call("PUT", "/v1/agents/ann/presence", {"status": "offline"})
    for state in ("waiting", "offered", "assigned", "parked"):
        for contact in company.call("GET", f"/v1/contacts?state={state}")["items"]:
            company.call("POST", f"/v1/contacts/{contact['contact_id']}/close", {})
    company.call("POST", "/v1/agents/ann/wrap-up/complete", {})


def post(house: House, channel: str = "x") -> str:
    """A public post; its contact's id."""
    body = {
        "account": "shop", "channel": channel, "visibility": "public", "source_id": uuid4().hex, "text": WORDS,
        "customer": {"identities": [{"channel": "x", "address": uuid4().hex}]}, "reach": {"views": 45_000},
    }  # fmt: skip
    taken: str = house.call("POST", "/v1/contacts?wait_seconds=5", body)["contact_id"]
    return taken


def offers(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Offers").get_by_role("listitem")


def held(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Your contacts").get_by_role("listitem")


def heading(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("heading", name=name)


def sat_down(tab: Tab, key: str) -> None:
    """At the desk, and available, by keyboard."""
    tab.page.keyboard.type(key)
    tab.press("Enter")
    expect(heading(tab, "Ann")).to_be_visible()
    tab.press("1")
    expect(tab.page.locator("#presence")).to_have_text("You are available: offers come to you.")


def accepted(tab: Tab, house: House) -> str:
    contact_id = post(house)
    expect(offers(tab)).to_have_count(1)
    tab.press("a")
    expect(heading(tab, "x · public, Social care")).to_be_focused()
    return contact_id


def wait_for_a_heartbeat(tab: Tab, house: House) -> None:
    before = house.call("GET", "/v1/agents/ann")["lease_until"]
    deadline = time.monotonic() + HEARTBEAT_SECONDS_MAX
    while house.call("GET", "/v1/agents/ann")["lease_until"] <= before:
        assert time.monotonic() < deadline, "no heartbeat came"
        tab.page.wait_for_timeout(500)


def state_of(house: House, contact_id: str) -> str:
    state: str = house.call("GET", f"/v1/contacts/{contact_id}")["state"]
    return state


def said_of(house: House, contact_id: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in house.call("GET", f"/v1/contacts/{contact_id}/events")["items"] if one["type"] == kind]


def test_a_contact_is_taken_answered_and_closed_by_keyboard(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = post(company)
    expect(tab.page.locator("#heard")).to_have_text(
        re.compile(r"New offer: x · public, Social care, (59 s|1 min 00 s) to answer\.")
    )
    expect(offers(tab)).to_have_text([re.compile(r"45,000 can see it.*<b>parcel</b>.*s to answer", re.DOTALL)])
    expect(tab.page).to_have_title("(1) Desk · omniroute")
    tab.press("a")
    expect(heading(tab, "x · public, Social care")).to_be_focused()
    conversation = tab.page.get_by_role("log", name="Conversation")
    expect(conversation).to_contain_text(WORDS)
    expect(tab.page.get_by_label("Clocks")).to_have_text(re.compile(r"first answer: 14 min \d\d s left"))

    tab.press("r")
    tab.page.keyboard.type("It arrives today: 1 and 2 and 3.")
    tab.press("Control+Enter")
    expect(conversation.get_by_role("listitem").last).to_contain_text("It arrives today: 1 and 2 and 3.")
    expect(tab.page.get_by_label("Clocks")).to_have_text("first answer: met")

    heading(tab, "x · public, Social care").focus()
    tab.press("c", "ArrowDown", "Enter")
    expect(held(tab)).to_contain_text(["wrap up"])
    tab.press("w")
    expect(tab.page.get_by_text("You hold nothing.")).to_be_visible()
    expect(heading(tab, "Your contacts")).to_be_focused()
    assert company.call("GET", f"/v1/contacts/{contact_id}")["resolution"] == "no_answer_needed"
    assert tab.said == []


def test_an_offer_is_declined_with_a_reason(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = post(company)
    expect(offers(tab)).to_have_count(1)
    tab.press("d", "ArrowDown", "Enter")
    expect(heading(tab, "Offers")).to_be_focused()
    assert [event["reason"] for event in said_of(company, contact_id, "offer.declined")] == ["no_time"]
    assert tab.said == []


def test_escape_leads_out_of_a_form_and_back(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    post(company)
    expect(offers(tab)).to_have_count(1)
    tab.press("d")
    expect(tab.page.get_by_role("radio", name="not for my skills")).to_be_focused()
    tab.press("Escape")
    expect(tab.page.get_by_role("button", name="Decline…")).to_be_focused()
    expect(tab.page.get_by_role("radio", name="not for my skills")).to_be_hidden()


def test_who_stands_on_an_offer_stays_there_until_it_is_gone(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    first = post(company)
    accept = offers(tab).first.get_by_role("button", name="Accept")
    accept.focus()
    second = post(company)
    expect(offers(tab)).to_have_count(2)
    expect(accept).to_be_focused()
    company.call("POST", f"/v1/contacts/{first}/abandon", {})
    expect(offers(tab)).to_have_count(1)
    expect(heading(tab, "Offers")).to_be_focused()
    assert state_of(company, second) == "offered", "nothing was accepted by whoever pressed Enter too late"
    assert tab.said == []


def test_away_with_a_reason_and_offline(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    tab.press("2", "ArrowDown", "Enter")
    expect(tab.page.locator("#presence")).to_have_text("You are away: nothing new comes. (lunch)")
    expect(tab.page.get_by_role("button", name="Away…")).to_be_focused()
    assert company.call("GET", "/v1/agents/ann")["reason"] == "lunch"
    tab.press("3")
    expect(tab.page.locator("#presence")).to_have_text("You are offline: nothing new comes.")


def test_a_break_waits_for_what_is_held(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("2")
    tab.page.get_by_label("once what I hold is done").check()
    tab.press("Enter")
    presence = tab.page.locator("#presence")
    expect(presence).to_have_text("You are away as soon as you hold nothing; nothing new comes. (break)")
    wait_for_a_heartbeat(tab, company)
    assert company.call("GET", "/v1/agents/ann")["next_status"] == "away", "a heartbeat doesn't call it off"
    heading(tab, "x · public, Social care").focus()
    tab.press("c", "Enter")
    expect(held(tab)).to_contain_text(["wrap up"])
    until = company.call("GET", f"/v1/contacts/{contact_id}")["wrap_up_until"]
    tab.press("m")
    expect(tab.page.locator("#told")).to_have_text("One minute more.")
    assert company.call("GET", f"/v1/contacts/{contact_id}")["wrap_up_until"] > until
    tab.press("w")
    expect(presence).to_have_text("You are away: nothing new comes. (break)")
    assert tab.said == []


def test_a_contact_is_parked_resumed_and_given_back(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("p", "Enter")
    expect(held(tab)).to_contain_text(["parked"])
    tab.press("p")
    expect(tab.page.get_by_role("button", name="Park…")).to_be_visible()
    tab.press("t", "Enter")
    expect(tab.page.locator("#told")).to_have_text("Given away.")
    assert [event["reason"] for event in said_of(company, contact_id, "contact.released")] == ["transferred"]
    assert tab.said == []


def test_work_that_comes_without_an_offer_is_read_out(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("p", "Enter")
    expect(held(tab)).to_contain_text(["parked"])
    company.call("POST", f"/v1/contacts/{contact_id}/resume", {})
    expect(tab.page.locator("#heard")).to_have_text("Yours now: x · public, Social care.")
    expect(held(tab)).not_to_contain_text(["parked"])


def test_what_is_assigned_without_asking_is_read_out(tab: Tab, company: House, ann: str) -> None:
    rules = {"name": "Chat", "order": 1, "match": {"channel": "chat"}, "auto_accept": ["async"]}
    company.call("PUT", "/v1/queues/chat", rules)
    sat_down(tab, ann)
    post(company, channel="chat")
    expect(tab.page.locator("#heard")).to_have_text("Yours now: chat · public, Chat.")
    expect(held(tab)).to_have_count(1)
    assert tab.said == []


def test_what_is_refused_is_said_in_a_sentence(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("t", "ArrowUp")
    tab.page.get_by_label("Agent's id").fill("nobody-of-this-name")
    tab.press("Enter")
    expect(tab.page.locator("#notice")).to_have_text(re.compile(r"^[A-Z].+\.$"))
    assert [word for word in tab.said if not word.endswith(f"/{contact_id}/transfer")] == []
    assert state_of(company, contact_id) == "assigned"


def test_help_is_asked_for_and_the_contact_stays(tab: Tab, company: House, ann: str) -> None:
    company.call("PUT", "/v1/queues/billing", {"name": "Billing", "order": 500, "match": {"channel": "none"}})
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("h")
    tab.page.get_by_role("combobox").select_option("Billing")
    tab.page.get_by_label("What is your question?").fill("Has she paid twice?")
    tab.press("Enter")
    expect(tab.page.locator("#told")).to_have_text("Asked for help.")
    expect(heading(tab, "x · public, Social care")).to_be_focused()
    expect(tab.page.locator("#talk-facts")).to_contain_text("asked for: one consult goes on")
    contact = company.call("GET", f"/v1/contacts/{contact_id}")
    assert (contact["state"], contact["agent"]) == ("assigned", "ann")
    (consult_id,) = contact["consults"]
    assert company.call("GET", f"/v1/contacts/{consult_id}")["queue"] == "billing"
    company.call("POST", f"/v1/contacts/{consult_id}/close", {})
    expect(tab.page.locator("#talk-facts")).not_to_contain_text("consult")
    assert tab.said == []


def test_who_helps_asks_nobody_else(tab: Tab, company: House, ann: str) -> None:
    company.call("PUT", "/v1/agents/bob", {"skills": {"public": 3}})
    contact_id = post(company)
    company.call("POST", f"/v1/contacts/{contact_id}/assign", {"agent": "bob", "forced": True})
    sat_down(tab, ann)
    company.call("POST", f"/v1/contacts/{contact_id}/consult", {"agent": "ann", "note": "Has she paid twice?"})
    expect(offers(tab)).to_have_count(1)
    tab.press("a")
    expect(tab.page.locator("#talk-facts")).to_contain_text("whoever asks keeps it")
    expect(tab.page.get_by_role("button", name="Ask for help…")).to_be_hidden()
    expect(tab.page.locator("#messages")).to_contain_text("Has she paid twice?")
    tab.press("c", "Enter")
    assert tab.said == []


def test_a_contact_goes_to_another_queue_with_a_note(tab: Tab, company: House, ann: str) -> None:
    company.call("PUT", "/v1/queues/billing", {"name": "Billing", "order": 500, "match": {"channel": "none"}})
    sat_down(tab, ann)
    contact_id = accepted(tab, company)
    tab.press("t", "ArrowDown")
    tab.page.get_by_role("combobox").select_option("Billing")
    tab.page.get_by_label("Note for them").fill("She has paid twice.")
    tab.press("Enter")
    expect(tab.page.locator("#told")).to_have_text("Given away.")
    offer = offers(tab).filter(has_text="x · public, Billing")
    expect(offer).to_have_count(1)
    tab.press("a")
    conversation = tab.page.get_by_role("log", name="Conversation")
    expect(conversation.get_by_role("listitem")).to_contain_text([WORDS, "She has paid twice."])
    assert company.call("GET", f"/v1/contacts/{contact_id}")["queue"] == "billing"
    assert tab.said == []


def test_an_idle_agent_is_told_why(tab: Tab, company: House, ann: str) -> None:
    company.call("PUT", "/v1/agents/ann", {"name": "Ann"})
    sat_down(tab, ann)
    post(company)
    tab.press("i")
    expect(tab.page.locator("#idle-reasons")).to_have_text(re.compile("1 waiting: skill public 0 < 1"))
    tab.hurts_nobody()
    assert tab.said == []


def test_single_keys_can_be_looked_up_and_switched_off(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    tab.press("?")
    keys = tab.page.get_by_role("dialog", name="Keys of the desk")
    expect(keys).to_contain_text("accept the offer you are on, or the first")
    keys.get_by_label("Single keys do something").uncheck()
    tab.press("Escape", "3")
    expect(keys).to_be_hidden()
    expect(tab.page.locator("kbd").first).to_be_hidden()
    tab.page.get_by_role("button", name="Keys").click()
    keys.get_by_label("Single keys do something").check()
    assert company.call("GET", "/v1/agents/ann")["status"] == "available", "3 did nothing"


def test_the_lease_is_kept_as_long_as_the_desk_is_open(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    wait_for_a_heartbeat(tab, company)
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("API key")).to_be_focused()
    assert company.call("GET", "/v1/agents/ann")["status"] == "offline"
    assert tab.said == []


def test_a_desk_that_lost_its_stream_comes_back(browser: Browser, company: House, ann: str) -> None:
    with cable_to(company.port) as cable:
        tab = opened(browser, f"http://127.0.0.1:{cable.port}/")
        sat_down(tab, ann)
        cable.pull()
        expect(tab.page.get_by_role("banner").get_by_role("status")).to_have_text("connection lost, trying again")
        post(company)
        cable.plug()
        expect(tab.page.get_by_role("banner").get_by_role("status")).to_have_text("live")
        expect(offers(tab)).to_have_count(1)
        tab.press("a")
        expect(held(tab)).to_have_count(1)
        assert [word for word in tab.said if "net::ERR_" not in word] == []
        tab.page.close()


def test_a_desk_that_is_loaded_again_is_the_same(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    accepted(tab, company)
    tab.page.reload()
    expect(held(tab)).to_have_count(1)
    expect(tab.page.get_by_role("log", name="Conversation")).to_contain_text(WORDS)
    expect(tab.page.locator("#presence")).to_have_text("You are available: offers come to you.")


@pytest.mark.parametrize(("width", "height", "scheme"), WINDOWS)
def test_no_window_is_too_narrow(
    browser: Browser, company: House, ann: str, width: int, height: int, scheme: Any
) -> None:
    tab = opened(browser, company.url, viewport={"width": width, "height": height}, color_scheme=scheme)
    sat_down(tab, ann)
    accepted(tab, company)
    tab.press("t", "ArrowUp")
    post(company)
    expect(offers(tab)).to_have_count(1)
    offers(tab).get_by_role("button", name="Decline…").click()
    expect(tab.page.get_by_role("log", name="Conversation")).to_contain_text(WORDS)
    tab.hurts_nobody()
    tab.page.get_by_role("button", name="Why?").click()
    expect(tab.page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    tab.hurts_nobody()
    tab.page.close()


def test_nobody_is_trapped(tab: Tab, company: House, ann: str) -> None:
    sat_down(tab, ann)
    accepted(tab, company)
    focused = all_stops(tab.page)
    for label in ("Available 1", "Why? E", "Note the answer", "Close… C", "Sign out"):
        assert label in focused, f"{label} can't be reached by Tab"


def all_stops(page: Page) -> list[str]:
    """What has the focus from one Tab to the next, until it comes round."""
    where = "document.activeElement === document.body ? '' : document.activeElement.innerText.replace(/\\s+/g, ' ')"
    page.evaluate("document.activeElement.blur()")
    stops: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(where))
    return stops
