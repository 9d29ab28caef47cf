"""A random day: contacts with conversations, told to the SLA service late, out of order and around outages.

Times are whole seconds after nine, so that the oracle can count them one by one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from libs.common.events import Event
from tests.unit.sla.driver import (
    abandoned,
    assigned,
    calendar,
    closed,
    ladder,
    message,
    opened,
    parked,
    queued,
    response,
    resumed,
    seconds,
    target,
    withdrawn,
)

OFFICE = ((0, 900), (1_200, 2_100), (2_400, 60_000))
TARGETS = {
    "voice": target("voice", seconds=20, match={"medium": "voice"}, warn_at=(0.5,), escalate=ladder(0.8, 1.0, 2.0)),
    "live": target("live", seconds=60, match={"medium": "live"}, warn_at=(0.25, 0.5), escalate=ladder(0.5, 1.5, 1.5)),
    "async": target("async", seconds=300, match={"medium": "async"}, warn_at=(0.8,), escalate=ladder(0.8, 1.0, 3.0)),
    "office": target("office", seconds=200, match={"visibility": "community"}, calendar="office", escalate=ladder(1.0)),
    "solve": target("solve", metric="resolution", seconds=400, warn_at=(0.5,), escalate=ladder(0.5, 1.0, 2.0)),
    "solve_office": target(
        "solve_office",
        metric="resolution",
        seconds=399,
        match={"visibility": "community"},
        calendar="office",
        escalate=ladder(1.0),
    ),
}
CONFIGURATION: tuple[Event, ...] = (calendar("office", *OFFICE), *TARGETS.values())


TOPICS = ("omniroute.contacts.v1", "omniroute.routing.v1", "omniroute.commands.v1")
"""In the order in which the machine feeds what came at one time."""


@dataclass
class Day:
    """What arrives when."""

    arrivals: list[tuple[float, int, Event]] = field(default_factory=list)
    outages: list[tuple[int, int]] = field(default_factory=list)
    ends_at: int = 0

    def tell(self, arrives: int, event: Event) -> None:
        self.arrivals.append((arrives, TOPICS.index(str(event.topic)), event))
        self.ends_at = max(self.ends_at, arrives)

    def ordered(self) -> list[tuple[float, Event]]:
        return [(at, event) for at, _, event in sorted(self.arrivals, key=lambda one: (one[0], one[1]))]


def day(seed: int, contacts: int = 12) -> Day:
    draw = random.Random(seed)
    made = Day()
    for number in range(contacts):
        live_through(draw, made, f"con_{number}", draw.randrange(0, 2_500))
    for _ in range(draw.randrange(3)):
        start = draw.randrange(0, 3_500)
        made.outages.append((start, start + draw.randrange(5, 400)))
    for number in range(15):
        compile_again(draw, made, number, draw.randrange(0, 4_000))
    return made


def compile_again(draw: random.Random, made: Day, number: int, at: int) -> None:
    """The office's hours anew, from a while ago on, now and then after others that stood for a moment: what a clock
    does by them stays the same."""
    since = at - draw.randrange(0, 300)
    if draw.random() < 0.3:
        made.tell(at, calendar("office", (at, 60_000), hours="Mo", command_id=f"other.{number}"))
        made.tell(at, calendar("office", *OFFICE, command_id=f"back.{number}"))
    else:
        table = [(max(opens, since), closes) for opens, closes in OFFICE if closes > since]
        made.tell(at, calendar("office", *table, since=seconds(since), command_id=f"again.{number}"))


def delay(draw: random.Random) -> int:
    """How long the news takes: mostly moments, sometimes minutes."""
    return draw.randrange(0, 200) if draw.random() < 0.25 else draw.randrange(0, 3)


def ahead(draw: random.Random) -> int:
    """By how much the clock of whoever dates it runs ahead: mostly not at all."""
    return draw.randrange(1, 300) if draw.random() < 0.25 else 0


def live_through(draw: random.Random, made: Day, contact_id: str, at: int) -> None:
    medium = draw.choice(["voice", "live", "async", "async"])
    visibility = draw.choice(["public", "private", "community"]) if medium == "async" else "private"
    traits = {"medium": medium, "channel": medium, "visibility": visibility}
    told = at + delay(draw)
    made.tell(told, opened(contact_id, at=at))
    routed = told + draw.randrange(0, 60)
    made.tell(routed, queued(contact_id, at=at, **traits))
    ended = work(draw, made, contact_id, at, routed, traits)
    if draw.random() < 0.3:
        come_back(draw, made, contact_id, ended, traits)


def work(draw: random.Random, made: Day, contact_id: str, at: int, routed: int, traits: dict[str, Any]) -> int:
    """What happens between the queueing and the end; when it ended."""
    now = at + draw.randrange(0, 30)
    for _ in range(draw.randrange(0, 5)):
        now += draw.choice([1, 5, 30, 100, 300])
        turn(draw, made, contact_id, now, routed, traits)
    ended = max(now, routed) + draw.randrange(0, 200)
    end(draw, made, contact_id, ended)
    return ended


def turn(draw: random.Random, made: Day, contact_id: str, now: int, routed: int, traits: dict[str, Any]) -> None:
    match draw.randrange(8):
        case 0 | 1: made.tell(now + delay(draw), response(contact_id, at=now + ahead(draw)))
        case 2: made.tell(now + delay(draw), response(contact_id, at=now, automatic=True))
        case 3: made.tell(now + delay(draw), message(contact_id, at=now + ahead(draw)))
        case 4: made.tell(now + delay(draw), message(contact_id, at=now, author="bystander"))
        case 5 if now >= routed: made.tell(now, assigned(contact_id, at=now, medium=traits["medium"]))
        case 6 if now >= routed:
            made.tell(now, parked(contact_id, at=now, reason=draw.choice(["awaiting_customer", "awaiting_supplier"])))
            made.tell(now + 50, resumed(contact_id, at=now + 50))
        case 7:  # The echo of a response comes after the customer's next word.
            made.tell(now, message(contact_id, at=now))
            made.tell(now + 1 + delay(draw), response(contact_id, at=now - 2))


def end(draw: random.Random, made: Day, contact_id: str, ended: int) -> None:
    match draw.randrange(10):
        case 0: made.tell(ended, abandoned(contact_id, at=ended))
        case 1:
            made.tell(ended - 1, withdrawn(contact_id, at=ended - 1))
            made.tell(ended, closed(contact_id, at=ended, resolution="withdrawn"))
        case _: made.tell(ended, closed(contact_id, at=ended))


def come_back(draw: random.Random, made: Day, contact_id: str, ended: int, traits: dict[str, Any]) -> None:
    """After the end the customer writes again; ingest names the first contact for as long as it knows no better."""
    at = ended + draw.choice([3, 60, 700, 1_500])
    told = at + delay(draw)
    repeat = f"{contact_id}.r2"
    made.tell(told, message(contact_id, at=at))
    routed = told + draw.randrange(0, 60)
    made.tell(routed, queued(repeat, at=at, reason="reopened", repeat_of=contact_id, **traits))
    answered = at + draw.randrange(0, 250)
    if draw.random() < 0.7:
        name = repeat if answered > routed and draw.random() < 0.5 else contact_id
        made.tell(answered + delay(draw), response(name, at=answered))
    made.tell(max(answered, routed) + 100, closed(repeat, at=max(answered, routed) + 100))
