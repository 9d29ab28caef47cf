"""Every way in, each with a customer's data in it: where it belongs, and where nobody should have put it."""

import base64
import hashlib
import hmac
import json
import time
from itertools import count
from typing import Any
from urllib.parse import quote

from tests.e2e.desk import Desk
from tests.e2e.private.canaries import (
    ADDRESS,
    HANDLE,
    HOOK_SECRET,
    NAME,
    NOTE,
    PHONE,
    PLATFORM_SECRET,
    SECRET,
    SOURCE,
    TEXT,
)

OWN = "4711"
"""The company's user id on X."""
X, SHOP = "brand-on-x", "shop"
BELONGS: list[dict[str, Any]] = [{"channel": "email", "address": ADDRESS}, {"channel": "sms", "address": PHONE}]
_numbers = count(1)


def source() -> str:
    return f"{SOURCE}{next(_numbers):05}"


# -- what the company sets up ---------------------------------------------------------------------------------------


def furnish(desk: Desk, hook: str) -> None:
    """Names are people's and queues' and of nobody's business; secrets are secrets."""
    desk.done("PUT", f"/v1/accounts/{X}", {
        "provider": "x", "secrets": {"consumer_secret": SECRET, "account_user_id": OWN},
        "public_url": "https://care.example.com/hook",
    })  # fmt: skip
    desk.done("PUT", f"/v1/accounts/{SHOP}", {
        "provider": "generic", "secrets": {"webhook_secret": PLATFORM_SECRET}, "routable": ["order_value"],
    })  # fmt: skip
    desk.done("PUT", "/v1/queues/social", {"name": NAME, "match": {"visibility": "public"}, "offer_seconds": 300})
    desk.done("PUT", "/v1/pools/second", {"name": NAME})
    desk.done("PUT", "/v1/targets/quick", {
        "metric": "first_response", "seconds": 2, "warn_at": [0.5],
        "escalate": [{"at": 0.6, "do": "raise_priority"}, {"at": 1.0, "do": "notify", "to": "supervisors"}],
    })  # fmt: skip
    desk.done("PUT", "/v1/subscriptions/ops", {"to": {"webhook": hook}, "events": ["*"], "secret": HOOK_SECRET})
    desk.done("POST", "/v1/subscriptions/ops/test")
    desk.done("PUT", "/v1/agents/ann", {"name": NAME, "skills": {"public": 5, "lang:it": 5}})
    desk.done("PUT", "/v1/agents/ann/presence", {"status": "available", "lease_seconds": 600})


# -- contacts --------------------------------------------------------------------------------------------------------


def contact(**more: Any) -> dict[str, Any]:
    return {
        "account": SHOP, "channel": "email", "source_id": source(), "conversation": f"{SOURCE}-{HANDLE}",
        "customer": {"identities": BELONGS}, "text": TEXT, "attributes": {"vip_note": NOTE, "order_value": 12},
    } | more  # fmt: skip


def post_contacts(desk: Desk) -> str:
    """The id of the contact that all of them are about."""
    first = desk.done("POST", "/v1/contacts?wait_seconds=5", contact(), headers={"idempotency-key": f"{HANDLE}.1"})
    body = contact()
    desk.done("POST", "/v1/contacts", body)
    desk.done("POST", "/v1/contacts", body)
    batch = desk.done("POST", "/v1/contacts/batch", {"contacts": [contact(), contact(**{ADDRESS: 1}), {NAME: TEXT}]})
    assert [one["status"] for one in batch["results"]] == [201, 422, 422]
    desk.refusals.append(desk.call("POST", "/v1/contacts/batch", {"contacts": [contact(sentiment=TEXT)]}))
    return str(first["contact_id"])


def event(**more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "type": "contact.message.received", "source": f"urn:{HANDLE}", "id": source(),
        "subject": ADDRESS,
    } | more  # fmt: skip


def post_events(desk: Desk) -> None:
    structured, batched = "application/cloudevents+json", "application/cloudevents-batch+json"
    whole = event(data=contact(), comment=NAME)
    coded = event(data_base64=base64.b64encode(json.dumps(contact()).encode()).decode())
    binary = {f"ce-{name}": quote(value) for name, value in event(whose=NAME).items()}
    desk.done("POST", "/v1/events", whole, headers={"content-type": structured})
    desk.done("POST", "/v1/events", [event(data=contact()), coded], headers={"content-type": batched})
    desk.done("POST", "/v1/events", contact(), headers=binary)
    wrong = (
        event(data=contact(**{NAME: TEXT})), event(type=ADDRESS), event(time=TEXT), event(**{ADDRESS: TEXT}),
        event(data=TEXT), event(data_base64=TEXT), {**event(), "id": "", HANDLE: {NAME: TEXT}},
    )  # fmt: skip
    for body in wrong:
        desk.refused((400, 422), "POST", "/v1/events", body, headers={"content-type": structured})
        desk.refused((400, 422), "POST", "/v1/events", [body], headers={"content-type": batched})


