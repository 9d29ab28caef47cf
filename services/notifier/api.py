"""Subscriptions, deliveries and the feed over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field, StringConstraints

from libs.common.auth import Caller, caller, identify
from libs.common.errors import FieldError, Invalid, NotSupported
from libs.common.events.codec import rfc3339
from libs.common.http import ApiRouter, Id, Page, Paging, StrictModel, from_app, page_of
from libs.common.postgres import DATABASE_TROUBLE
from libs.common.secrets import Unopenable
from services.notifier.channels.webhook import DeliveryFailed, Letter, is_secret
from services.notifier.core.which import FILTER_FIELDS, can_match, rule_of, types_of
from services.notifier.deliveries import Delivery
from services.notifier.dispatch import SEALED_ELSEWHERE, body_of
from services.notifier.egress import UnsafeTarget
from services.notifier.feed import Entry, FeedItem, Gap
from services.notifier.limits import EVENT_PATTERNS_MAX, FILTER_VALUE_CHARACTERS_MAX, URL_CHARACTERS_MAX
from services.notifier.parts import Notifier
from services.notifier.subscriptions import Subscription, Wanted

router = ApiRouter(tags=["notifier"])

Admin = Annotated[Caller, Depends(caller("admin"))]
Supervisor = Annotated[Caller, Depends(caller("supervisor"))]
Viewer = Annotated[Caller, Depends(caller("viewer"))]
NotifierPart = Annotated[Notifier, Depends(from_app(Notifier))]
Pattern = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+))$", max_length=64)]
FilterValue = Annotated[str, StringConstraints(min_length=1, max_length=FILTER_VALUE_CHARACTERS_MAX)]

TEST_TYPE: Final = "subscription.test"
UNSUPPORTED_CHANNELS: Final = ("slack", "email")


class To(StrictModel):
    """Where to. Slack and e-mail aren't supported yet."""

    webhook: Annotated[str, StringConstraints(min_length=1, max_length=URL_CHARACTERS_MAX)] | None = None
    slack: Any = None
    email: Any = None


class SubscriptionBody(StrictModel):
    """`events`: exact types, families (`target.*`) or `*`. `filter`: equality on fields that the event carries; an
    event without the field doesn't match. `secret`: `whsec_` and base64; absent, the present one stays, or one is made
    and shown in this answer only."""

    to: To
    events: Annotated[list[Pattern], Field(min_length=1, max_length=EVENT_PATTERNS_MAX)]
    filter: dict[str, FilterValue] = {}
    secret: Annotated[str, StringConstraints(max_length=512)] | None = None


class ToShown(StrictModel):
    webhook: str


class SubscriptionShown(StrictModel):
    id: str
    to: ToShown
    events: list[str]
    filter: dict[str, str]
    state: Literal["enabled", "disabled"]
    disabled_reason: str | None
    disabled_at: str | None
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, subscription: Subscription) -> SubscriptionShown:
        return cls.model_validate(shown(subscription))


class SubscriptionPut(SubscriptionShown):
    """`secret` only when it was made now: it can't be read again."""

    secret: str | None = None


class TestShown(StrictModel):
    """How one call went; `failure` is a tag: `timed_out`, `unreachable`, `refused`, `unsafe_target` …"""

    delivered: bool
    status: int | None
    failure: str | None


class DeliveryShown(StrictModel):
    """`id` is the `webhook-id`; `position` the event's in the feed."""

    id: str
    subscription: str
    type: str
    event_id: str
    position: int
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    next_attempt_at: str | None
    last_status: int | None
    last_failure: str | None
    created_at: str
    ended_at: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryShown:
        return cls(
            id=delivery.id,
            subscription=delivery.subscription,
            type=delivery.type,
            event_id=delivery.event_id,
            position=delivery.position,
            state=delivery.state,
            attempts=delivery.attempts,
            next_attempt_at=rfc3339(delivery.due_at) if delivery.state == "pending" else None,
            last_status=delivery.last_status,
            last_failure=delivery.last_failure,
            created_at=rfc3339(delivery.created_at),
            ended_at=_time(delivery.ended_at),
        )


