"""Rules about contacts: what each comparison says, and what is no rule."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from libs.common.events.values import Predicate
from services.router.core.predicates import failing, flaws
from services.router.core.traits import MessageTraits

POST = MessageTraits(
    channel="x", medium="async", visibility="public", account="acme-x", queue="", tier="gold", language="it",
    topics=("billing", "refund"), sentiment=-0.8, reach=1_000, strikes=2,
    attributes={"order_value": 129.9, "country": "IT", "vip": True, "items": 3},
)  # fmt: skip


def rule(body: dict[str, Any]) -> Predicate:
    return msgspec.convert(body, Predicate)


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


YES, NO = leaf("channel", "eq", "x"), leaf("channel", "eq", "email")


@pytest.mark.parametrize(("says", "body", "failed"), [
    ("equal",                              leaf("channel", "eq", "x"),                       None),
    ("not equal",                          leaf("channel", "ne", "x"),                       ""),
    ("one of several",                     leaf("tier", "in", ["silver", "gold"]),           None),
    ("none of several",                    leaf("visibility", "in", ["private"]),            ""),
    ("at least, exactly there",            leaf("reach", "gte", 1_000),                      None),
    ("more, exactly there",                leaf("reach", "gt", 1_000),                       ""),
    ("less",                               leaf("sentiment", "lt", -0.5),                    None),
    ("at most",                            leaf("strikes", "lte", 2),                        None),
    ("a topic among others",               leaf("topics", "contains", "refund"),             None),
    ("a topic that isn't there",           leaf("topics", "contains", "tax"),                ""),
    ("some topic",                         leaf("topics", "exists", True),                   None),
    ("a language is known",                leaf("language", "exists", False),                ""),
    ("an attribute's number",              leaf("attributes.order_value", "gte", 100),       None),
    ("an attribute's text",                leaf("attributes.country", "eq", "IT"),           None),
    ("a text has no order",                leaf("attributes.country", "gte", 1),             ""),
    ("what isn't there equals nothing",    leaf("attributes.size", "eq", 1),                 ""),
    ("what isn't there differs",           leaf("attributes.size", "ne", 1),                 None),
    ("what isn't there can be asked for",  leaf("attributes.size", "exists", False),         None),
    ("a flag is no number",                leaf("attributes.vip", "eq", 1),                  ""),
    ("a number is no text",                leaf("attributes.items", "eq", "3"),              ""),
    ("whole and broken numbers are one",   leaf("attributes.items", "eq", 3.0),              None),
    ("all hold",                           {"all": [YES, YES]},                              None),
    ("one of all doesn't",                 {"all": [YES, NO, NO]},                           "/all/1"),
    ("one of any does",                    {"any": [NO, YES]},                               None),
    ("none of any does",                   {"any": [NO, NO]},                                "/any/0"),
    ("not what doesn't hold",              {"not": NO},                                      None),
    ("not what holds",                     {"all": [YES, {"not": {"any": [NO, YES]}}]},      "/all/1/not"),
    ("inside any inside all",              {"all": [YES, {"any": [{"all": [YES, NO]}]}]},    "/all/1/any/0/all/1"),
])  # fmt: skip
def test_what_holds(says: str, body: dict[str, Any], failed: str | None) -> None:
    assert not flaws(rule(body)), says
    assert failing(rule(body), POST) == failed, says


def nested(levels: int) -> dict[str, Any]:
    return YES if levels == 1 else {"not": nested(levels - 1)}


@pytest.mark.parametrize(("says", "body", "pointer"), [
    ("an unknown field",           leaf("mood", "eq", "bad"),                          "/field"),
    ("an attribute has a name",    leaf("attributes.", "eq", "bad"),                   "/field"),
    ("text of the customer",       leaf("text", "contains", "refund"),                 "/field"),
    ("a channel has no order",     leaf("channel", "gt", "x"),                         "/op"),
    ("topics are contained",       leaf("topics", "eq", "billing"),                    "/op"),
    ("a channel is always there",  leaf("channel", "exists", True),                    "/op"),
    ("nothing compared",           {"field": "channel", "value": "x"},                 "/op"),
    ("a number for a number",      leaf("reach", "gte", "1000"),                       "/value"),
    ("a flag is no number",        leaf("reach", "gte", True),                         "/value"),
    ("a text for a text",          leaf("channel", "eq", 1),                           "/value"),
    ("a word of the known ones",   leaf("visibility", "eq", "secret"),                 "/value"),
    ("a list for in",              leaf("channel", "in", "x"),                         "/value"),
    ("no list but for in",         leaf("channel", "eq", ["x"]),                       "/value"),
    ("an empty list",              leaf("channel", "in", []),                          "/value"),
    ("fifty values at most",       leaf("channel", "in", [f"c{n}" for n in range(51)]), "/value"),
    ("is there or not",            leaf("language", "exists", "yes"),                  "/value"),
    ("something to compare with",  {"field": "attributes.a", "op": "eq"},              "/value"),
    ("only numbers have an order", leaf("attributes.a", "gt", "b"),                    "/value"),
    ("nothing at all",             {},                                                 ""),
    ("two things at once",         {"all": [YES], "not": NO},                          ""),
    ("a field and a tree",         {"all": [YES], "field": "channel"},                 ""),
    ("an op without a field",      {"not": NO, "op": "eq"},                            ""),
    ("all of nothing",             {"all": []},                                        "/all"),
    ("any of nothing",             {"all": [YES, {"any": []}]},                        "/all/1/any"),
    ("deep inside",                {"any": [YES, {"not": leaf("reach", "in", ["x"])}]}, "/any/1/not/value"),
    ("nine levels",                nested(9),                                          ""),
    ("sixty-five comparisons",     {"all": [YES] * 65},                                ""),
])  # fmt: skip
def test_what_is_no_rule(says: str, body: dict[str, Any], pointer: str) -> None:
    assert [where for where, _ in flaws(rule(body))] == [pointer], says


@pytest.mark.parametrize("body", [nested(8), {"all": [YES] * 64}, leaf("channel", "in", [f"c{n}" for n in range(50)])])
def test_up_to_the_bounds_it_is_one(body: dict[str, Any]) -> None:
    assert not flaws(rule(body))


def test_every_flaw_is_named() -> None:
    body = {"all": [leaf("mood", "eq", 1), YES, leaf("reach", "eq", "x")]}
    assert [where for where, _ in flaws(rule(body))] == ["/all/0/field", "/all/2/value"]


def test_a_rule_has_one_form_on_the_log() -> None:
    body = {"all": [YES, {"not": leaf("attributes.vip", "in", [True, 1, 1.5, "a"])}]}
    assert msgspec.json.decode(msgspec.json.encode(rule(body))) == body