def say_who(desk: Desk, contact_id: str) -> None:
    """Identities of the customer, another one's, and two that turn out to be one."""
    customer = desk.done("GET", f"/v1/contacts/{contact_id}")["customer_id"]
    other = desk.done("POST", "/v1/contacts", contact(
        conversation=f"{SOURCE}-2", customer={"identities": [{"channel": "email", "address": "2." + ADDRESS}]},
    ))["customer_id"]  # fmt: skip
    path = f"/v1/customers/{customer}"
    desk.done("POST", f"{path}/identities", {"channel": "x", "address": HANDLE})
    desk.refused(409, "POST", f"{path}/identities", {"channel": "email", "address": "2." + ADDRESS})
    desk.refused(422, "POST", f"{path}/identities", {"channel": NAME, "address": ADDRESS})
    desk.refused(422, "POST", f"{path}/merge", {"customer_id": ADDRESS})
    desk.done("POST", f"{path}/merge", {"customer_id": other})
    desk.refused((404, 422), "POST", f"/v1/customers/{quote(ADDRESS)}/merge", {"customer_id": customer})


# -- webhooks --------------------------------------------------------------------------------------------------------


def tweet(**more: Any) -> dict[str, Any]:
    user = {"id_str": f"{SOURCE}77", "name": NAME, "screen_name": HANDLE, "followers_count": 9}
    return {
        "id_str": source(), "text": f"@brand {TEXT}", "user": user, "lang": "en",
        "timestamp_ms": str(int(time.time() * 1_000)),
    } | more  # fmt: skip


def direct_message(sender: str, recipient: str) -> dict[str, Any]:
    created = {"sender_id": sender, "target": {"recipient_id": recipient}, "message_data": {"text": TEXT}}
    return {"id": source(), "type": "message_create", "created_timestamp": "1", "message_create": created}


def webhook(desk: Desk, status: int, secret: str = SECRET, raw: bytes | None = None, **activity: Any) -> None:
    body = raw or json.dumps({"for_user_id": OWN} | activity).encode()
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    headers = {"x-twitter-webhooks-signature": f"sha256={digest}", "content-type": "application/json"}
    desk.refused(status, "POST", f"/v1/accounts/{X}/webhook", content=body, headers=headers)


def post_webhooks(desk: Desk) -> str:
    """Mention, reply, private message, the company's own answer, deletion; then what is none of ours. The source id of
    the mention."""
    mention, own = tweet(), tweet(user={"id_str": OWN, "name": NAME})
    sender = mention["user"]["id_str"]
    webhook(desk, 200, tweet_create_events=[mention])
    webhook(desk, 200, tweet_create_events=[tweet(in_reply_to_status_id_str=mention["id_str"])])
    webhook(desk, 200, tweet_create_events=[own | {"in_reply_to_status_id_str": mention["id_str"]}])
    strange: dict[str, Any] = {f"{HANDLE}_events": [TEXT]}
    webhook(desk, 200, tweet_create_events=[tweet(retweeted_status=mention)], **strange)
    users = {sender: {"name": NAME, "screen_name": HANDLE}}
    webhook(desk, 200, direct_message_events=[direct_message(sender, OWN)], users=users)
    webhook(desk, 200, direct_message_events=[direct_message(OWN, sender)], users=users)
    gone = tweet()
    webhook(desk, 200, tweet_create_events=[gone])
    webhook(desk, 200, tweet_delete_events=[{"status": {"id": gone["id_str"]}}])
    webhook(desk, 403, secret=NAME, tweet_create_events=[mention])
    webhook(desk, 403, for_user_id=PHONE, tweet_create_events=[mention])
    webhook(desk, 422, tweet_create_events=[tweet(user=NAME)])
    webhook(desk, 422, tweet_create_events={ADDRESS: TEXT})
    for raw in (TEXT, f'{{"{NAME}": 1, "{NAME}": 2}}', f'{{"{ADDRESS}": NaN}}', f'["{PHONE}"', f'"{HANDLE}\\ud800"'):
        webhook(desk, 400, raw=raw.encode())
    desk.refused((401, 403), "POST", f"/v1/accounts/{X}/webhook?token={SECRET}", mention)
    desk.refused(404, "POST", f"/v1/accounts/{HANDLE}/webhook?token={SECRET}&{quote(NAME)}={quote(ADDRESS)}", mention)
    desk.refused((400, 404), "GET", f"/v1/accounts/{SHOP}/webhook?crc_token={quote(TEXT)}")
    return str(mention["id_str"])


