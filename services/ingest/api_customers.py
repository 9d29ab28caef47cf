"""Customers and their identities."""

from __future__ import annotations

from datetime import datetime

from fastapi import Response

from libs.common.events.codec import moment
from libs.common.http import ApiRouter, Id, StrictModel, ViewModel
from libs.common.idempotency import about_customer
from services.ingest.api_parts import Admin, Ingesting, Keeper, Reader
from services.ingest.people import Profile
from services.ingest.shape import IdentityBody

router = ApiRouter(tags=["customers"])


class MergeBody(StrictModel):
    customer_id: Id
    """Who turned out to be the customer of the path; this id is gone afterwards."""


class IdentityView(ViewModel):
    channel: str
    address: str
    handle: str | None
    name: str | None
    verified: bool


class CustomerView(ViewModel):
    """`contacts` are the newest hundred; `strikes` the contacts of 90 days that failed them, at most 3."""

    customer_id: str
    tier: str
    identities: list[IdentityView]
    strikes: int
    last_agent: str | None
    contacts: list[str]
    created_at: datetime


@router.get("/v1/customers/{customer_id}")
async def get_customer(customer_id: Id, by: Reader, ingest: Ingesting) -> CustomerView:
    return _view(await ingest.people.profile(by.workspace, customer_id))


@router.post("/v1/customers/{customer_id}/identities", status_code=201, responses={200: {"model": CustomerView}})
async def link_identity(
    customer_id: Id, body: IdentityBody, by: Keeper, ingest: Ingesting, response: Response
) -> CustomerView:
    """Say that an address is this customer's: 201 when it is new, 200 when it was. 409 when it is another's."""
    about_customer(customer_id)
    new = await ingest.people.link(by.workspace, customer_id, body.identity())
    response.status_code = 201 if new else 200
    return _view(await ingest.people.profile(by.workspace, customer_id))


@router.post("/v1/customers/{customer_id}/merge")
async def merge_customers(customer_id: Id, body: MergeBody, by: Keeper, ingest: Ingesting) -> CustomerView:
    """Say that two customers are one: all that is the other's becomes this one's."""
    about_customer(customer_id)
    await ingest.people.merge(by.workspace, customer_id, body.customer_id)
    return _view(await ingest.people.profile(by.workspace, customer_id))


@router.delete("/v1/customers/{customer_id}", status_code=204)
async def erase_customer(customer_id: Id, by: Admin, ingest: Ingesting) -> None:
    """Erase everything personal: identities, messages, stored answers. Open contacts are withdrawn."""
    await ingest.people.erase(by.workspace, customer_id)


def _view(profile: Profile) -> CustomerView:
    return CustomerView(
        customer_id=profile.customer_id, tier=profile.tier, strikes=profile.strikes, last_agent=profile.last_agent,
        identities=[IdentityView(**vars(one)) for one in profile.identities],
        contacts=list(profile.contacts), created_at=moment(profile.created_at),
    )  # fmt: skip
