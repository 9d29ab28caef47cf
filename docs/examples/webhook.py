"""Whether a webhook is omniroute's: Standard Webhooks, with nothing but the standard library.

The same in one line, with `pip install standardwebhooks`: `Webhook(secret).verify(body, headers)`.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE_SECONDS = 300


class Forged(Exception):
    """Answer 400 and do nothing."""


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The letter in a request's raw body; `headers` by lower-case name. Raises Forged."""
    try:
        name, sent_at, signatures = (headers[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
        age = abs(time.time() - int(sent_at))
    except (KeyError, ValueError) as error:
        raise Forged("a header is missing or wrong") from error
    if age > TOLERANCE_SECONDS:
        raise Forged("too old, or from the future")
    encoded = secret.removeprefix("whsec_")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    ours = base64.b64encode(hmac.digest(key, f"{name}.{sent_at}.".encode() + body, hashlib.sha256)).decode()
    if not any(hmac.compare_digest(f"v1,{ours}".encode(), one.encode()) for one in signatures.split()):
        raise Forged("the signature is not ours")
    letter: dict[str, Any] = json.loads(body)
    return letter
