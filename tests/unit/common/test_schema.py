"""Bodies: strict where pydantic is kind."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from libs.common.http import Id, StrictModel, Tag, Time


class Inner(StrictModel):
    level: int = 1
    at: Time | None = None


class Body(StrictModel):
    number: int = 0
    share: float = 0.0
    flag: bool = False
    text: str = ""
    at: Time | None = None
    id: Id = "a"
    tag: Tag = "a"
    kind: Literal["a", "b"] = "a"
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    skills: dict[str, int] = {}
    either: int | str | None = None


REFUSED = [
    ("a bool is no int", {"number": True}),
    ("a string is no int", {"number": "1"}),
    ("a float is no int", {"number": 1.0}),
    ("a bool is no float", {"share": False}),
    ("a string is no float", {"share": "0.5"}),
    ("a number is no bool", {"flag": 1}),
    ("a word is no bool", {"flag": "yes"}),
    ("a number is no string", {"text": 1}),
    ("null is no string", {"text": None}),
    ("a time needs a zone", {"at": "2026-11-22T09:30:00"}),
    ("a date is no time", {"at": "2026-11-22"}),
    ("a number is no time", {"at": 1_795_000_000}),
    ("a number in a string is no time", {"at": "1795000000"}),
    ("a zone without colon", {"at": "2026-11-22T09:30:00+0100"}),
    ("a space for the T", {"at": "2026-11-22 09:30:00Z"}),
    ("the 30th of February", {"at": "2026-02-30T09:30:00Z"}),
    ("a time of 1969", {"at": "1969-12-31T23:59:59Z"}),
    ("the year 1", {"at": "0001-01-01T00:00:00+14:00"}),
    ("the year 9999", {"at": "9999-12-31T23:59:59-14:00"}),
    ("digits of another script", {"at": "٢٠٢٦-11-22T09:30:00Z"}),
    ("a time needs a zone, inside too", {"inner": {"at": "2026-11-22T09:30:00"}}),
    ("a bool inside", {"inner": {"level": True}}),
    ("a bool in a list", {"many": [{"level": True}]}),
    ("a bool in a map", {"skills": {"billing": True}}),
    ("a bool for either", {"either": True}),
    ("an unknown field", {"unknown": 1}),
    ("an unknown field inside", {"inner": {"unknown": 1}}),
    ("an id with a slash", {"id": "a/b"}),
    ("an id with an @", {"id": "mario@example.com"}),
    ("an id with a space", {"id": "a b"}),
    ("an id that ends in a line", {"id": "a\n"}),
    ("an empty id", {"id": ""}),
    ("an id of 129", {"id": "a" * 129}),
    ("a tag in capitals", {"tag": "Sold"}),
    ("a kind nobody knows", {"kind": "c"}),
    ("a list for a body", [1]),
]


@pytest.mark.parametrize(("what", "body"), REFUSED, ids=[what for what, _ in REFUSED])
def test_refused(what: str, body: Any) -> None:
    with pytest.raises(ValidationError):
        Body.model_validate(body)


TAKEN = [
    ("an int for a float", {"share": 1}, {"share": 1.0}),
    ("a time with zone, answered in UTC", {"at": "2026-11-22T09:30:00+01:00"}, {"at": "2026-11-22T08:30:00Z"}),
    ("a fraction", {"at": "2026-11-22T09:30:00.123456Z"}, {"at": "2026-11-22T09:30:00.123456Z"}),
    (
        "a time inside",
        {"inner": {"at": "2026-11-22T09:30:00+01:00"}},
        {"inner": {"level": 1, "at": "2026-11-22T08:30:00Z"}},
    ),
    ("a list for a tuple", {"many": [{"level": 2}]}, {"many": [{"level": 2, "at": None}]}),
    ("ids as we give them", {"id": "con_x.offer.3"}, {"id": "con_x.offer.3"}),
]


@pytest.mark.parametrize(("what", "body", "shown"), TAKEN, ids=[what for what, *_ in TAKEN])
def test_taken(what: str, body: dict[str, Any], shown: dict[str, Any]) -> None:
    read = Body.model_validate(body).model_dump(mode="json")
    assert {name: read[name] for name in shown} == shown


class Base(StrictModel):
    at: Time


class Derived(Base):
    items: list[Base]


def test_models_that_inherit_and_nest_stay_strict() -> None:
    with pytest.raises(ValidationError):
        Derived.model_validate({"at": "2026-11-22T09:30:00Z", "items": [{"at": "2026-11-22"}]})


def test_the_schema_says_what_a_time_is() -> None:
    assert Base.model_json_schema()["properties"]["at"]["format"] == "date-time"


class Plain(BaseModel):
    at: Time


def test_a_time_is_strict_outside_of_a_strict_model_too() -> None:
    with pytest.raises(ValidationError):
        Plain.model_validate({"at": "2026-11-22T09:30:00"})
