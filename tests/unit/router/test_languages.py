"""Language as a skill: a queue may ask whoever takes a contact to speak what its customer speaks."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.contacts import ContactEnriched
from services.router.core.explain import explain
from tests.simulation.router.builders import accept, added, agent, make, need, opened, presence, queue, relax
from tests.simulation.router.driver import PoolDriver

ANN, UGO = agent("ann", "tax"), agent("ugo", "tax", "lang:it:3")
ASKED = queue(language_skill=True)


@pytest.mark.parametrize(("rule", "rules", "language", "expected"), [
    ("where it isn't asked nobody need speak it",  queue(),                                        "it",    "ann"),
    ("asked: who speaks it",                       ASKED,                                          "it",    "ugo"),
    ("well enough",                                queue(language_skill=True, language_level=3),   "it",    "ugo"),
    ("not well enough",                            queue(language_skill=True, language_level=4),   "it",    None),
    ("a region is the language's",                 ASKED,                                          "it-CH", "ugo"),
    ("nobody speaks it",                           ASKED,                                          "fr",    None),
    ("an unknown language asks for nothing",       ASKED,                                          None,    "ann"),
    ("a level alone asks for nothing",             queue(language_level=5),                        "it",    "ann"),
    ("it is asked besides the rest",               queue(language_skill=True, requirement=need("vip")), "it", None),
    ("no relaxation step takes it away",           queue(language_skill=True, relax=(relax(0),)),  "fr",    None),
])  # fmt: skip
def test_who_speaks_it(rule: str, rules: Any, language: str | None, expected: str | None) -> None:
    pool = PoolDriver(rules, ANN, UGO)
    pool.receive(opened(language=language))
    pool.advance(60)
    assert [agent_id for _, agent_id in pool.offers()][:1] == ([expected] if expected else []), rule


def test_nobody_who_speaks_it_is_a_dead_end_that_says_which_language() -> None:
    pool = PoolDriver(ASKED, ANN)
    pool.receive(opened(language="fr"))
    assert [one.missing for one in pool.events("contact.unroutable")] == [("lang:fr",)]


@pytest.mark.parametrize(("rule", "told"), [
    ("by detection",        make(ContactEnriched, contact_id="con_1", language="it")),
    ("by the next message", added(language="it")),
])  # fmt: skip
def test_a_language_that_becomes_known_while_it_waits_is_asked_for(rule: str, told: Any) -> None:
    pool = PoolDriver(ASKED, agent("ann", "tax", units=20), UGO, [presence("ugo", "away")])
    pool.receive(opened("con_0"), accept("con_0.offer.1", "ann"), opened(), presence("ugo", "busy"), told)
    pool.receive(*agent("zoe", "tax"))
    assert pool.contact().state == "waiting", f"{rule}: zoe doesn't speak it"
    pool.receive(presence("ugo"))
    assert pool.contact().offer_agent == "ugo", rule


def test_who_speaks_it_and_is_free_gets_it_when_it_becomes_known() -> None:
    pool = PoolDriver(queue(language_skill=True, requirement=need("vip")), agent("bob", "vip", "lang:fr"))
    pool.receive(opened(language="it"))
    assert pool.contact().unroutable == "no_agent"
    pool.receive(make(ContactEnriched, contact_id="con_1", language="fr"))
    assert (pool.contact().offer_agent, pool.contact().unroutable) == ("bob", None)


def test_a_dead_end_ends_when_its_language_turns_out_to_be_another() -> None:
    pool = PoolDriver(ASKED, UGO, [presence("ugo", "away")])
    pool.receive(opened(language="fr"), make(ContactEnriched, contact_id="con_1", language="it"))
    flags = [(one.unroutable, one.reason) for one in pool.events("contact.unroutable")]
    assert flags == [(True, "no_agent"), (False, "needs_changed")]


def test_it_is_pinned_with_the_other_rules_and_told() -> None:
    pool = PoolDriver(queue(language_skill=True, language_level=2), ANN)
    pool.receive(opened(language="it"), *queue())
    assert pool.events("contact.queued")[0].language_level == 2
    assert explain(pool.floor, pool.contact(), pool.now).requirement == need("lang:it:2")
    pool.restore()
    pool.receive(*UGO)
    assert pool.contact().offer_agent == "ugo"


def test_a_level_beyond_five_is_refused() -> None:
    pool = PoolDriver()
    assert pool.run(queue(language_level=6)[0]).code == "invalid"