def signed(desk: Desk, status: int, body: dict[str, Any], secret: str) -> None:
    """A platform's own webhook, signed as Standard Webhooks say."""
    raw, at = json.dumps(body).encode(), str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, f"{HANDLE}.{at}.".encode() + raw, hashlib.sha256)).decode()
    headers = {
        "webhook-id": HANDLE, "webhook-timestamp": at, "webhook-signature": f"v1,{digest}",
        "content-type": "application/cloudevents+json",
    }  # fmt: skip
    desk.refused(status, "POST", f"/v1/accounts/{SHOP}/webhook", content=raw, headers=headers)


def post_platform_webhooks(desk: Desk) -> None:
    signed(desk, 200, event(data=contact()), PLATFORM_SECRET)
    signed(desk, 403, event(data=contact()), HOOK_SECRET)
    signed(desk, 422, event(data=contact(**{ADDRESS: NAME})), PLATFORM_SECRET)


# -- the work --------------------------------------------------------------------------------------------------------


def work(desk: Desk, contact_id: str) -> None:
    """Refusals of every verb first, then the right words, to the end."""
    path = f"/v1/contacts/{contact_id}"
    desk.refused(422, "POST", f"/v1/offers/{contact_id}.offer.1/decline", {"reason": NAME, "note": NOTE})
    desk.done("POST", f"/v1/offers/{contact_id}.offer.1/accept", headers={"idempotency-key": quote(NAME)})
    for verb, field in (("close", "resolution"), ("abandon", "reason"), ("park", "reason"), ("release", "reason")):
        desk.refused(422, "POST", f"{path}/{verb}", {field: TEXT})
        desk.refused(422, "POST", f"{path}/{verb}", {NAME: NOTE})
    desk.refused(422, "POST", f"{path}/priority", {"boost": TEXT, "reason": ADDRESS})
    desk.refused(422, "POST", f"{path}/responses", {"agent": ADDRESS, "text": TEXT, "visibility": NAME})
    desk.done("POST", f"{path}/priority", {"boost": 0.1})
    desk.done("POST", f"{path}/responses", {"agent": "ann", "text": f"{NAME}, {TEXT}"})
    desk.done("POST", f"{path}/close", {})
    desk.refused(409, "POST", f"/v1/offers/{contact_id}.offer.1/accept")


# -- in the wrong places ---------------------------------------------------------------------------------------------

PATHS = (
    "contacts/{}", "contacts/{}/messages", "contacts/{}/events", "customers/{}", "agents/{}", "agents/{}/offers",
    "agents/{}/stream", "queues/{}", "queues/{}/stats", "pools/{}", "targets/{}", "calendars/{}", "accounts/{}",
    "subscriptions/{}", "keys/{}", "workspaces/{}", "commands/{}", "contacts?cursor={}", "contacts?state={}",
    "contacts?{}=1", "contacts?channel={}", "deliveries?state={}", "attainment?by={}", "feed?after=x{}", "{}",
)  # fmt: skip
PUTS: dict[str, list[dict[str, Any]]] = {
    "agents/bob": [{"skills": {ADDRESS: 1}}, {"pool": NAME}, {NAME: 1}, {"capacity": {"cost": {PHONE: "x"}}}],
    "agents/ann/presence": [{"status": NAME}, {"status": "away", "reason": NOTE}],
    "queues/bad": [
        {"match": {"visibility": TEXT}}, {"match": {NAME: 1}}, {"match": {"topic": NAME}}, {"hours": TEXT},
        {"match": {"account": [ADDRESS]}}, {"requirement": {"all": [{"skill": ADDRESS}]}}, {"overflow": {NAME: TEXT}},
    ],
    "targets/bad": [{"metric": TEXT, "seconds": 9}, {"metric": "first_response", "seconds": TEXT},
                    {"metric": "first_response", "seconds": 9, "match": {"topic": ADDRESS}},
                    {"metric": "first_response", "seconds": 9, "escalate": [{"at": 1, "do": "notify", "to": NAME}]}],
    "calendars/bad": [{"hours": TEXT}, {"hours": f'Mo-Fr 09:00-18:00 "{NAME}"'}, {"hours": "24/7", "timezone": NAME}],
    "accounts/bad": [{"provider": NAME}, {"provider": "x", "secrets": {"consumer_secret": SECRET, HANDLE: SECRET}},
                     {"provider": "x", "secrets": {SECRET: SECRET}}, {"provider": "generic", "public_url": TEXT},
                     {"provider": "generic", "pool": HANDLE}, {"provider": "generic", "routable": [ADDRESS]}],
    "subscriptions/bad": [
        {"to": {"webhook": f"http://10.0.0.1/{HANDLE}?token={SECRET}"}, "events": ["*"]},
        {"to": {"webhook": f"https://{quote(NAME)}:{SECRET}@example.com/"}, "events": ["*"]},
        {"to": {"slack": NAME}, "events": ["*"]}, {"to": {"webhook": "https://example.com"}, "events": [TEXT]},
        {"to": {"webhook": "https://example.com"}, "events": ["*"], "secret": f"{SECRET} {HOOK_SECRET}"},
        {"to": {"webhook": "https://example.com"}, "events": ["*"], "filter": {ADDRESS: NAME}},
    ],
    "keys/bad": [{"role": NAME}, {"role": "agent", "agent": ADDRESS}, {"role": "viewer", "expires_at": TEXT}],
    "workspaces/bad": [{"name": [NAME]}, {NAME: ADDRESS}],
}  # fmt: skip


