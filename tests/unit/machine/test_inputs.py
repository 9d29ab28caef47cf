"""In which order a partition's inputs are fed."""

from __future__ import annotations

import pytest

from libs.common.events import COMMANDS, CONTACTS, ROUTING
from libs.common.inputs import Inputs
from libs.common.log import Record
from libs.common.machine import AFTER_HEADER


def record(topic: str, position: int = 0, after: str | None = None) -> Record:
    headers = {} if after is None else {AFTER_HEADER: after}
    return Record(topic=topic, partition=0, position=position, key="acme/main", value=b"{}", headers=headers)


@pytest.mark.parametrize(("rule", "waiting", "goes"), [
    ("a decision waits for the contacts it was made after", record(ROUTING, after="5"),   False),
    ("one whose contacts were read goes",                   record(ROUTING, after="4"),   True),
    ("one that names none goes",                            record(ROUTING),              True),
    ("what is no number names none",                        record(ROUTING, after="x"),   True),
    ("nor does what is below nothing",                      record(ROUTING, after="-9"),  True),
    ("a command waits for nothing, whatever it says",       record(COMMANDS, after="99"), True),
])  # fmt: skip
def test_what_may_be_fed(rule: str, waiting: Record, goes: bool) -> None:
    inputs = Inputs((CONTACTS, COMMANDS, ROUTING))
    inputs.add([waiting])
    assert (inputs.next(4) is waiting) == goes, rule


def test_contacts_that_were_read_go_before_decisions() -> None:
    inputs = Inputs((CONTACTS, ROUTING))
    inputs.add([record(ROUTING), record(CONTACTS)])
    assert [inputs.next(1).topic for _ in range(2)] == [CONTACTS, ROUTING]  # type: ignore[union-attr]


@pytest.mark.parametrize(("end", "waits"), [(6, False), (7, True)])
def test_what_waits_below_an_end(end: int, waits: bool) -> None:
    inputs = Inputs((CONTACTS, ROUTING))
    inputs.add([record(ROUTING, 6)])
    assert inputs.waiting_below({(ROUTING, 0): end}) == waits
