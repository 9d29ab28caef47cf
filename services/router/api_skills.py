"""Skills aren't configured by themselves: they are what agents have and what queues and contacts ask for."""

from __future__ import annotations

from libs.common.events.commands import DeleteSkill
from libs.common.http import ApiRouter, Id, Page, Paging, ViewModel, page_of
from services.router.api_parts import Admin, Asking, Pooled, Reader, Shelled, check_pool
from services.router.skills import SkillView

router = ApiRouter(tags=["rules"])


class SkillReplaced(ViewModel):
    skill: str
    replaced_by: str | None
    agents: int
    """How many had it and have changed."""
    queues: list[str]
    """Which asked for it and have changed."""
    contacts: int
    """Open ones that ask for it still: as long as there are any, agents keep it beside the other."""


@router.get("/v1/skills")
async def list_skills(by: Reader, shell: Shelled, page: Paging) -> Page[SkillView]:
    """Every skill of the workspace by name, and where it is used: look before you rename or give one up."""
    (after,) = page.keys(str) or ("",)
    found = [one for one in await shell.reads.skills(by.workspace) if one.skill > after]
    return page_of(found[: page.fetch], page, lambda one: one, lambda one: (one.skill,))


@router.delete("/v1/skills/{skill}")
async def delete_skill(
    skill: Id, by: Admin, shell: Shelled, pools: Pooled, ask: Asking, pool: Id = "main", replace_by: Id | None = None
) -> SkillReplaced:
    """Give a skill of a pool up. Refused with 409 `skill_in_use` while a queue or an open contact asks for it; `state`
    says how many agents, which queues and how many contacts. With `replace_by` queues and agents have that one instead,
    at the same level: at most 500 at once."""
    await check_pool(shell, pools, by.workspace, pool)
    return SkillReplaced(**await ask(DeleteSkill, by, pool, skill=skill, replace_by=replace_by))
