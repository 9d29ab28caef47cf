"""The company's own accounts, and the providers' calls for them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import Field, HttpUrl, StringConstraints

from libs.common.errors import FieldError, Invalid, NotFound, NotSupported, Problem
from libs.common.http import ApiRouter, Id, Page, Paging, StrictModel, Tag, ViewModel, page_of
from services.ingest import limits
from services.ingest.accounts import Account
from services.ingest.api_parts import Admin, Ingest, Ingesting, Reader
from services.ingest.channels import PROVIDERS, Call, Provider, Refused
from services.ingest.core.normalize import Answered, Deleted, Happening, Received
from services.ingest.metrics import WEBHOOK_EVENTS_IGNORED, WEBHOOKS_REJECTED
from services.ingest.shape import AttributeName

router = ApiRouter(tags=["channels"])

Secret = Annotated[str, StringConstraints(min_length=1, max_length=limits.SECRET_CHARACTERS_MAX)]
UNREADABLE: Final = "unreadable"


class AccountBody(StrictModel):
    """`secrets` left out keeps those that are stored."""

    provider: Tag
    pool: Id = "main"
    public_url: HttpUrl | None = None
    routable: Annotated[tuple[AttributeName, ...], Field(max_length=limits.ROUTABLE_MAX)] = ()
    secrets: Annotated[dict[Tag, Secret], Field(max_length=limits.SECRETS_MAX)] | None = None


class AccountView(ViewModel):
    """Secrets are never read back; `secret_names` says which there are."""

    account: str
    provider: str
    pool: str
    public_url: str | None
    routable: list[str]
    secret_names: list[str]


class WebhookView(ViewModel):
    received: int
    """Messages that were new."""


@router.put("/v1/accounts/{account}", responses={201: {"model": AccountView}})
async def put_account(account: Id, body: AccountBody, by: Admin, ingest: Ingesting, response: Response) -> AccountView:
    """Create or replace an account. Its id is taken once in the installation: webhook addresses name it."""
    provider = _provider(body.provider)
    await _check_pool(ingest, by.workspace, body.pool)
    secrets = await _secrets(ingest, by.workspace, account, body)
    _check_secrets(provider, secrets)
    row = Account(
        workspace=by.workspace, account=account, provider=body.provider, pool=body.pool,
        public_url=None if body.public_url is None else str(body.public_url), routable=body.routable,
        sealed=ingest.accounts.seal(secrets),
    )  # fmt: skip
    created = await ingest.accounts.put(row, ingest.clock.now())
    response.status_code = 201 if created else 200
    return _view(ingest, row)


@router.get("/v1/accounts/{account}")
async def get_account(account: Id, by: Reader, ingest: Ingesting) -> AccountView:
    return _view(ingest, await ingest.accounts.get(by.workspace, account))


@router.get("/v1/accounts")
async def list_accounts(by: Reader, ingest: Ingesting, page: Paging) -> Page[AccountView]:
    (after,) = page.keys(str) or ("",)
    rows = await ingest.accounts.some(by.workspace, after=after, limit=page.fetch)
    return page_of(rows, page, lambda row: _view(ingest, row), lambda row: (row.account,))


@router.delete("/v1/accounts/{account}", status_code=204)
async def delete_account(account: Id, by: Admin, ingest: Ingesting) -> None:
    """Its messages and contacts stay; its webhook answers 404 from now on."""
    await ingest.accounts.delete(by.workspace, account)


@router.get("/v1/accounts/{account}/webhook")
async def verify_webhook(account: Id, ingest: Ingesting, request: Request) -> dict[str, Any]:
    """The provider's verification of the address."""
    found = await ingest.accounts.of_webhook(account)
    try:
        return PROVIDERS[found.provider].challenge(await _call(request, found, ingest), ingest.accounts.secrets(found))
    except Refused as refusal:
        WEBHOOKS_REJECTED.labels(found.provider, refusal.reason).inc()
        raise


@router.post("/v1/accounts/{account}/webhook")
async def receive_webhook(account: Id, ingest: Ingesting, request: Request) -> WebhookView:
    """The provider's calls: whoever calls proves it by the provider's own signature over the raw body."""
    found = await ingest.accounts.of_webhook(account)
    provider, secrets = PROVIDERS[found.provider], ingest.accounts.secrets(found)
    call = await _call(request, found, ingest)
    try:
        provider.verify(call, secrets)
        reading = provider.read(call, secrets)
    except Problem as refusal:
        WEBHOOKS_REJECTED.labels(found.provider, getattr(refusal, "reason", UNREADABLE)).inc()
        raise
    for kind in reading.ignored:
        WEBHOOK_EVENTS_IGNORED.labels(found.provider, kind).inc()
    new = [await _take(ingest, found, happening) for happening in reading.happenings]
    return WebhookView(received=sum(new))


async def _take(ingest: Ingest, account: Account, happening: Happening) -> bool:
    """Whether it was a message from outside that is new."""
    match happening:
        case Received():
            return (await ingest.contacts.receive(account, happening)).new
        case Answered():
            await ingest.contacts.answered(account, happening)
        case Deleted():
            await ingest.contacts.deleted(account, happening)
    return False


async def _call(request: Request, account: Account, ingest: Ingest) -> Call:
    return Call(
        account=account.account, raw=await request.body(), headers=dict(request.headers),
        query=dict(request.query_params), now=ingest.clock.now(),
    )  # fmt: skip


def _provider(name: str) -> Provider:
    if name not in PROVIDERS:
        raise NotSupported("unknown provider", errors=[FieldError("/provider", f"is one of {', '.join(PROVIDERS)}")])
    return PROVIDERS[name]


async def _check_pool(ingest: Ingest, workspace: str, pool: str) -> None:
    try:
        await ingest.pools.partition(workspace, pool)
    except NotFound:
        raise Invalid(
            "unknown pool", errors=[FieldError("/pool", "there is no such pool")], code="unknown_pool"
        ) from None


async def _secrets(ingest: Ingest, workspace: str, account: str, body: AccountBody) -> dict[str, str]:
    if body.secrets is not None:
        return dict(body.secrets)
    try:
        kept = await ingest.accounts.get(workspace, account)
    except NotFound:
        return {}
    return ingest.accounts.secrets(kept) if kept.provider == body.provider else {}


def _check_secrets(provider: Provider, secrets: dict[str, str]) -> None:
    unknown, missing = sorted(secrets.keys() - provider.secrets), sorted(provider.required - secrets.keys())
    errors = [FieldError(f"/secrets/{name}", "is no secret of this provider") for name in unknown]
    errors += [FieldError(f"/secrets/{name}", "is needed by this provider") for name in missing]
    errors += [FieldError(f"/secrets/{name}", why) for name, why in provider.wrong(secrets).items()]
    if errors:
        raise Invalid("the secrets are not this provider's", errors=errors)


def _view(ingest: Ingest, row: Account) -> AccountView:
    return AccountView(
        account=row.account, provider=row.provider, pool=row.pool, public_url=row.public_url,
        routable=list(row.routable), secret_names=sorted(ingest.accounts.secrets(row)),
    )  # fmt: skip
