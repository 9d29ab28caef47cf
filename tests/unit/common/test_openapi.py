"""What the document says of the whole API is what is answered."""

import pytest

from services.all.server import whole_api


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/v1/contacts"),
        ("post", "/v1/customers/{customer_id}/identities"),
        ("put", "/v1/accounts/{account}"),
    ],
)
def test_new_and_known_are_both_described(method: str, path: str) -> None:
    responses = whole_api().openapi()["paths"][path][method]["responses"]
    known, new = (responses[status]["content"]["application/json"]["schema"]["$ref"] for status in ("200", "201"))
    assert known == new


@pytest.mark.parametrize(
    ("model", "field"),
    [("QueueBody", "parallel_offers"), ("QueueExplanationView", "first"), ("ReceivedView", "unroutable_reason")],
)
def test_what_is_said_below_a_field_is_in_the_document(model: str, field: str) -> None:
    assert whole_api().openapi()["components"]["schemas"][model]["properties"][field]["description"]


def test_no_model_is_called_by_its_module() -> None:
    assert not [name for name in whole_api().openapi()["components"]["schemas"] if name.startswith("services__")]
