"""Events as tests want to write them: a row says what it is about, the rest takes a plain value."""

from __future__ import annotations

from itertools import count
from typing import Any

from libs.common.events import Event, commands, contacts, escalations
from libs.common.events.values import Capacity, Match, QueueRules, Reach, RelaxStep, Requirement, SkillNeed, Skip

KEY = "acme/main"
START = 1_795_000_000_000_000
PUBLIC = {"public": 1}
_numbers = count(1)


def command_id() -> str:
    return f"cmd_{next(_numbers)}"


def make(kind: type[Event], **fields: Any) -> Any:
    """An event of this kind, now, in the pool that tests use."""
    names = kind.__struct_fields__
    plain: dict[str, Any] = {"key": KEY, "at": START, "actor": "test"}
    if "command_id" in names:
        plain["command_id"] = command_id()
    return kind(**{name: value for name, value in (plain | fields).items() if name in names or name in fields})


def need(*skills: str) -> Requirement:
    """`need("billing:3", "vip")`: all of these."""
    return Requirement(all=tuple(_skill(skill) for skill in skills))


def _skill(text: str) -> SkillNeed:
    name, _, level = text.rpartition(":")
    return SkillNeed(skill=name, level=int(level)) if level.isdecimal() else SkillNeed(skill=text)


def skills(*names: str) -> dict[str, int]:
    return {_skill(name).skill: _skill(name).level for name in names}


def agent(
    agent_id: str, *names: str, key: str = KEY, missed_offers_max: int = 0, **capacity: Any
) -> tuple[Event, ...]:
    """An agent who is available for the whole day; `units=`, `cost=`, `max=` say how much they hold."""
    put = make(
        commands.PutAgent, key=key, agent_id=agent_id, skills=skills(*names), capacity=Capacity(**capacity),
        missed_offers_max=missed_offers_max,
    )  # fmt: skip
    return put, presence(agent_id, key=key)


def presence(agent_id: str, status: str = "available", *, lease: int = 86_400, **fields: Any) -> Event:
    return make(commands.SetPresence, agent_id=agent_id, status=status, lease_seconds=lease, **fields)


def put_queue(queue_id: str = "everyone", **rules: Any) -> Any:
    return make(commands.PutQueue, queue_id=queue_id, rules=QueueRules(**rules))


def queue(queue_id: str = "everyone", **rules: Any) -> tuple[Event, ...]:
    return (put_queue(queue_id, **rules),)


def relax(after_seconds: int, *names: str, skip: Skip = "nobody_available") -> RelaxStep:
    return RelaxStep(after_seconds=after_seconds, requirement=need(*names), skip=skip)


def target(target_id: str, seconds: int, *, key: str = "acme/*", **match: Any) -> tuple[Event, ...]:
    return (
        make(
            escalations.TargetUpdated,
            key=key,
            target_id=target_id,
            target_version=1,
            match=Match(**match),
            metric="first_response",
            seconds=seconds,
        ),
    )


CHANNELS: dict[str, tuple[str, str]] = {
    "email": ("async", "private"),
    "x": ("async", "public"),
    "whatsapp": ("async", "private"),
    "chat": ("live", "private"),
    "voice": ("voice", "private"),
}


def opened(contact_id: str = "con_1", *needs: str, channel: str = "email", **fields: Any) -> Any:
    """A contact; its channel settles medium and visibility unless they are given."""
    return make(contacts.ContactOpened, contact_id=contact_id, **_message(contact_id, channel, needs, fields))


def added(contact_id: str = "con_1", *needs: str, channel: str = "email", **fields: Any) -> Any:
    return make(contacts.MessageAdded, contact_id=contact_id, **_message(contact_id, channel, needs, fields))


def _message(contact_id: str, channel: str, needs: tuple[str, ...], fields: dict[str, Any]) -> dict[str, Any]:
    medium, visibility = CHANNELS[channel]
    reach = fields.pop("reach", None)
    plain = {
        "message_id": f"msg_{next(_numbers)}",
        "account": f"acme-{channel}",
        "channel": channel,
        "medium": medium,
        "visibility": visibility,
        "customer_id": f"cus_{contact_id}",
        "occurred_at": fields.get("at", START),
        "requirement": need(*needs) if needs else None,
        "reach": reach if isinstance(reach, Reach) else Reach(views=reach or 0),
    }
    return plain | fields


def accept(offer_id: str, agent_id: str | None = None, **fields: Any) -> Any:
    return make(commands.AcceptOffer, offer_id=offer_id, agent_id=agent_id, **fields)


def decline(offer_id: str, agent_id: str | None = None, **fields: Any) -> Any:
    return make(commands.DeclineOffer, offer_id=offer_id, agent_id=agent_id, **fields)


def ask(kind: type[Event], by: str | None = None, **fields: Any) -> Any:
    """Of con_1 unless it is said; `by` an agent, or a supervisor."""
    return make(kind, agent_id=by, **({"contact_id": "con_1"} | fields))


def close(contact_id: str = "con_1", agent_id: str | None = None, **fields: Any) -> Any:
    return make(commands.CloseContact, contact_id=contact_id, agent_id=agent_id, **fields)


def response(contact_id: str = "con_1", **fields: Any) -> Any:
    plain = {"visibility": "private", "occurred_at": START}
    return make(contacts.ResponseObserved, contact_id=contact_id, **(plain | fields))


def left(contact_id: str = "con_1", **fields: Any) -> Any:
    return make(contacts.CustomerLeft, contact_id=contact_id, occurred_at=START, **fields)


def withdrawn(contact_id: str = "con_1", **fields: Any) -> Any:
    return make(contacts.ContactWithdrawn, contact_id=contact_id, occurred_at=START, **fields)


def escalation(contact_id: str = "con_1", do: str = "raise_priority", **fields: Any) -> Any:
    plain = {
        "target": "t",
        "metric": "first_response",
        "queue": "everyone",
        "channel": "email",
        "step": 0,
        "share": 1.0,
    }
    return make(escalations.EscalationRaised, contact_id=contact_id, do=do, **(plain | fields))
