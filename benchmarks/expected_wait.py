"""How far an expected wait is from the wait that came, on seeded days, beside "the same as in the last hour".

    python -m benchmarks.expected_wait [--days 100] [--first 1]

A day is eight hours of a care team: five channels with their own promises, two of them in public, customers of three
languages, agents of two kinds with breaks, a rush at a random hour, and handling times drawn for each contact. The
router's own core decides. Who waits is asked for the estimate when it has begun to wait, and once more at a random
moment; the naive estimate is the mean wait of those of its channel who had to wait within the last hour, less what it
has waited already. Only what both could estimate is compared.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict, deque
from functools import partial
from heapq import heappop, heappush
from random import Random
from statistics import fmean, median
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from libs.common.events import SECOND, Event, Settle, commands, contacts, routing
from libs.common.events.escalations import TargetUpdated
from libs.common.events.values import Capacity, Match, QueueRules, Reach, Requirement, SkillNeed
from services.router.core.core import RouterCore
from services.router.core.partition import Partition
from services.router.core.state import Contact
from services.router.expected_wait import Estimate, expected_wait
from services.router.pace import TYPES, Said, Seen, asked_by, grouped, pace_of

KEY: Final = "bench/main"
START: Final = 1_795_000_000 * SECOND
HOURS: Final = 8
HOUR: Final = 3_600 * SECOND
RUSH: Final = 1.8
"""Times as many posts in the two hours around a random moment."""
WAITED_SECONDS_MIN: Final = 15
"""Who got an agent sooner didn't wait, for the naive estimate."""


class Channel(NamedTuple):
    medium: str
    visibility: str
    per_hour: float
    handling_seconds: float


CHANNELS: Final = {
    "voice": Channel("voice", "private", 22, 260),
    "chat": Channel("live", "private", 24, 600),
    "x": Channel("async", "public", 60, 420),
    "whatsapp": Channel("async", "private", 26, 500),
    "email": Channel("async", "private", 26, 700),
}
TARGETS: Final = {"whatsapp": 1_800}
LANGUAGES: Final = ("it", "it", "it", "en", "en", "de")
CAPACITY: Final = Capacity(units=120, cost={"voice": 120, "live": 40, "async": 40})


def said(event: Event) -> Said:
    return Said(**{name: getattr(event, name) for name in Said.__struct_fields__ if hasattr(event, name)})


class Asking(NamedTuple):
    """An estimate that was given, to be compared with what came."""

    at: int
    channel: str
    estimate: Estimate
    naive: float | None


class Outcome(NamedTuple):
    channel: str
    estimate: Estimate
    naive: float | None
    seconds: float


