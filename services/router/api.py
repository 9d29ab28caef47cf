"""The router's REST API. A handler only translates: request → command → outcome, or question → projection."""

from __future__ import annotations

from libs.common.http import ApiRouter
from services.router import (
    api_agents,
    api_bulk,
    api_contacts,
    api_explanations,
    api_moves,
    api_now,
    api_rules,
    api_skills,
    api_versions,
)

router = ApiRouter()
for part in (
    api_agents, api_bulk, api_contacts, api_moves, api_rules, api_versions, api_skills, api_explanations, api_now,
):  # fmt: skip
    router.include_router(part.router)
