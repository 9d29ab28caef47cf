"""Runs one core on one partition, a batch at a time, without waiting for anything.

    begin(at) → feed(record) … → fire(until) … → finish() → drafts that are committed as one

`Machine` is deterministic: the same entities and the same steps give the same drafts, byte for byte. The journal
records the steps, so a replay is this same class fed from the journal. What it adds to a core:

- one outcome per command, and the same outcome again for a command id that was decided in the last 10 minutes;
- id, `sequence` and `cause` of every event; `Settle` after every input until nothing follows;
- what can't be read or decided becomes a dead letter and stops nothing; a failing `evolve` leaves the state unusable
  and raises `EvolveFailed`: the caller restores, and on the third failure at one place has it skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, Generic

import msgspec

from libs.common.core import SETTLES_MAX, Core, S
from libs.common.events import COMMANDS, CONTACTS, DEAD_LETTERS, OUTCOMES, SECOND, Event, Settle
from libs.common.events.codec import Unreadable, decode, encode_headers, encode_value
from libs.common.events.commands import Command, CommandDecided
from libs.common.log import Draft, Record
from libs.common.outbox import outbox_position, relay_repeats

OUTCOME_KEPT_SECONDS: Final = 600
STRIKES_MAX: Final = 3
UNDECIDED: Final = "undecided"
"""The outcome of a command that became a dead letter. It isn't remembered: put back, the command is decided again."""
SKIPPED: Final = "evolve failed three times"
POSITIONS_KEY: Final = "positions"
AFTER_HEADER: Final = "omni-after-contacts"
"""On a decision's record: the position in contacts that was fed before it was made."""
ACTOR_HEADER: Final = "omni-actor"
"""Who asked for the command that a decision answers: an API key's id, or an agent's."""
_JSON = msgspec.json.Encoder(order="deterministic")

Place = tuple[str, int]
"""A topic and a position, or a timer's name and when it was due."""


class EvolveFailed(Exception):
    """The state is no longer to be trusted; `place` is the input or timer that led to it."""

    def __init__(self, place: Place, error: Exception) -> None:
        super().__init__(f"{place}: {type(error).__name__}")
        self.place = place


class Positions(msgspec.Struct, kw_only=True):
    """How far a partition has come; a record of its state topic, and so restored with it."""

    batch: int = 0
    at: int = 0
    inputs: dict[str, int] = {}
    outbox: int = 0


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome of the last ten minutes, kept as an entity so that a repeated command gets it again."""

    key: str
    at: int
    status: int
    code: str
    state: dict[str, Any]


class Step(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Part of a batch: the records of a topic from one position up to another, or timers due by `until`."""

    topic: str = ""
    start: int = 0
    end: int = 0
    until: int = 0
    timers: int = 0
    skipped: bool = False


class JournalEntry(msgspec.Struct, kw_only=True):
    """One commit: what was fed in which order at what time, and a digest of what followed."""

    batch: int
    at: int
    version: str
    steps: list[Step]
    decisions: int
    digest: str
    restored_at: int = 0
    """When the state was restored, if it was since the entry before: who reads of late decisions knows why."""


