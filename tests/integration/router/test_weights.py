"""A pool's weights and what they weigh, by REST."""

from typing import Any

from libs.common.events.values import Reach
from tests.integration.router.site import Site


def terms(explained: dict[str, Any]) -> dict[str, float]:
    return {term["name"]: term["value"] for term in explained["score"]["terms"]}


async def test_new_weights_reach_who_waits(site: Site) -> None:
    await site.receive("con_1", reach=Reach(views=10**6))
    before = await site.get("/v1/contacts/con_1/explanation")
    assert (terms(before)["reach"], before["policy_version"]) == (0.13, 0)
    put = await site.put("/v1/pools/main/policy", {"weights": {"reach": 0.04, "urgency": 0.1}})
    assert (put["version"], put["weights"]["urgency"], put["weights"]["velocity"]) == (1, 0.1, 0)
    explained = await site.until("/v1/contacts/con_1/explanation", lambda shown: shown["policy_version"] == 1)
    assert (terms(explained)["reach"], terms(explained)["urgency"]) == (0.04, 0)
    events = (await site.get("/v1/contacts/con_1/events"))["items"]
    assert [(one["type"], one["reason"]) for one in events if one["type"] == "contact.priority_changed"] == [
        ("contact.priority_changed", "policy_changed")
    ]


async def test_urgency_is_a_routable_attribute(site: Site) -> None:
    await site.put("/v1/pools/main/policy", {"weights": {"urgency": 0.2}})
    await site.receive("con_1", attributes={"urgency": 0.5})
    explained = await site.get("/v1/contacts/con_1/explanation")
    assert terms(explained)["urgency"] == 0.1
    assert "it is urgent" in explained["text"]
