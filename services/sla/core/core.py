"""The SLA core as the machine knows it: see `libs.common.core`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from libs.common.events import COMMANDS, CONTACTS, ROUTING, Event, Topic
from libs.common.events.commands import CommandDecided
from libs.common.events.escalations import CalendarCompiled, ClockEvent, TargetUpdated
from services.sla.core.decide import decide
from services.sla.core.evolve import evolve
from services.sla.core.facts import ClockFellDue, ForgettingFellDue
from services.sla.core.state import CALENDAR, CONTACT, FORGET, TARGET, Calendar, Contact, Sla, Target


class SlaCore:
    service: str = "sla"
    version: str = "1"
    inputs: tuple[Topic, ...] = (CONTACTS, ROUTING, COMMANDS)
    entities: Mapping[str, type[Any]] = {CONTACT: Contact, TARGET: Target, CALENDAR: Calendar}

    def new(self, partition: int) -> Sla:
        return Sla(partition=partition)

    def load(self, state: Sla, key: str, entity: Any) -> None:
        match entity:
            case Contact():
                state.contacts[key] = entity
            case Target():
                state.targets.setdefault(entity.key, {})[entity.target_id] = entity
            case Calendar():
                state.calendars.setdefault(entity.key, {})[entity.calendar_id] = entity
            case _:
                raise TypeError(f"no entity of the SLA service is a {type(entity).__name__}")

    def loaded(self, state: Sla) -> None:
        for key in sorted(state.contacts):
            state.index(state.contacts[key])

    def advance(self, state: Sla, now: int) -> None:
        assert now >= state.now, "time never runs back"
        state.now = now

    def decide(self, state: Sla, event: Event) -> tuple[Event, ...]:
        return decide(state, event)

    def evolve(self, state: Sla, event: Event) -> None:
        evolve(state, event)

    def sequence(self, state: Sla, event: Event) -> int:
        match event:
            case ClockEvent():
                contact = state.contact(event.key, event.contact_id)
                assert contact is not None, "a clock belongs to a contact"
                return contact.sequence
            case TargetUpdated():
                return state.targets[event.key][event.target_id].sequence
            case CalendarCompiled():
                return state.calendars[event.key][event.calendar_id].sequence
            case CommandDecided():
                return 1
            case _:
                raise TypeError(f"{event.type} is not published by the SLA service")

    def next_due(self, state: Sla) -> int | None:
        timer = state.earliest()
        return timer[0] if timer is not None else None

    def pop_timer(self, state: Sla, until: int) -> Event | None:
        timer = state.earliest()
        if timer is None or timer[0] > until:
            return None
        state.drop_earliest()
        return _fell_due(state, *timer)

    def changed(self, state: Sla) -> Iterable[tuple[str, Any | None]]:
        touched = sorted(state.touched)
        state.touched.clear()
        return [(key, _entity(state, key)) for key in touched]


def _fell_due(state: Sla, due: int, timer_id: str) -> Event:
    entity_key, _, name = timer_id.rpartition("|")
    contact = state.contacts[entity_key]
    if name == FORGET:
        return ForgettingFellDue(key=contact.key, at=due, contact_id=contact.contact_id)
    return ClockFellDue(key=contact.key, at=due, contact_id=contact.contact_id, metric=name)


def _entity(state: Sla, entity_key: str) -> Any | None:
    kind, key, subject = entity_key.split("|", 2)
    if kind == CONTACT:
        return state.contacts.get(entity_key)
    configured: Mapping[str, Mapping[str, Any]] = state.targets if kind == TARGET else state.calendars
    return configured.get(key, {}).get(subject)


SLA_CORE: Final = SlaCore()
