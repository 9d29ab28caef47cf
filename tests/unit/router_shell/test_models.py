"""What a request becomes on the log."""

import pytest
from pydantic import ValidationError

from libs.common.errors import Invalid
from libs.common.events.values import Capacity, Match, Requirement, SkillNeed
from libs.common.matching import MatchBody
from services.router.api_models import AgentBody, CapacityBody, ParkBody, QueueBody, Weights
from services.router.api_models import Requirement as RequirementBody

AT = 1_795_000_000_000_000


def test_a_medium_without_a_cost_keeps_its_usual_one() -> None:
    assert CapacityBody(cost={"async": 10}).value() == Capacity(cost={"voice": 120, "live": 40, "async": 10})


@pytest.mark.parametrize(("rule", "body", "where"), [
    ("nothing interrupts a call",       {"interrupted_by": {"voice": ["voice"]}}, ("interrupted_by", "voice")),
    ("a chat interrupts no chat",       {"interrupted_by": {"live": ["live"]}},   ("interrupted_by", "live", 0)),
    ("channels aren't media",           {"interrupted_by": {"email": ["voice"]}}, ("interrupted_by", "email")),
    ("a reserve leaves room",           {"units": 60, "wake_up_reserve": 60},     ("wake_up_reserve",)),
    ("and is none below nothing",       {"wake_up_reserve": -1},                  ("wake_up_reserve",)),
])  # fmt: skip
def test_a_capacity_names_what_is_wrong(rule: str, body: dict[str, object], where: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        CapacityBody.model_validate(body)
    assert [error["loc"] for error in refused.value.errors()] == [where], rule


def test_who_may_interrupt_what_is_in_order() -> None:
    body = CapacityBody.model_validate({"interrupted_by": {"async": ["voice", "live", "voice"], "live": []}})
    assert body.value().interrupted_by == {"async": ("live", "voice")}


def test_an_agent_may_leave_out_everything() -> None:
    assert AgentBody().pool == "main"
    assert AgentBody().capacity.value() == Capacity()


def test_a_requirement_keeps_its_levels() -> None:
    body = RequirementBody.model_validate({"all": [{"skill": "billing", "level": 3}], "none": [{"skill": "trainee"}]})
    assert body.value() == Requirement(
        all=(SkillNeed(skill="billing", level=3),), none=(SkillNeed(skill="trainee"),)
    )


def test_a_match_keeps_one_or_several_values() -> None:
    body = MatchBody.model_validate({"channel": ["x", "facebook"], "visibility": "public"})
    assert body.value() == Match(channel=("x", "facebook"), visibility="public")


def test_weights_become_thousandths() -> None:
    assert Weights.model_validate({"reach": 0.2}).value() == {
        "reach": 200, "sentiment": 50, "tier": 50, "strikes": 100, "velocity": 0, "urgency": 0,
    }  # fmt: skip


def test_a_moment_is_an_instant_in_utc() -> None:
    assert ParkBody.model_validate({"until": "1970-01-01T01:00:01+01:00"}).fields()["until"] == 1_000_000
    assert ParkBody().fields()["until"] is None


HOURS = "Mo-Fr 09:00-18:00"


@pytest.mark.parametrize(
    ("rule", "body", "pointer"),
    [
        ("a place of no hours", {"timezone": "Europe/Rome"}, "/timezone"),
        ("a country of no hours", {"country": "IT"}, "/country"),
        ("never closed", {"closed": "refuse"}, "/closed"),
        ("closed without a way out", {"hours": HOURS, "closed": "overflow"}, "/closed"),
        ("overflow into itself", {"overflow": {"queue": "care", "after_seconds": 60}}, "/overflow/queue"),
        ("overflow of nobody", {"overflow": {"queue": "all"}}, "/overflow"),
        ("an overflow's wait into itself", {"overflow": {"queue": "care", "wait_over_seconds": 60}}, "/overflow/queue"),
        ("a time zone that nobody knows", {"hours": HOURS, "timezone": "Europe/Rom"}, "/timezone"),
        ("no hours", {"hours": "9 to 5"}, "/hours"),
        ("never open", {"hours": "off"}, "/hours"),
        ("a comment", {"hours": 'Mo 09:00-10:00 "ask Mario"'}, "/hours"),
        ("public holidays of no country", {"hours": "Mo-Fr 09:00-18:00; PH off"}, "/country"),
        ("a field that isn't one", {"when": {"field": "mood", "op": "eq", "value": "bad"}}, "/when/field"),
        ("an op that isn't for it", {"when": {"not": {"field": "topics", "op": "gt", "value": 1}}}, "/when/not/op"),
    ],
)
def test_what_is_wrong_is_named(rule: str, body: dict[str, object], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        QueueBody.model_validate(body).admission("care", AT)
    assert refused.value.errors[0].pointer == pointer, rule


def test_hours_become_a_table_of_what_comes() -> None:
    body = QueueBody(hours=HOURS, timezone="Europe/Rome")
    hours = body.admission("care", AT)["hours"]
    assert (hours.hours, hours.timezone, hours.country) == (HOURS, "Europe/Rome", None)
    assert all(closes > AT for _, closes in hours.open)
    assert len(hours.open) > 250


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("a number is no string", {"order": "10"}),
        ("a flag is no number", {"offer_seconds": True}),
        ("an hour at most", {"offer_seconds": 3_601}),
        ("no queue matches by its own name", {"match": {"queue": "social"}}),
        ("a medium is one of three", {"match": {"medium": "fax"}}),
        ("ids have no spaces", {"pool": "the pool"}),
    ],
)
def test_a_queue_is_strict(rule: str, body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QueueBody.model_validate(body)
