"""What has to be looked at: in order of time, and never much more than what matters."""

from __future__ import annotations

from services.auditor.agenda import DEAD_ENTRIES_MIN, Agenda


def test_what_is_due_comes_in_order_of_time() -> None:
    agenda: Agenda[tuple[str]] = Agenda(lambda at, what: what != ("over",))
    for at, what in ((3, "late"), (1, "early"), (2, "over"), (4, "now")):
        agenda.add(at, (what,))
    assert list(agenda.due(4)) == [(1, ("early",)), (3, ("late",))]


def test_what_no_longer_matters_does_not_pile_up() -> None:
    open_now: set[tuple[str]] = set()
    agenda: Agenda[tuple[str]] = Agenda(lambda at, what: what in open_now)
    for number in range(50_000):
        open_now.add((str(number),))
        agenda.add(number, (str(number),))
        if number % 100:
            open_now.discard((str(number),))
    assert len(agenda) <= 2 * len(open_now) + DEAD_ENTRIES_MIN
    assert [what for _, what in agenda.due(50_000)] == sorted(open_now, key=lambda what: int(what[0]))
