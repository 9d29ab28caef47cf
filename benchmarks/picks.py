"""How fast an agent with room gets the best waiting contact, with ten waiting as with a million.

    python -m benchmarks.picks [--most 1000000] [--picks 2000]

A pick is what the core does once an agent has room: look over all lanes, decide the offer, apply and number it, and
find that nothing more fits. A turn is that and the closing before it; an insert is a contact that finds nobody free.
Beside it runs a bare heapq push and pop of the same depth, as a measure of the machine. Time is the process's own:
what else runs on the machine counts only by what it does to the caches.
"""

from __future__ import annotations

import argparse
import resource
from heapq import heappop, heappush
from random import Random
from time import process_time

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from libs.common.events import SECOND, Event, Settle, commands, contacts
from libs.common.events.values import Capacity, Reach, Requirement, SkillNeed
from services.router.core.core import RouterCore
from services.router.core.partition import Partition

KEY = "bench/main"
NOW = 1_795_000_000 * SECOND
DEPTHS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
LANGUAGES = ("it", "de", "en", "fr", "es")
CHANNELS = (("email", "async", "private"), ("x", "async", "public"), ("chat", "live", "private"))
TOPICS = ("billing", "tech", "sales", "returns")


class Counter:
    """The core behind its counter: one partition with one pool, driven by hand."""

    def __init__(self) -> None:
        self.core = RouterCore()
        self.state: Partition = self.core.new(0)
        self.now = NOW
        self.core.advance(self.state, NOW)

    @property
    def waiting(self) -> int:
        return len(self.state.floor(KEY).places)

    def run(self, *events: Event) -> None:
        for event in events:
            self.take(event)
            self.settle()

    def take(self, event: Event) -> None:
        self._apply(self.core.decide(self.state, event))

    def settle(self) -> None:
        while settled := self.core.decide(self.state, Settle(key="", at=self.now)):
            self._apply(settled)

    def _apply(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.type != "command.decided":
                self.core.evolve(self.state, event)
                if event.topic is not None:
                    self.core.sequence(self.state, event)


class Bench(Counter):
    """A pool whose agents hold one contact each and are never done."""

    def __init__(self, agents: int) -> None:
        super().__init__()
        self.random = Random(1)
        self.opened = 0
        for number in range(agents):
            self._hire(f"agent{number:03}")

    def _hire(self, agent_id: str) -> None:
        skills = {f"lang:{one}": 3 for one in self.random.sample(LANGUAGES, 2)} | {"public": 3}
        skills |= dict.fromkeys(self.random.sample(TOPICS, 3), 3)
        capacity = Capacity(units=20, cost={"voice": 20, "live": 20, "async": 20})
        self.run(
            commands.PutAgent(
                key=KEY, at=NOW, command_id="", actor="", agent_id=agent_id, skills=skills, capacity=capacity
            ),
            commands.SetPresence(
                key=KEY, at=NOW, command_id="", actor="", agent_id=agent_id, status="available", lease_seconds=86_400
            ),
        )

    def open_one(self) -> None:
        r = self.random
        channel, medium, visibility = r.choice(CHANNELS)
        self.opened += 1
        needs = (SkillNeed(skill=f"lang:{r.choice(LANGUAGES)}"), SkillNeed(skill=r.choice(TOPICS)))
        fact = contacts.ContactOpened(
            key=KEY, at=NOW, contact_id=f"con_{self.opened:08}", message_id="m", account="a", channel=channel,
            medium=medium, visibility=visibility, customer_id=f"cus_{self.opened:08}",  # type: ignore[arg-type]
            occurred_at=NOW - r.randrange(20_000) * SECOND, sentiment=r.uniform(-1, 1), strikes=r.randint(0, 3),
            reach=Reach(views=int(10 ** r.uniform(0, 6))), requirement=Requirement(all=needs),
        )  # fmt: skip
        self.run(fact)

    def close_one(self) -> None:
        """A contact that an agent holds is closed."""
        desks = self.state.floor(KEY).desks
        held = ""
        while not held:
            desk = desks[f"agent{self.random.randrange(len(desks)):03}"]
            held = next(iter(desk.held), "")
        self.take(commands.CloseContact(key=KEY, at=NOW, command_id="", actor="", contact_id=held))


def bare_heap(depth: int, count: int) -> float:
    """Seconds of one push and pop on a heap of this depth."""
    random = Random(2)
    heap = sorted((random.random(), f"con_{n}", 1) for n in range(depth))
    entries = [(random.random(), "con_x", 1) for _ in range(count)]
    begin = process_time()
    for entry in entries:
        heappush(heap, entry)
        heappop(heap)
    return (process_time() - begin) / count


def measure(bench: Bench, count: int) -> tuple[list[float], float]:
    """Seconds of each pick, ascending, and of a mean turn; what is served is opened again, outside the clock."""
    picks, turns = [], 0.0
    for _ in range(count):
        begin = process_time()
        bench.close_one()
        room = process_time()
        bench.settle()
        end = process_time()
        picks.append(end - room)
        turns += end - begin
        bench.open_one()
        bench.core.changed(bench.state)
    return sorted(picks), turns / count


def quantiles(seconds: list[float]) -> tuple[float, float]:
    return seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]


def memory_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--most", type=int, default=DEPTHS[-1], help="waiting contacts at most")
    options.add_argument("--picks", type=int, default=2_000, help="picks measured at each depth")
    options.add_argument("--agents", type=int, default=60)
    chosen = options.parse_args()
    depths = [depth for depth in DEPTHS if depth <= chosen.most]
    table = Table("waiting", "picks/s", "p50 µs", "p99 µs", "turn µs", "insert µs", "heap µs", "MiB", "kB each")
    bench, before = Bench(chosen.agents), memory_kib()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("contacts", total=depths[-1])
        for depth in depths:
            begin, opened = process_time(), bench.opened
            while bench.waiting < depth:
                bench.open_one()
                if bench.opened % 500 == 0:
                    bench.core.changed(bench.state)
                    progress.update(task, completed=bench.waiting)
            insert = (process_time() - begin) / max(1, bench.opened - opened)
            peak = memory_kib()
            seconds, turn = measure(bench, chosen.picks)
            bare = bare_heap(depth, chosen.picks)
            micros = (*quantiles(seconds), turn, insert)
            table.add_row(
                f"{depth:,}", f"{len(seconds) / sum(seconds):,.0f}", *(f"{one * 1e6:.0f}" for one in micros),
                f"{bare * 1e6:.1f}", f"{peak / 1024:,.0f}",
                f"{(peak - before) * 1.024 / depth:.2f}" if depth >= 10_000 else "",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
