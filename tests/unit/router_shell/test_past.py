"""A contact told from its decisions alone."""

from libs.common.events import Event
from libs.common.events.codec import encode_value
from libs.common.events.routing import ContactAssigned, ContactPriorityChanged, ContactRelaxed
from libs.common.events.values import Requirement
from services.router.core.state import Contact
from services.router.past import contact_of_events
from tests.integration.router.records import AT, KEY, closed, offered, queued


def told(*events: Event) -> Contact | None:
    stored = [(e.type, encode_value(e, sequence=n, cause="c").decode()) for n, e in enumerate(events)]
    return contact_of_events(KEY, stored)


def test_what_became_of_it_is_followed() -> None:
    contact = told(
        queued(strikes=2),
        ContactRelaxed(key=KEY, at=AT, contact_id="con_1", step=1, requirement=Requirement()),
        ContactPriorityChanged(key=KEY, at=AT, contact_id="con_1", boost=90, terms={}, reach=50, reason="reach"),
        offered(to="ann"),
        ContactAssigned(key=KEY, at=AT, contact_id="con_1", agent_id="ann", queue="social", channel="x",
                        medium="async", units=20, waited_seconds=1.5),
        closed(),
    )  # fmt: skip
    assert contact is not None
    assert (contact.relaxed, contact.boost, contact.reach, contact.strikes) == (1, 90, 50, 2)
    assert (contact.offers_made, contact.agent_id, contact.units) == (1, "ann", 20)


def test_queued_again_in_another_queue_is_in_that_queue() -> None:
    contact = told(queued(queue="social"), queued(queue="billing"))
    assert contact is not None
    assert contact.rules.queue == "billing"


def test_without_its_entry_nothing_is_known() -> None:
    assert told(offered(), closed()) is None