class Day:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.core = RouterCore()
        self.state: Partition = self.core.new(0)
        self.now = START
        self.plans: list[tuple[int, int, Any]] = []
        self.planned = 0
        self.asked: defaultdict[str, list[Asking]] = defaultdict(list)
        self.outcomes: list[Outcome] = []
        self.unknown: Counter[str] = Counter()
        self.seen: deque[Seen] = deque()
        self.waits: defaultdict[str, deque[tuple[int, float]]] = defaultdict(deque)

    # -- the script ---------------------------------------------------------------------------------------------

    def run(self) -> list[Outcome]:
        self._hire()
        self._draw_contacts()
        while self.plans and self.plans[0][0] < START + HOURS * HOUR:
            moment = self.plans[0][0]
            due = self.core.next_due(self.state)
            if due is not None and due <= moment:
                self._fire(due)
                continue
            self.now, _, plan = heappop(self.plans)
            plan()
        return self.outcomes

    def _hire(self) -> None:
        r = self.random
        for name, seconds in TARGETS.items():
            self._feed(self._target(name, seconds))
        live = Requirement(all=(SkillNeed(skill="live"),))
        for queue_id, rules in {
            "social": QueueRules(match=Match(visibility="public"), order=1),
            "live": QueueRules(match=Match(medium=("voice", "live")), order=2, requirement=live),
        }.items():
            self._feed(self._put(commands.PutQueue, queue_id=queue_id, rules=rules))
        for number in range(r.randint(10, 14)):
            spoken = {f"lang:{one}": 4 for one in r.sample(("it", "en", "de"), r.choice([1, 2, 2]))} | {"lang:it": 4}
            skills = spoken | r.choice([{"public": 3}, {"live": 3}, {"public": 3, "live": 3}])
            agent_id = f"agent{number:02}"
            self._feed(self._put(commands.PutAgent, agent_id=agent_id, skills=skills, capacity=CAPACITY))
            begin = r.choice([0, 0, 0, 0, 1, 2])
            self._at(START + begin * HOUR, partial(self._come, agent_id))

    def _come(self, agent_id: str) -> None:
        self._feed(self._presence(agent_id, "available"))
        self._at(self.now + int(self.random.uniform(1.5, 4) * HOUR), lambda: self._go(agent_id))

    def _go(self, agent_id: str) -> None:
        self._feed(self._presence(agent_id, "away"))
        self._at(self.now + int(self.random.uniform(0.1, 0.6) * HOUR), lambda: self._come(agent_id))

    def _draw_contacts(self) -> None:
        r, number = self.random, 0
        rush, level = r.uniform(1, 6), r.uniform(0.6, 1.05)
        for name, channel in sorted(CHANNELS.items()):
            moment = r.expovariate(channel.per_hour * level)
            while moment < HOURS:
                number += 1
                opening = partial(self._open, f"con_{number:05}", name)
                self._at(START + int(moment * HOUR), opening)
                hurry = RUSH if channel.visibility == "public" and abs(moment - rush) < 1 else 1.0
                moment += r.expovariate(channel.per_hour * level * hurry)

    # -- what happens -------------------------------------------------------------------------------------------

    def _open(self, contact_id: str, name: str) -> None:
        r, channel = self.random, CHANNELS[name]
        self._feed(contacts.ContactOpened(
            key=KEY, at=self.now, contact_id=contact_id, message_id="m", account="a", channel=name,
            medium=channel.medium, visibility=channel.visibility, customer_id=contact_id, occurred_at=self.now,  # type: ignore[arg-type]
            sentiment=r.uniform(-1, 1), strikes=r.choice([0, 0, 0, 1, 2]),
            reach=Reach(views=int(10 ** r.uniform(0, 5))),
            requirement=Requirement(all=(SkillNeed(skill=f"lang:{r.choice(LANGUAGES)}"),)),
        ))  # fmt: skip
        self._at(self.now + SECOND, lambda: self._ask(contact_id))
        self._at(self.now + int(r.expovariate(1 / 600) * SECOND), lambda: self._ask(contact_id))
        if channel.medium != "async":
            self._at(self.now + int(r.expovariate(1 / 900) * SECOND), lambda: self._leave(contact_id))

    def _leave(self, contact_id: str) -> None:
        contact = self.state.floor(KEY).contacts.get(contact_id)
        if contact is not None and contact.state == "waiting":
            self.asked.pop(contact_id, None)
            self._feed(contacts.CustomerLeft(key=KEY, at=self.now, contact_id=contact_id, occurred_at=self.now))

    def _ask(self, contact_id: str) -> None:
        floor = self.state.floor(KEY)
        contact = floor.contacts.get(contact_id)
        if contact is None or contact.state != "waiting":
            return
        estimate = self._estimate(contact)
        if estimate.seconds is None:
            self.unknown[str(estimate.reason)] += 1
            return
        naive = self._naive(contact)
        self.asked[contact_id].append(Asking(self.now, contact.channel, estimate, naive))

    def _estimate(self, contact: Contact) -> Estimate:
        floor = self.state.floor(KEY)
        waiting = [one for one in floor.contacts.values() if one.state == "waiting" and one.id != contact.id]
        while self.seen and self.seen[0].at < self.now - HOUR:
            self.seen.popleft()
        pace = pace_of(floor, self.seen, max(START, self.now - HOUR), self.now)
        return expected_wait(grouped(asked_by(floor, one) for one in waiting), pace, asked_by(floor, contact), self.now)

    def _naive(self, contact: Contact) -> float | None:
        waits = self.waits[contact.channel]
        while waits and waits[0][0] < self.now - HOUR:
            waits.popleft()
        waited = (self.now - contact.waiting_since) / SECOND
        return max(0.0, fmean(wait for _, wait in waits) - waited) if waits else None

    # -- the bots -----------------------------------------------------------------------------------------------

    def _react(self, event: Event) -> None:
        if event.type in TYPES:
            self.seen.append(Seen(event.at, event.type, event.subject, said(event)))
        match event:
            case routing.ContactOffered():
                after = int(self.random.uniform(2, 12) * SECOND)
                self._at(self.now + after, lambda: self._accept(event))
            case routing.ContactAssigned():
                self._assigned(event)
            case _:
                pass

    def _accept(self, offer: routing.ContactOffered) -> None:
        self._feed(self._put(commands.AcceptOffer, offer_id=offer.offer_id, agent_id=offer.agent_id))

    def _assigned(self, event: routing.ContactAssigned) -> None:
        for one in self.asked.pop(event.contact_id, ()):
            seconds = (self.now - one.at) / SECOND
            self.outcomes.append(Outcome(one.channel, one.estimate, one.naive, seconds))
        if event.waited_seconds > WAITED_SECONDS_MIN:
            self.waits[event.channel].append((self.now, event.waited_seconds))
        mean = CHANNELS[event.channel].handling_seconds
        after = self.random.lognormvariate(0, 0.7) * mean / 1.28
        close = self._put(commands.CloseContact, contact_id=event.contact_id)
        self._at(self.now + int(after * SECOND), lambda: self._feed(close))

    # -- the core -----------------------------------------------------------------------------------------------

    def _at(self, moment: int, plan: Any) -> None:
        self.planned += 1
        heappush(self.plans, (moment, self.planned, plan))

    def _put(self, kind: type[commands.Command], **fields: Any) -> Event:
        return kind(key=KEY, at=self.now, command_id=f"cmd_{self.planned}", actor="", **fields)

    def _presence(self, agent_id: str, status: str) -> Event:
        return self._put(commands.SetPresence, agent_id=agent_id, status=status, lease_seconds=86_400)

    def _target(self, channel: str, seconds: int) -> Event:
        return TargetUpdated(
            key="bench/*", at=self.now, target_id=channel, target_version=1, match=Match(channel=channel),
            metric="first_response", seconds=seconds,
        )  # fmt: skip

    def _feed(self, event: Event) -> None:
        self.core.advance(self.state, self.now)
        self._take(event)

    def _fire(self, due: int) -> None:
        self.now = max(self.now, due)
        self.core.advance(self.state, self.now)
        while (timer := self.core.pop_timer(self.state, self.now)) is not None:
            self._take(timer)

    def _take(self, event: Event) -> None:
        decided = self.core.decide(self.state, event)
        while decided:
            for one in decided:
                if one.type != "command.decided":
                    self.core.evolve(self.state, one)
                    if one.topic is not None:
                        self._react(one)
            decided = self.core.decide(self.state, Settle(key="", at=self.now))
        self.core.changed(self.state)