def misplace(desk: Desk) -> None:
    for canary in (NAME, ADDRESS, PHONE, HANDLE + " " + NAME, SECRET):
        for path in PATHS:
            desk.call("GET", "/v1/" + path.format(quote(canary)))
    for path, bodies in PUTS.items():
        for body in bodies:
            desk.refused(422, "PUT", f"/v1/{path}", body)
    for path in ("agents", "queues", "pools", "targets", "calendars", "accounts", "subscriptions", "keys"):
        desk.refused(422, "PUT", f"/v1/{path}/{quote(ADDRESS)}", {})
    wrong_fields = (
        {ADDRESS: 1}, {"customer": {"identities": [{NAME: TEXT}]}}, {"occurred_at": TEXT}, {"medium": NAME},
        {"language": NAME}, {"topics": [ADDRESS]}, {"queue": NAME}, {"attributes": {ADDRESS: NOTE}},
        {"requirement": {"all": [{"skill": NAME}]}}, {"channel": PHONE}, {"account": ADDRESS}, {"account": HANDLE},
        {"source_id": SOURCE * 100}, {"reach": {PHONE: 1, "views": TEXT}}, {"text": TEXT * 2_000},
    )  # fmt: skip
    for more in wrong_fields:
        desk.refused(422, "POST", "/v1/contacts", contact(**more))


def send_odd_requests(desk: Desk) -> None:
    """In headers, in keys, in what is no JSON and no HTTP of ours."""
    headers = {
        "traceparent": f"00-{HANDLE}-01", "tracestate": f"who={HANDLE}", "baggage": f"name={quote(NAME)}",
        "user-agent": NAME, "x-forwarded-for": ADDRESS, "referer": f"https://x/{HANDLE}", "x-request-id": HANDLE,
        "cookie": f"who={ADDRESS}",
    }  # fmt: skip
    desk.done("POST", "/v1/contacts", contact(), headers=headers | {"idempotency-key": ADDRESS})
    desk.refused(422, "POST", "/v1/contacts", contact(), headers={"idempotency-key": ADDRESS})
    desk.refused(422, "POST", "/v1/contacts", contact(), headers={"idempotency-key": f"{NAME} {ADDRESS}"})
    desk.refused(401, "GET", "/v1/agents", headers={"authorization": f"Bearer {SECRET}"})
    desk.refused(401, "GET", "/v1/agents", headers={"authorization": f"Basic {quote(NAME)}"})
    for raw in (TEXT, f'{{"{NAME}": 1, "{NAME}": 2}}', f'{{"text": "{TEXT}', f'{{"{ADDRESS}": 1e999}}'):
        json_type = {"content-type": "application/json"}
        desk.refused((400, 422), "POST", "/v1/contacts", content=raw.encode(), headers=json_type)
    desk.refused(415, "POST", "/v1/contacts", content=TEXT.encode(), headers={"content-type": f"text/{HANDLE}"})
    desk.refused(422, "GET", "/v1/feed", headers={"last-event-id": HANDLE})
    desk.refused((400, 404, 405), HANDLE.upper(), f"/v1/contacts/{HANDLE}")
