"""Ingest's core by its rules: conversations, withdrawals, strikes, reach, addresses, times."""

from dataclasses import replace

import pytest

from libs.common.events.base import SECOND
from libs.common.events.values import Reach, Scalar
from services.ingest.core.identity import Identity, same_form
from services.ingest.core.joining import (
    ATTRIBUTES_MAX,
    Author,
    Contact,
    Line,
    Writer,
    addition,
    author_of,
    joined,
    nobody_need_answer,
    opened,
    opening,
    overheard,
)
from services.ingest.core.normalize import Parent, Received, bounded, conversation_of, prose
from services.ingest.core.strikes import STRIKE_MICROSECONDS, Failure, strikes
from services.ingest.core.visibility import widest
from services.ingest.ids import new_id
from services.ingest.language import language_of

NOW = 1_795_000_000 * SECOND
MARIO = Identity(channel="x", address="77")
POST = Received(source_id="2", channel="x", medium="async", visibility="public", identities=(MARIO,))
OURS = Parent(conversation="1", contact_id=None)
KNOWN = Parent(conversation="root", contact_id="con_a")
ANN = Writer(customer_id="cus_a", tier="gold", strikes=2, last_agent="ann")


def contact() -> Contact:
    first = replace(POST, attributes={"order": "A", "value": 3}, topics=("billing",), sentiment=-0.5, language="it")
    return opened(first, ANN, contact_id="con_a", key="w/p", account="brand", conversation="c", at=NOW)


@pytest.mark.parametrize(
    ("rule", "received", "parent", "conversation"),
    [
        ("a first post begins one", POST, None, "2"),
        ("the channel's own key wins", replace(POST, conversation="c", parent="1"), KNOWN, "c"),
        ("a reply belongs to its parent's", replace(POST, parent="1"), KNOWN, "root"),
        ("a reply to the unknown begins there", replace(POST, parent="1"), None, "1"),
        ("a reply to our own post begins its own", replace(POST, parent="1"), OURS, "2"),
    ],
)
def test_conversation_of(rule: str, received: Received, parent: Parent | None, conversation: str) -> None:
    assert conversation_of(received, parent) == conversation, rule


def line(author: Author = "customer", *, deleted: bool = False, opens: bool = False, automatic: bool = False) -> Line:
    return Line(author=author, deleted=deleted, opens=opens, automatic=automatic)


GONE = line(deleted=True, opens=True)


@pytest.mark.parametrize(
    ("rule", "lines", "nobody"),
    [
        ("it stands", [line(opens=True)], False),
        ("it is gone", [GONE], True),
        ("another waits", [GONE, line()], False),
        ("the other is gone too", [GONE, line(deleted=True)], True),
        ("the other was answered", [GONE, line(), line("company")], True),
        ("… by a machine", [GONE, line(), line("company", automatic=True)], False),
        ("they wrote again after the answer", [GONE, line("company"), line()], False),
        ("bystanders wait for nothing", [GONE, line("bystander")], True),
        ("what opened it stands, the rest is gone", [line(opens=True), line("company"), line(deleted=True)], False),
    ],
)
def test_nobody_need_answer(rule: str, lines: list[Line], nobody: bool) -> None:
    assert nobody_need_answer(lines) is nobody, rule


def failure(contact_id: str, at: int = NOW) -> Failure:
    return Failure(contact_id=contact_id, at=at)


@pytest.mark.parametrize(
    ("rule", "failures", "returns_to", "count"),
    [
        ("none", [], None, 0),
        ("each contact once", [failure("a"), failure("a"), failure("b")], None, 2),
        ("at most three", [failure(name) for name in "abcd"], None, 3),
        (
            "ninety days",
            [failure("a", NOW - STRIKE_MICROSECONDS), failure("b", NOW - STRIKE_MICROSECONDS + 1)],
            None,
            1,
        ),
        ("a return is one", [], "a", 1),
        ("… once", [failure("a")], "a", 1),
    ],
)
def test_strikes(rule: str, failures: list[Failure], returns_to: str | None, count: int) -> None:
    assert strikes(failures, NOW, returns_to=returns_to) == count, rule


