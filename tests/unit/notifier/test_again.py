"""When a delivery is tried again."""

from __future__ import annotations

import pytest

from libs.common.events import SECOND
from services.notifier.core.again import ATTEMPTS_MAX, FAILURES_BEFORE_REST, RETRY_SECONDS, rest_until, retry_at

NOW = 1_000 * SECOND


@pytest.mark.parametrize(
    ("rule", "attempts", "asked", "seconds"),
    [
        ("short at first", 1, 0, 1),
        ("then longer", 2, 0, 5),
        ("then half a minute", 3, 0, 30),
        ("then minutes", 4, 0, 300),
        ("the receiver may ask for more", 1, 60, 60),
        ("not for less", 4, 60, 300),
        ("nor for ever", 1, 10**9, 36_000),
        ("the last but one", ATTEMPTS_MAX - 1, 0, RETRY_SECONDS[-1]),
    ],
)
def test_retry_at(rule: str, attempts: int, asked: int, seconds: int) -> None:
    assert retry_at(NOW, attempts, asked) == NOW + seconds * SECOND, rule


def test_the_last_attempt_is_the_last() -> None:
    assert retry_at(NOW, ATTEMPTS_MAX) is None


def test_waits_only_grow() -> None:
    assert list(RETRY_SECONDS) == sorted(RETRY_SECONDS)


def test_an_endpoint_rests_after_failures_in_a_row_and_never_for_long() -> None:
    assert rest_until(NOW, FAILURES_BEFORE_REST - 1) == NOW
    rests = [rest_until(NOW, FAILURES_BEFORE_REST + n) - NOW for n in range(100)]
    assert rests[:4] == [1 * SECOND, 5 * SECOND, 30 * SECOND, 60 * SECOND]
    assert max(rests) == 60 * SECOND
