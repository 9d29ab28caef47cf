"""Skills aren't configured by themselves: they are what agents have and what queues and contacts ask for."""

from __future__ import annotations

from libs.common.http import ApiRouter, Page, Paging, page_of
from services.router.api_parts import Reader, Shelled
from services.router.skills import SkillView

router = ApiRouter(tags=["rules"])


@router.get("/v1/skills")
async def list_skills(by: Reader, shell: Shelled, page: Paging) -> Page[SkillView]:
    """Every skill of the workspace by name, and where it is used: look before you rename or give one up."""
    (after,) = page.keys(str) or ("",)
    found = [one for one in await shell.reads.skills(by.workspace) if one.skill > after]
    return page_of(found[: page.fetch], page, lambda one: one, lambda one: (one.skill,))