def shown(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "to": {"webhook": subscription.url},
        "events": list(subscription.events),
        "filter": subscription.filter,
        "state": "enabled" if subscription.disabled_at is None else "disabled",
        "disabled_reason": subscription.disabled_reason,
        "disabled_at": _time(subscription.disabled_at),
        "created_at": rfc3339(subscription.created_at),
        "updated_at": rfc3339(subscription.updated_at),
    }


def _time(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)


# -- subscriptions -----------------------------------------------------------------------------------------------


@router.put(
    "/v1/subscriptions/{subscription_id}",
    responses={201: {"model": SubscriptionPut}},
    response_model_exclude_unset=True,
)
async def put_subscription(
    subscription_id: Id, body: SubscriptionBody, by: Admin, notifier: NotifierPart, response: Response
) -> SubscriptionPut:
    """Create a subscription, or replace it; one that its receiver ended (410) is enabled again."""
    wanted = checked(body, notifier)
    made = await notifier.subscriptions.put(by.workspace, subscription_id, wanted, notifier.clock.now())
    response.status_code = 201 if made.created else 200
    notifier.dispatch.wake([(by.workspace, subscription_id)])
    secret = {} if made.secret is None else {"secret": made.secret}
    return SubscriptionPut.model_validate(shown(made.subscription) | secret)


def checked(body: SubscriptionBody, notifier: Notifier) -> Wanted:
    """Raises NotSupported, Invalid."""
    url = checked_url(body.to, notifier)
    check_events(body)
    if body.secret is not None and not is_secret(body.secret):
        raise wrong("/secret", "must be whsec_ and base64 of 16 to 128 bytes")
    return Wanted(url=url, events=tuple(body.events), filter=body.filter, secret=body.secret)


def checked_url(to: To, notifier: Notifier) -> str:
    unsupported = [name for name in UNSUPPORTED_CHANNELS if getattr(to, name) is not None]
    if unsupported:
        errors = [FieldError(f"/to/{name}", "is not supported; use webhook") for name in unsupported]
        raise NotSupported("this kind of target is not supported", errors=errors)
    if to.webhook is None:
        raise wrong("/to/webhook", "is needed")
    try:
        notifier.guard.check_url(to.webhook)
    except UnsafeTarget as failure:
        raise wrong("/to/webhook", str(failure)) from None
    return to.webhook


def check_events(body: SubscriptionBody) -> None:
    errors = [
        FieldError(f"/events/{n}", "is no public event type, nor a family of them")
        for n, pattern in enumerate(body.events)
        if not types_of(pattern)
    ]
    errors += [
        FieldError("/filter", "knows only " + ", ".join(FILTER_FIELDS))
        for field in body.filter
        if field not in FILTER_FIELDS
    ]
    if errors:
        raise Invalid("the subscription can't be stored", errors=errors)
    if not can_match(rule_of(body.events, body.filter)):
        raise wrong("/filter", "none of these events carries all of these fields")


def wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("the subscription can't be stored", errors=[FieldError(pointer, detail)])


@router.get("/v1/subscriptions")
async def list_subscriptions(by: Viewer, notifier: NotifierPart, page: Paging) -> Page[SubscriptionShown]:
    (after,) = page.keys(str) or ("",)
    rows = await notifier.subscriptions.page(by.workspace, after, page.fetch)
    return page_of(rows, page, SubscriptionShown.of, lambda row: (row.id,))


@router.get("/v1/subscriptions/{subscription_id}")
async def get_subscription(subscription_id: Id, by: Viewer, notifier: NotifierPart) -> SubscriptionShown:
    return SubscriptionShown.of(await notifier.subscriptions.get(by.workspace, subscription_id))


@router.delete("/v1/subscriptions/{subscription_id}", status_code=204)
async def delete_subscription(subscription_id: Id, by: Admin, notifier: NotifierPart) -> Response:
    """With all its deliveries. Where those are many it takes a while; what a call that was cut short left behind, the
    next one deletes."""
    await notifier.subscriptions.delete(by.workspace, subscription_id, notifier.clock.now())
    return Response(status_code=204)


