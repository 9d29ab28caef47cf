"""Why a queue isn't moving: its most urgent contact, and what keeps each agent from it, in the same words.

A floor with the pool's agents, what they hold and the queue's most urgent contact is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.router.core.explain import Explanation, explain
from services.router.core.explain_agent import counted, grouped, in_order
from services.router.core.floor import Floor
from services.router.core.state import Queue


@dataclass(frozen=True, slots=True)
class Kept:
    """Agents that the same thing keeps from the queue's first contact, and one of them."""

    why: str
    agents: int
    first: str


@dataclass(frozen=True, slots=True)
class QueueExplanation:
    queue_id: str
    draining_to: str | None
    waiting: int
    first: Explanation | None
    """The contact with the highest score of those who wait; None when nobody does."""
    agents: tuple[Kept, ...]
    """The pool's agents by why the first contact isn't theirs, what most share first."""
    text: str


def explain_queue(floor: Floor, queue: Queue, now: int, waiting: int | None = None) -> QueueExplanation:
    """`waiting`: how many wait in the queue, where the floor hasn't all of them."""
    there = [one for one in in_order(floor, now) if one.rules.queue == queue.id]
    count = len(there) if waiting is None else waiting
    first = explain(floor, there[0], now) if there else None
    kept: tuple[Kept, ...] = ()
    if first is not None:
        reasons = grouped((one.why or "next", one.agent) for one in first.candidates)
        kept = tuple(Kept(one.why, one.contacts, one.first) for one in reasons)
    return QueueExplanation(
        queue_id=queue.id, draining_to=queue.drain_to, waiting=count, first=first, agents=kept,
        text=in_words(queue, count, first, kept),
    )  # fmt: skip


def in_words(queue: Queue, waiting: int, first: Explanation | None, kept: tuple[Kept, ...]) -> str:
    """`nothing waits`, `3 contacts wait; first con_1: skill tax 0 < 1 (4), away: lunch (1)`."""
    drained = f"; goes to {queue.drain_to}" if queue.drain_to is not None else ""
    if first is None:
        return f"nothing waits{drained}"
    agents = ", ".join(f"{one.why} ({one.agents})" for one in kept) or "the pool has no agents"
    verb = "waits" if waiting == 1 else "wait"
    return f"{counted(waiting, 'contact')} {verb}; first {first.contact_id}: {agents}{drained}"