class Machine(Generic[S]):
    def __init__(self, core: Core[S], partition: int) -> None:
        self.core = core
        self.partition = partition
        self.state = core.new(partition)
        self.positions = Positions()
        self.skipped: set[Place] = set()
        self.restored_at = 0
        self._outcomes: dict[str, Remembered] = {}
        self._decisions: list[Draft] = []
        self._dead: list[Draft] = []
        self._remembered: dict[str, Remembered | None] = {}
        self._steps: list[Step] = []
        self._actor: str | None = None

    # -- restore ------------------------------------------------------------------------------------------------

    def load(self, entities: Iterable[tuple[str, bytes]]) -> None:
        """Take the records of the state topic, in any order. Raises Unreadable for an entity of an unknown kind."""
        for key, value in entities:
            self._load_one(key, value)
        self._outcomes = dict(sorted(self._outcomes.items(), key=lambda item: (item[1].at, item[0])))
        self.core.loaded(self.state)
        self.core.advance(self.state, self.positions.at)

    def _load_one(self, key: str, value: bytes) -> None:
        kind, _, rest = key.partition("|")
        if kind == POSITIONS_KEY:
            self.positions = msgspec.json.decode(value, type=Positions)
        elif kind == "outcome":
            self._outcomes[rest] = msgspec.json.decode(value, type=Remembered)
        elif kind in self.core.entities:
            self.core.load(self.state, key, msgspec.json.decode(value, type=self.core.entities[kind]))
        else:
            raise Unreadable(f"no entity of {self.core.service} is called {kind!r}")

    # -- a batch ------------------------------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Start a batch: all its decisions have one time, which never runs back."""
        self.positions.at = max(self.positions.at, now)
        self.core.advance(self.state, self.positions.at)

    def feed(self, record: Record) -> None:
        """Take one input. Raises EvolveFailed."""
        place = (record.topic, record.position)
        self._note(record, skipped=place in self.skipped)
        if place in self.skipped:
            self._dead_letter(record, SKIPPED)
        elif not self._seen_before(record):
            self._read(record, place)

    def _read(self, record: Record, place: Place) -> None:
        try:
            envelope = decode(record.key, record.value, record.headers)
        except Unreadable as error:
            self._dead_letter(record, str(error))
            return
        self._take(envelope.event, envelope.id, place, record)

    def fire(self, until: int, *, skip: bool = False) -> bool:
        """Let the next timer that is due by `until` happen; whether there was one. Raises EvolveFailed."""
        timer = self.core.pop_timer(self.state, until)
        if timer is None:
            return False
        cause = f"timer.{timer.type}.{timer.subject}"
        place = (cause, timer.at)
        skip = skip or place in self.skipped
        self._note_timer(until, skipped=skip)
        if skip:
            self._dead_letter(_record_of(timer, self.partition), SKIPPED)
        else:
            self._take(timer, cause, place, None)
        return True

    def finish(self) -> list[Draft]:
        """What the batch comes to, to be committed as one; empty when nothing was fed."""
        if not self._steps:
            return []
        self._forget_old_outcomes()
        self.positions.batch += 1
        drafts = [*self._decisions, *self._dead, *self._state_drafts(), self._journal_draft()]
        self._decisions, self._dead, self._remembered, self._steps = [], [], {}, []
        self.restored_at = 0
        return drafts

    def entities(self) -> list[tuple[str, bytes]]:
        """A snapshot's machine part; the core's entities come from the state topic."""
        return [(POSITIONS_KEY, _JSON.encode(self.positions))]

    # -- inside a batch -----------------------------------------------------------------------------------------

    def _note(self, record: Record, *, skipped: bool) -> None:
        self.positions.inputs[record.topic] = record.position + 1
        last = self._steps[-1] if self._steps else None
        if last is not None and last.topic == record.topic and not skipped and not last.skipped:
            last.end = record.position + 1
        else:
            step = Step(topic=record.topic, start=record.position, end=record.position + 1, skipped=skipped)
            self._steps.append(step)

    def _note_timer(self, until: int, *, skipped: bool) -> None:
        last = self._steps[-1] if self._steps else None
        if last is not None and last.timers and last.until == until and not skipped and not last.skipped:
            last.timers += 1
        else:
            self._steps.append(Step(until=until, timers=1, skipped=skipped))

    def _seen_before(self, record: Record) -> bool:
        """Ingest's relay appends at least once, in outbox order: what is not above the last taken is a repeat."""
        if record.topic != CONTACTS:
            return False
        if relay_repeats(record.headers, self.positions.outbox):
            return True
        self.positions.outbox = outbox_position(record.headers) or self.positions.outbox
        return False

    def _take(self, event: Event, cause: str, place: Place, record: Record | None) -> None:
        trace = record.headers.get("traceparent") if record is not None else None
        self._actor = event.actor if isinstance(event, Command) else None
        self._apply(self._decide(event, record), cause, place, trace)
        self._actor = None  # What settles was asked for by nobody.
        for _ in range(SETTLES_MAX):
            settled = self._decide(Settle(key="", at=self.positions.at), None)
            if not settled:
                return
            self._apply(settled, cause, place, trace)

    def _decide(self, event: Event, record: Record | None) -> tuple[Event, ...]:
        if isinstance(event, Command) and (known := self._outcomes.get(event.command_id)) is not None:
            return (_outcome(event.command_id, known),)
        try:
            decided = self.core.decide(self.state, event)
            assert not isinstance(event, Command) or _outcomes_in(decided) <= 1, "a command has one outcome"
        except Exception as error:  # outermost: `decide` is pure, so nothing was changed and the next input is safe
            self._dead_letter(record or _record_of(event, self.partition), f"decide raised {type(error).__name__}")
            return (_undecided(event),) if isinstance(event, Command) else ()
        return decided

    def _apply(self, decided: tuple[Event, ...], cause: str, place: Place, trace: str | None) -> None:
        for event in decided:
            if isinstance(event, CommandDecided):
                self._answer(event, cause, trace)
                continue
            try:
                self.core.evolve(self.state, event)
            except Exception as error:  # outermost: the state may be half changed; the caller restores it
                raise EvolveFailed(place, error) from error
            if event.topic is not None:
                self._publish(event, self.core.sequence(self.state, event), cause, trace)

    def _answer(self, outcome: CommandDecided, cause: str, trace: str | None) -> None:
        state = msgspec.json.decode(_JSON.encode(outcome.state))  # as a restore reads it: a repeat has the same bytes.
        outcome = msgspec.structs.replace(outcome, state=state, batch=self.positions.batch + 1)
        if outcome.code != UNDECIDED:
            self._remember(outcome)
        self._publish(outcome, 1, cause, trace)

    def _remember(self, outcome: CommandDecided) -> None:
        remembered = Remembered(
            key=outcome.key, at=outcome.at, status=outcome.status, code=outcome.code, state=outcome.state
        )
        self._outcomes[outcome.command_id] = self._remembered[outcome.command_id] = remembered

    def _publish(self, event: Event, sequence: int, cause: str, trace: str | None) -> None:
        assert event.topic is not None
        headers = encode_headers(event, sequence=sequence, traceparent=trace)
        if event.topic != OUTCOMES:
            headers[AFTER_HEADER] = str(self.positions.inputs.get(CONTACTS, 0))
        if self._actor is not None:
            headers[ACTOR_HEADER] = self._actor
        value = encode_value(event, sequence=sequence, cause=cause)
        self._decisions.append(Draft(topic=event.topic, key=event.key, value=value, headers=headers))

    def _dead_letter(self, record: Record, error: str) -> None:
        headers = record.headers | {
            "error": error,
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.position),
        }
        self._dead.append(Draft(topic=DEAD_LETTERS, key=record.key, value=record.value, headers=headers))

    # -- the end of a batch -------------------------------------------------------------------------------------

    def _forget_old_outcomes(self) -> None:
        oldest = self.positions.at - OUTCOME_KEPT_SECONDS * SECOND
        while self._outcomes:
            command_id = next(iter(self._outcomes))
            if self._outcomes[command_id].at >= oldest:
                return
            del self._outcomes[command_id]
            self._remembered[command_id] = None

    def _state_drafts(self) -> Iterable[Draft]:
        topic = f"omniroute.{self.core.service}.state"
        entities: list[tuple[str, Any | None]] = [*self.core.changed(self.state)]
        entities += [(f"outcome|{command_id}", kept) for command_id, kept in self._remembered.items()]
        entities.append((POSITIONS_KEY, self.positions))  # last: who has applied it has applied the batch
        for key, entity in entities:
            yield Draft(topic=topic, key=key, value=None if entity is None else _JSON.encode(entity))

    def _journal_draft(self) -> Draft:
        entry = JournalEntry(
            batch=self.positions.batch,
            at=self.positions.at,
            version=self.core.version,
            steps=self._steps,
            decisions=len(self._decisions),
            digest=digest(self._decisions),
            restored_at=self.restored_at,
        )
        topic = f"omniroute.{self.core.service}.journal"
        return Draft(topic=topic, key=str(self.partition), value=_JSON.encode(entry))


def digest(decisions: Iterable[Draft]) -> str:
    """SHA-256 over the topics, keys and values of a batch's decisions, in order."""
    seen = hashlib.sha256()
    for draft in decisions:
        for part in (draft.topic.encode(), draft.key.encode(), draft.value or b""):
            seen.update(len(part).to_bytes(8, "big") + part)
    return seen.hexdigest()


def _outcomes_in(decided: tuple[Event, ...]) -> int:
    return sum(isinstance(event, CommandDecided) for event in decided)


def _outcome(command_id: str, known: Remembered) -> CommandDecided:
    return CommandDecided(
        key=known.key, at=known.at, command_id=command_id, status=known.status, code=known.code, state=known.state
    )


def _undecided(command: Command) -> CommandDecided:
    return CommandDecided(
        key=command.key, at=command.at, command_id=command.command_id, status=500, code=UNDECIDED
    )


def _record_of(event: Event, partition: int) -> Record:
    """A timer or a `Settle` that could not be decided, as the record that its dead letter quotes."""
    headers = {"type": event.type}
    return Record(topic=COMMANDS, partition=partition, position=-1, key=event.key, value=None, headers=headers)
