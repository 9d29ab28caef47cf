"""A platform of the customer's own: CloudEvents signed as Standard Webhooks say.

The signature is over id, timestamp and raw body; a timestamp more than five minutes from now is stale, and within
those a replay changes nothing because source ids are unique.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final

from libs.common.events.base import SECOND
from services.ingest import cloud
from services.ingest.channels.provider import Call, Provider, Reading, Refused, Secrets

SECRET: Final = "webhook_secret"  # noqa: S105 - its name
SECRET_PREFIX: Final = "whsec_"  # noqa: S105
KEY_BYTES_MIN: Final = 16
TOLERANCE_SECONDS: Final = 300
SIGNATURES_MAX: Final = 20


def wrong(secrets: Secrets) -> dict[str, str]:
    """A key that is short could be guessed; an empty one everybody knows."""
    secret = secrets.get(SECRET)
    if secret is None or len(_key(secret)) >= KEY_BYTES_MIN:
        return {}
    return {SECRET: f"must be {SECRET_PREFIX} and base64 of {KEY_BYTES_MIN} bytes or more"}


def challenge(_call: Call, _secrets: Secrets) -> dict[str, Any]:
    raise Refused("no_challenge", "this provider has no GET verification", status=400)


def verify(call: Call, secrets: Secrets) -> None:
    if not _key(secrets.get(SECRET, "")):
        raise Refused("no_secret", "this account has no webhook_secret")
    sent_id, sent_at = call.headers.get("webhook-id"), call.headers.get("webhook-timestamp", "")
    if not sent_id or "webhook-signature" not in call.headers:
        raise Refused("unsigned", "the signature is missing", status=401)
    if not _is_fresh(sent_at, call.now):
        raise Refused("stale", "the timestamp is missing or too far from now")
    expected = signature(secrets[SECRET], sent_id, sent_at, call.raw).encode()
    given = call.headers["webhook-signature"].split(" ")[:SIGNATURES_MAX]
    if not any(hmac.compare_digest(one.encode(), expected) for one in given):
        raise Refused("bad_signature", "the signature is wrong")


def signature(secret: str, sent_id: str, sent_at: str, raw: bytes) -> str:
    content = f"{sent_id}.{sent_at}.".encode() + raw
    return "v1," + base64.b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode()


def read(call: Call, _secrets: Secrets) -> Reading:
    arrived = cloud.read(call.headers.get("content-type", ""), call.headers.items(), call.raw, call.account)
    return Reading(happenings=tuple(received for _, received in arrived))


def _is_fresh(sent_at: str, now: int) -> bool:
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= 12):
        return False
    return abs(int(sent_at) * SECOND - now) <= TOLERANCE_SECONDS * SECOND


def _key(secret: str) -> bytes:
    """What is after the prefix is base64, or no key at all; without the prefix it may also be words."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        return b"" if secret.startswith(SECRET_PREFIX) else secret.encode()


PROVIDER: Final = Provider(
    name="generic",
    secrets=frozenset({SECRET}),
    required=frozenset(),
    wrong=wrong,
    challenge=challenge,
    verify=verify,
    read=read,
)
