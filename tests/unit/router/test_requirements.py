"""Skills against requirements: met or not, what lacks, and why in words."""

from __future__ import annotations

import pytest

from libs.common.events.values import Requirement, SkillNeed
from services.router.core.requirements import lacks, meets, why_not

ANN = {"billing": 3, "lang:it": 5}
BILLING = SkillNeed(skill="billing", level=3)
HIGHER = SkillNeed(skill="billing", level=4)
GERMAN = SkillNeed(skill="lang:de")
ITALIAN = SkillNeed(skill="lang:it")


@pytest.mark.parametrize(("rule", "requirement", "met", "missing", "why"), [
    ("nothing is asked",           None,                                    True,  (), None),
    ("the level is enough",        Requirement(all=(BILLING,)),             True,  (), None),
    ("the level is too low",       Requirement(all=(HIGHER,)),              False, ("billing",), "skill billing 3 < 4"),
    ("a skill is missing",         Requirement(all=(BILLING, GERMAN)),      False, ("lang:de",), "skill lang:de 0 < 1"),
    ("one of any is enough",       Requirement(any=(GERMAN, ITALIAN)),      True,  (), None),
    ("none of any",                Requirement(any=(GERMAN,)),              False, ("lang:de",), "none of lang:de"),
    ("an excluded skill is there", Requirement(none=(ITALIAN,)),            False, ("lang:it",),
     "skill lang:it 5 is excluded"),
    ("an excluded skill is weak",  Requirement(none=(HIGHER,)),             True,  (), None),
])  # fmt: skip
def test_requirements(
    rule: str, requirement: Requirement | None, met: bool, missing: tuple[str, ...], why: str | None
) -> None:
    assert meets(ANN, requirement) is met, rule
    assert lacks(ANN, requirement) == missing, rule
    assert why_not(ANN, requirement) == why, rule
