"""Every provider that can call us, by name: one file a channel, and this is the whole registry."""

from __future__ import annotations

from typing import Final

from services.ingest.channels import generic, x
from services.ingest.channels.provider import Call, Provider, Reading, Refused, Secrets

PROVIDERS: Final[dict[str, Provider]] = {
    "generic": generic.PROVIDER,
    "x": x.PROVIDER,
}

__all__ = ["PROVIDERS", "Call", "Provider", "Reading", "Refused", "Secrets"]
