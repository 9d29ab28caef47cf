"""A client that leaves is no failure of ours; anything else is."""

import pytest
from anyio import BrokenResourceError
from starlette.requests import ClientDisconnect

from libs.common.middleware import is_client_gone


@pytest.mark.parametrize(
    ("rule", "failure", "gone"),
    [
        ("a body that ends early", ClientDisconnect(), True),
        ("a stream that nobody reads", ExceptionGroup("", [BrokenResourceError()]), True),
        ("both, one in the other", ExceptionGroup("", [ExceptionGroup("", [ClientDisconnect()])]), True),
        ("our own bug", ValueError(), False),
        ("our own bug beside it", ExceptionGroup("", [BrokenResourceError(), ValueError()]), False),
    ],
)
def test_who_is_gone(rule: str, failure: Exception, gone: bool) -> None:
    assert is_client_gone(failure) == gone, rule
