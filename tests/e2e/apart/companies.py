"""Two companies in one installation: furnished alike, with some ids in common, and one that knows the other's ids."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.e2e.desk import Desk

ROLES = ("admin", "supervisor", "integration", "viewer", "agent")
MOVING = {
    "score", "longest_wait_seconds", "expected_wait_seconds", "position", "remaining_seconds", "next_attempt_at",
    "attempts", "at",
}  # fmt: skip
"""What changes with time and nobody's doing."""
_numbers = count(1)


@dataclass
class Company:
    """`ids` are of one thing of each kind, by the names that paths give them."""

    workspace: str
    desks: dict[str, Desk]
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> Desk:
        return self.desks["admin"]

    @property
    def telling(self) -> list[str]:
        """Who shows one of these has seen something of this company."""
        drawn = ("contact_id", "customer_id", "delivery_id", "command_id")
        return [f"{self.workspace}-", *(self.ids[kind] for kind in drawn)]


def founded(root: Desk, workspace: str, hook: str) -> Company:
    url = str(root.client.base_url)
    admin = Desk(url, root.done("PUT", f"/v1/workspaces/{workspace}", {"name": workspace})["admin_key"])
    company = Company(workspace, {"admin": admin})
    furnish(company, hook)
    for role in ROLES[1:]:
        agent = {"agent": "ann"} if role == "agent" else {}
        key = admin.done("PUT", f"/v1/keys/{workspace}-{role}", {"role": role} | agent)["key"]
        company.desks[role] = Desk(url, key)
    return company


def furnish(company: Company, hook: str) -> None:
    """Agent `ann`, pool `main` and queue `everyone` are in both; the rest is called by the company's name."""
    own, put = company.workspace, company.admin.done
    put("PUT", f"/v1/pools/{own}-pool", {"name": own})
    put("PUT", f"/v1/queues/{own}-queue", {"name": own, "pool": f"{own}-pool"})
    put("PUT", "/v1/queues/everyone", {"offer_seconds": 3_600})
    put("PUT", f"/v1/calendars/{own}-calendar", {"hours": "Mo-Fr 09:00-18:00"})
    put("PUT", f"/v1/targets/{own}-target", {"metric": "first_response", "seconds": 900, "warn_at": [0.5]})
    put("PUT", f"/v1/accounts/{own}-account", {"provider": "generic"})
    put("PUT", f"/v1/accounts/{own}-x", {"provider": "x", "secrets": {"consumer_secret": f"{own}-secret"}})
    put("PUT", f"/v1/subscriptions/{own}-hook", {"to": {"webhook": hook}, "events": ["*"]})
    put("PUT", f"/v1/agents/{own}-agent", {"name": own, "pool": f"{own}-pool"})
    put("PUT", "/v1/agents/ann", {"name": own, "skills": {"public": 5, own: 5}})
    put("PUT", "/v1/agents/ann/presence", {"status": "available", "lease_seconds": 3_600})


def contact(company: Company, **more: Any) -> dict[str, Any]:
    number = next(_numbers)
    identity = {"channel": "x", "address": f"{company.workspace}-{number}"}
    return {
        "account": f"{company.workspace}-account", "channel": "x", "visibility": "public", "source_id": f"s{number}",
        "customer": {"identities": [identity]}, "text": "Where is my parcel?",
    } | more  # fmt: skip


def at_work(company: Company) -> None:
    """A contact that ann is offered, told to the company's webhook; then it knows an id of every kind."""
    own, admin = company.workspace, company.admin
    opened = admin.done("POST", "/v1/contacts?wait_seconds=8", contact(company))
    admin.once("/v1/agents/ann/offers", lambda page: page["items"])
    told = admin.once("/v1/deliveries", lambda page: page["items"])["items"][0]
    kinds = ("pool", "queue", "calendar", "target", "agent")
    company.ids = {f"{kind}_id": f"{own}-{kind}" for kind in kinds} | {
        "account": f"{own}-account", "subscription_id": f"{own}-hook", "key_id": f"{own}-viewer",
        "workspace_id": own, "contact_id": opened["contact_id"], "customer_id": opened["customer_id"],
        "offer_id": f"{opened['contact_id']}.offer.1", "delivery_id": told["id"], "skill": own,
    }  # fmt: skip


PARTS = (
    "contacts/{contact_id}", "contacts/{contact_id}/events", "contacts/{contact_id}/messages",
    "contacts/{contact_id}/clocks", "contacts/{contact_id}/notes", "customers/{customer_id}", "agents/{agent_id}",
    "agents/{agent_id}/versions", "agents/ann", "agents/ann/versions", "agents/ann/offers", "queues/{queue_id}",
    "queues/{queue_id}/versions", "queues/everyone", "queues/everyone/versions", "pools/{pool_id}",
    "pools/main/policy", "pools/main/policy/versions", "targets/{target_id}", "calendars/{calendar_id}",
    "accounts/{account}", "subscriptions/{subscription_id}", "contacts", "agents", "queues", "pools", "skills",
    "targets", "calendars", "accounts", "subscriptions", "keys", "stats",
)  # fmt: skip


def all_of(company: Company) -> dict[str, Any]:
    """Everything that the company's admin sees, without what moves by itself."""
    return {path: still(company.admin.done("GET", "/v1/" + path.format(**company.ids))) for path in PARTS}


def still(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: still(one) for name, one in value.items() if name not in MOVING}
    return [still(one) for one in value] if isinstance(value, list) else value
