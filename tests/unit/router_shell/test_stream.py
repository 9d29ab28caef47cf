"""Who watches an agent gets what names the agent, and a slow one is told to look again."""

import pytest

from libs.common.errors import TooMany
from libs.common.events.codec import Envelope
from libs.common.events.routing import OfferExpired
from services.router.stream import EVENTS_BEHIND_MAX, STREAMS_MAX, Streams


def expired(number: int, agent: str = "ann", workspace: str = "acme") -> Envelope:
    event = OfferExpired(
        key=f"{workspace}/main", at=0, contact_id="con_1", offer_id=f"con_1.offer.{number}", agent_id=agent
    )
    return Envelope(event=event, id=f"con_1.routing.{number}", sequence=number, cause="timer")


async def test_events_come_in_order_and_only_the_agents_own() -> None:
    streams = Streams()
    with streams.watch("acme", "ann") as stream:
        stream.look_again = False
        streams.publish([expired(1), expired(2, agent="bob"), expired(3, workspace="other"), expired(4)])
        assert [envelope.sequence for envelope in await stream.next()] == [1, 4]


async def test_who_is_too_slow_has_to_look_again() -> None:
    streams = Streams()
    with streams.watch("acme", "ann") as stream:
        stream.look_again = False
        streams.publish(expired(number) for number in range(EVENTS_BEHIND_MAX + 1))
        assert await stream.next() == []
        assert stream.look_again


async def test_nothing_is_kept_for_who_has_left() -> None:
    streams = Streams()
    with streams.watch("acme", "ann") as stream:
        pass
    streams.publish([expired(1)])
    assert not stream.has_news


def test_open_streams_are_bounded() -> None:
    streams = Streams()
    opened = [streams.opened() for _ in range(STREAMS_MAX)]
    for one in opened:
        one.__enter__()
    with pytest.raises(TooMany), streams.opened():
        pass
    opened[0].__exit__(None, None, None)
    with streams.opened():
        pass


async def test_when_everything_may_have_changed_everybody_looks_again() -> None:
    streams = Streams()
    with streams.watch("acme", "ann") as stream:
        stream.look_again = False
        streams.publish([expired(1)])
        streams.look_again()
        assert await stream.next() == []
        assert stream.look_again
