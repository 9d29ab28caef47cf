"""A true history to be corrupted: both machines on one partition, three contacts, two agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from libs.common.drafts import command_draft
from libs.common.events import CONTACTS, SECOND
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.commands import (
    AcceptOffer,
    CloseContact,
    Command,
    PutAgent,
    PutPool,
    PutQueue,
    PutTarget,
    SetPresence,
)
from libs.common.events.contacts import ContactOpened
from libs.common.events.values import Capacity, EscalationStep
from libs.common.log import Draft, Record
from libs.common.machine import Machine
from libs.common.outbox import OUTBOX_HEADER
from services.router.core.core import RouterCore
from services.sla.core.core import SlaCore

KEY: Final = "acme/main"
START: Final = 1_790_000_000 * SECOND


class World:
    """Topics of one partition, and the machines that read and write them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.now = START
        self._machines: list[Machine[Any]] = [Machine(RouterCore(), 0), Machine(SlaCore(), 0)]
        self._commands = 0

    def append(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            position = sum(record.topic == draft.topic for record in self.records)
            self.records.append(
                Record(topic=draft.topic, partition=0, position=position, key=draft.key, value=draft.value,
                       headers=draft.headers)
            )  # fmt: skip

    def advance(self, seconds: float) -> None:
        """Time passes, a second at a time: timers fire when they are due."""
        until = self.now + round(seconds * SECOND)
        while self.now < until:
            self.now = min(until, self.now + SECOND)
            self.settle()

    def settle(self) -> None:
        while sum(self._step(machine) for machine in self._machines):
            pass

    def _step(self, machine: Machine[Any]) -> bool:
        """One batch of everything that is to be read, then of what is due; whether anything came of it."""
        machine.begin(self.now)
        for topic in machine.core.inputs:
            read = machine.positions.inputs.get(topic, 0)
            for record in [one for one in self.records if one.topic == topic and one.position >= read]:
                machine.feed(record)
        while machine.fire(self.now):
            pass
        drafts = machine.finish()
        self.append(drafts)
        return bool(drafts)

    def command(self, kind: type[Command], key: str = KEY, **fields: Any) -> None:
        self._commands += 1
        command = kind(key=key, at=self.now, command_id=f"cmd_{self._commands}", actor="t", **fields)
        self.append([command_draft(command)])
        self.settle()

    def opened(self, contact_id: str, position: int) -> None:
        event = ContactOpened(
            key=KEY, at=self.now, contact_id=contact_id, message_id=f"msg_{contact_id}", account="web", channel="email",
            medium="async", visibility="private", customer_id="cus_1", occurred_at=self.now,
        )  # fmt: skip
        headers = encode_headers(event, sequence=1) | {OUTBOX_HEADER: str(position)}
        value = encode_value(event, sequence=1, cause="message")
        self.append([Draft(topic=CONTACTS, key=KEY, value=value, headers=headers)])
        self.settle()


def true_history() -> list[Record]:
    """Offers accepted, one that expires, a ladder to its second step, everything closed."""
    world = World()
    world.command(PutPool)
    world.command(PutQueue, queue_id="everyone")
    steps = (EscalationStep(at=1.0, do="notify", to="leads"), EscalationStep(at=2.0, do="notify", to="boss"))
    world.command(
        PutTarget, key="acme/*", target_id="first", metric="first_response", seconds=10, warn_at=(0.5,), escalate=steps
    )
    for agent in ("ann", "bob"):
        world.command(PutAgent, agent_id=agent, skills={}, capacity=Capacity(units=40, cost={"async": 20}))
        world.command(SetPresence, agent_id=agent, status="available", lease_seconds=3_600)
    for number in (1, 2, 3):
        world.opened(f"con_{number}", number)
        world.advance(1)
    for number in (1, 2):
        world.command(AcceptOffer, offer_id=f"con_{number}.offer.1")
    world.advance(25)  # The offer of con_3 expires and a second one follows; the clocks break their promises.
    world.command(AcceptOffer, offer_id="con_3.offer.2")
    for number in (1, 2, 3):
        world.command(CloseContact, contact_id=f"con_{number}")
    world.advance(1)
    return world.records


def value_of(record: Record) -> dict[str, Any]:
    return dict(msgspec.json.decode(record.value or b"{}"))


def with_value(record: Record, **fields: Any) -> Record:
    return msgspec.structs.replace(record, value=msgspec.json.encode(value_of(record) | fields))
