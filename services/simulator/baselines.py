"""What else routes: five orders as they are sold or taught, to measure the product's policy against.

An order is a key, the lowest first, and how long a contact waits for a fluent speaker only, as a share of its target.
None of them knows a promise's lateness: a key is fixed when the contact arrives. Priorities follow from what a channel
is: a call, a public post, a chat, a message (private, promised within the hour) or a letter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.simulator.scenarios import Channel
from services.simulator.worlds import Arrival

HOUR: Final = 3_600
GOLD: Final = 2
BIG_REACH: Final = 10_000

Key = tuple[float, ...]


class Order(NamedTuple):
    key: Callable[[Arrival, Channel], Key]
    fluent_share: float = 0.0
    """For this share of its target a contact is kept for who speaks its language well."""


def sort(channel: Channel) -> str:
    if channel.public:
        return "post"
    match channel.medium:
        case "voice":
            return "call"
        case "live":
            return "chat"
        case "async":
            return "message" if channel.T <= HOUR else "letter"


def fifo(arrival: Arrival, _channel: Channel) -> Key:
    """First come, first served."""
    return (arrival.at,)


def earliest_due(arrival: Arrival, channel: Channel) -> Key:
    return (arrival.at + channel.T,)


STRICT: Final = {"post": 50, "call": 40, "chat": 30, "message": 20, "letter": 10}


def strict(arrival: Arrival, channel: Channel) -> Key:
    """By kind; of public posts, those that ten times as many can see go first."""
    decades = int(math.log10(max(1, arrival.reach))) if channel.public else 0
    return (-(STRICT[sort(channel)] + decades), arrival.at)


TWILIO: Final = {"call": 40, "post": 30, "chat": 20, "message": 10, "letter": 0}


def twilio(arrival: Arrival, channel: Channel) -> Key:
    """A number a task, as a workflow of TaskRouter sets it: kind, then many viewers, then gold customers."""
    viewers = 10.5 if arrival.reach >= BIG_REACH else 0
    gold = 5 if arrival.tier == GOLD else 0
    return (-(TWILIO[sort(channel)] + viewers + gold), arrival.at)


def connect(arrival: Arrival, channel: Channel) -> Key:
    """Two queue priorities as in Connect, letters and messages below all else; an age adjusted by up to 20 minutes."""
    above = sort(channel) not in {"message", "letter"}
    reach = 600 if arrival.reach >= BIG_REACH else 0
    gold = 300 if arrival.tier == GOLD else 0
    strikes = 300 if arrival.strikes >= 2 else 0
    return (-1 if above else 0, arrival.at - reach - gold - strikes)


BASELINES: Final[Mapping[str, Order]] = {
    "fifo": Order(fifo),
    "strict": Order(strict),
    "edf": Order(earliest_due),
    "twilio": Order(twilio, fluent_share=1.0),
    "connect": Order(connect, fluent_share=0.5),
}
