"""Ingest's REST face."""

from __future__ import annotations

from libs.common.http import ApiRouter
from services.ingest import api_accounts, api_channels, api_contacts, api_customers, api_rehearsal

router = ApiRouter()
for part in (api_contacts, api_accounts, api_channels, api_customers, api_rehearsal):
    router.include_router(part.router)