# -- the report -------------------------------------------------------------------------------------------------


class Errors(NamedTuple):
    """Seconds, but for the shares."""

    estimates: int
    waited: float
    mean: float
    naive_mean: float
    median: float
    naive_median: float
    covered: float


def errors_of(outcomes: list[Outcome]) -> Errors:
    both = [one for one in outcomes if one.naive is not None]
    ours = [abs(one.seconds - (one.estimate.seconds or 0)) for one in both]
    naive = [abs(one.seconds - (one.naive or 0)) for one in both]
    inside = [(one.estimate.low or 0) <= one.seconds <= (one.estimate.high or 0) for one in outcomes]
    return Errors(
        estimates=len(both), waited=fmean(one.seconds for one in both), mean=fmean(ours), naive_mean=fmean(naive),
        median=median(ours), naive_median=median(naive), covered=fmean(inside),
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--days", type=int, default=100)
    options.add_argument("--first", type=int, default=1, help="the first day's seed")
    chosen = options.parse_args()
    outcomes: list[Outcome] = []
    unknown: Counter[str] = Counter()
    seeds = range(chosen.first, chosen.first + chosen.days)
    for seed in track(seeds, "days", console=Console(stderr=True)):
        day = Day(seed)
        outcomes += day.run()
        unknown += day.unknown
    table = Table("channel", "estimates", "waited s", "mean error s", "last hour's", "median error s", "last hour's",
                  "within the bounds")  # fmt: skip
    by_channel = {name: [one for one in outcomes if one.channel == name] for name in CHANNELS}
    for name, some in {**by_channel, "all": outcomes}.items():
        found = errors_of(some)
        table.add_row(name, f"{found.estimates:,}", *(f"{one:.0f}" for one in found[1:6]), f"{found.covered:.0%}")
    Console().print(table)
    print(f"days {seeds.start} to {seeds.stop - 1}; no number, and why: {dict(unknown)}")


if __name__ == "__main__":
    main()