@router.post("/v1/subscriptions/{subscription_id}/test")
async def post_test(subscription_id: Id, by: Supervisor, notifier: NotifierPart) -> TestShown:
    """Send one signed `subscription.test` now and tell how it went; nothing is tried again."""
    subscription = await notifier.subscriptions.get(by.workspace, subscription_id)
    now = notifier.clock.now()
    value = msgspec.json.encode({"subscription": subscription_id, "at": rfc3339(now)})
    try:
        key = notifier.box.open(subscription.secret).decode()
        body = body_of(TEST_TYPE, now, value)
        letter = Letter(id=f"test_{secrets.token_hex(16)}", url=subscription.url, secret=key, body=body)
        status = await notifier.webhooks.send(letter)
    except DeliveryFailed as failure:
        return TestShown(delivered=False, status=failure.status, failure=failure.reason)
    except Unopenable:
        return TestShown(delivered=False, status=None, failure=SEALED_ELSEWHERE)
    return TestShown(delivered=True, status=status, failure=None)


# -- deliveries --------------------------------------------------------------------------------------------------


@router.get("/v1/deliveries")
async def list_deliveries(
    by: Viewer,
    notifier: NotifierPart,
    page: Paging,
    state: Literal["pending", "delivered", "dead"] | None = None,
    subscription: Id | None = None,
) -> Page[DeliveryShown]:
    """The newest event first. Delivered ones are kept 7 days, dead ones 30; what was pending for 3 days is dead, its
    `last_failure` is `expired`."""
    rows = await notifier.deliveries.page(
        by.workspace, page.keys(int, str), page.fetch, state=state, subscription=subscription
    )
    return page_of(rows, page, DeliveryShown.of, lambda row: (row.position, row.id))


@router.post("/v1/deliveries/{delivery_id}/redeliver")
async def post_redeliver(delivery_id: Id, by: Supervisor, notifier: NotifierPart) -> DeliveryShown:
    """Send a delivery that is dead (or delivered) once more, under the same `webhook-id`. 409 while it is pending."""
    delivery = await notifier.deliveries.again(by.workspace, delivery_id, notifier.clock.now())
    notifier.dispatch.wake([(by.workspace, delivery.subscription)])
    return DeliveryShown.of(delivery)


# -- the feed ----------------------------------------------------------------------------------------------------

Position = Annotated[int, Query(ge=0, le=2**63 - 1)]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=32)]


async def followed(
    by: Viewer, notifier: NotifierPart, after: Position | None = None, last_event_id: LastEventId = None
) -> AsyncIterator[int]:
    """Where to begin. Refuses before the stream does: afterwards it is too late for a status."""
    if last_event_id and not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 19):
        raise Invalid("Last-Event-ID must be a position of this feed")
    with notifier.feed.opened(by.workspace):
        if last_event_id:
            yield int(last_event_id)
        else:
            yield await notifier.feed.head(by.workspace) if after is None else after


@router.get("/v1/feed", response_class=EventSourceResponse)
async def stream_feed(
    by: Viewer, notifier: NotifierPart, connection: Request, after: Annotated[int, Depends(followed)]
) -> AsyncIterator[ServerSentEvent]:
    """Every public event of the workspace, in one order, each under its own type; `data` is the event's value with
    `id` and `type`. The SSE id is the position: come back with `Last-Event-ID` (or `?after=`) and nothing is missed;
    without either the feed begins now, `?after=0` gives all that is kept (7 days). A `gap` says which positions can't
    be had any more. The stream ends with its key."""
    yield ServerSentEvent(comment=f"from {after}")
    async for item in notifier.feed.follow(by.workspace, after):
        if not await still_lets_in(connection, by):
            return
        yield event_of(item)


async def still_lets_in(connection: Request, by: Caller) -> bool:
    """Whether the key still says the same: it may have been revoked, changed or have ended, or its workspace."""
    del connection.state.caller
    try:
        return await identify(connection) == by
    except DATABASE_TROUBLE:
        connection.state.caller = by  # Nothing more is read meanwhile, and afterwards the feed goes on.
        return True


def event_of(item: FeedItem) -> ServerSentEvent:
    match item:
        case Entry():
            head = msgspec.json.encode({"id": item.event_id, "type": item.type})
            data = head[:-1] + b"," + item.value.lstrip()[1:]
            return ServerSentEvent(event=item.type, id=str(item.position), raw_data=data.decode())
        case Gap():
            data = msgspec.json.encode({"first": item.first, "last": item.last})
            return ServerSentEvent(event="gap", id=str(item.goes_on_after), raw_data=data.decode())
        case _:
            return ServerSentEvent(comment="heartbeat")