@pytest.mark.parametrize(
    ("rule", "occurred_at", "taken"),
    [
        ("unknown", None, NOW),
        ("the provider's", NOW - 5, NOW - 5),
        ("five minutes ahead", NOW + 300 * SECOND, NOW + 300 * SECOND),
        ("more than that", NOW + 300 * SECOND + 1, NOW),
        ("before the channel was", 0, NOW),
        ("long ago but possible", 1_542_759_193 * SECOND, 1_542_759_193 * SECOND),
    ],
)
def test_bounded(rule: str, occurred_at: int | None, taken: int) -> None:
    assert bounded(occurred_at, NOW) == taken, rule


@pytest.mark.parametrize(
    ("channel", "address", "form"),
    [
        ("email", " Mario@Example.COM ", "mario@example.com"),
        ("x", "@Mario", "@mario"),
        ("x", "219826253", "219826253"),
        ("sms", "+39 06/123-45.6", "+3906123456"),
        ("voice", "0039 06 1234", "+39061234"),
        ("voice", "Anonymous", "anonymous"),
        ("webchat", "Visitor-9", "Visitor-9"),
    ],
)
def test_two_spellings_of_an_address_meet(channel: str, address: str, form: str) -> None:
    assert same_form(channel, address) == form


def test_reach_only_grows() -> None:
    known, seen = Reach(followers=5, views=1), Reach(followers=2, views=7, shares=1)
    assert widest(known, seen) == widest(seen, known) == Reach(followers=5, views=7, shares=1)


def test_what_a_later_message_leaves_out_stays() -> None:
    after = joined(contact(), replace(POST, attributes={"order": "B"}, visibility="private"), ANN)
    assert (after.topics, after.sentiment, after.language) == (("billing",), -0.5, "it")
    assert (after.attributes, after.visibility) == ({"order": "B", "value": 3}, "private")
    assert joined(contact(), replace(POST, topics=(), sentiment=0.0), ANN).topics == ()


def test_a_contact_keeps_its_first_fifty_attributes() -> None:
    many: dict[str, Scalar] = {f"a{n}": n for n in range(60)}
    after = joined(contact(), replace(POST, attributes={**many, "order": "B"}), ANN)
    assert after.attributes == {"order": "B", "value": 3} | {f"a{n}": n for n in range(ATTRIBUTES_MAX - 2)}


def test_a_bystander_changes_nothing_but_the_reach() -> None:
    loud = replace(POST, reach=Reach(followers=9), topics=("fun",), sentiment=1.0, queue="q", attributes={"order": "B"})
    assert overheard(contact(), loud) == replace(contact(), reach=Reach(followers=9))
    assert (author_of(contact(), "cus_a"), author_of(contact(), "cus_b")) == ("customer", "bystander")


def test_facts_carry_what_is_routable_and_what_is_owed() -> None:
    message = {"message_id": "msg_a", "occurred_at": NOW, "at": NOW}
    first = opening(contact(), ANN, message=message, routable=("value", "unknown"))
    assert first.attributes == {"value": 3}
    assert (first.strikes, first.last_agent, first.tier, first.key) == (2, "ann", "gold", "w/p")
    assert addition(contact(), ANN, "bystander", message=message, routable=()).author == "bystander"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Perché il pagamento è rifiutato?", "it"),
        ("@brand again, no answer from you https://t.co/x", "en"),
        ("Mein Internet geht seit gestern nicht", "de"),
        ("ok", None),
        ("@buongiorno #ciao https://example.com/perche", None),
        (None, None),
    ],
)
def test_language_of(text: str | None, language: str | None) -> None:
    assert language_of(text) == language


def test_prose_is_without_addresses() -> None:
    assert prose("@brand see https://t.co/x #fail now").split() == ["see", "now"]


def test_ids_ascend_with_time_and_never_meet() -> None:
    drawn = [new_id("con", NOW + n * 1_000) for n in range(1_000)]
    assert drawn == sorted(drawn)
    assert len({new_id("con", NOW) for _ in range(1_000)}) == 1_000
    assert {len(one) for one in drawn} == {30}
