"""One meaning or none."""

import asyncio
import json
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Malformed, TooLarge
from libs.common.strict_json import BESIDE_BYTES_MIN, DEPTH_MAX, KEYS_MAX, VALUES_MAX, loads, loads_beside

REFUSED = [
    ("nothing at all", b""),
    ("no JSON", b"mario@example.com"),
    ("cut off", b'{"a": 1'),
    ("something after it", b'{"a": 1} x'),
    ("duplicate keys", b'{"a": 1, "a": 2}'),
    ("duplicate keys, one escaped", b'{"a": 1, "\\u0061": 2}'),
    ("duplicate keys deep inside", b'[{"b": {"a": 1, "a": 1}}]'),
    ("NaN", b'{"a": NaN}'),
    ("Infinity", b"[Infinity]"),
    ("minus Infinity", b"[-Infinity]"),
    ("1e999", b"[1e999]"),
    ("minus 1e999", b"[-1e999]"),
    ("2 to the 63", b"[9223372036854775808]"),
    ("minus 2 to the 63", b"[-9223372036854775808]"),
    ("five thousand digits", b"[" + b"9" * 5_000 + b"]"),
    ("a leading zero", b"[01]"),
    ("a byte order mark", b"\xef\xbb\xbf[1]"),
    ("UTF-16", '{"a": 1}'.encode("utf-16")),
    ("UTF-32 without a mark", '{"a": 1}'.encode("utf-32-le")),
    ("invalid UTF-8", b'["\xff"]'),
    ("overlong UTF-8", b'["\xc0\xaf"]'),
    ("a surrogate as UTF-8", b'["\xed\xa0\x80"]'),
    ("a high surrogate alone", b'["\\ud83d"]'),
    ("a low surrogate alone", b'["\\ude00"]'),
    ("surrogates the wrong way round", b'["\\ude00\\ud83d"]'),
    ("a surrogate in a key", b'{"\\ud83d": 1}'),
    ("U+0000", b'["a\\u0000b"]'),
    ("U+0000 in a key", b'{"\\u0000": 1}'),
    ("a raw control character", b'["\x01"]'),
    ("too deep, in arrays", b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)),
    ("too deep, in objects", b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1)),
    ("a hundred thousand deep", b"[" * 100_000),
    ("too many keys", json.dumps({str(number): 1 for number in range(KEYS_MAX + 1)}).encode()),
]
TAKEN = [
    ("a surrogate pair", b'["\\ud83d\\ude00"]', ["😀"]),
    ("an emoji as it is", '["😀"]'.encode(), ["😀"]),
    ("the largest integer", b"[9223372036854775807, -9223372036854775807]", [2**63 - 1, 1 - 2**63]),
    ("as deep as may be", b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, None),
    ("equal keys of two objects", b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ("null", b"null", None),
]


@pytest.mark.parametrize(("what", "document"), REFUSED, ids=[what for what, _ in REFUSED])
def test_refused(what: str, document: bytes) -> None:
    with pytest.raises(Malformed) as failure:
        loads(document)
    assert failure.value.status == 400
    assert "mario" not in failure.value.detail


@pytest.mark.parametrize(("what", "document", "value"), TAKEN, ids=[what for what, *_ in TAKEN])
def test_taken(what: str, document: bytes, value: object) -> None:
    read = loads(document)
    assert value is None or read == value


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'""', b"null"])
def test_more_values_than_may_be_are_refused_before_they_are_read(value: bytes) -> None:
    with pytest.raises(TooLarge, match=str(VALUES_MAX)):
        loads(b"[" + (value + b",") * VALUES_MAX + b"no JSON at all")


def test_a_batch_of_a_thousand_full_contacts_comes_through() -> None:
    names = [f"attribute_{number}" for number in range(50)]
    identities = [{"channel": "email", "address": f"{number}@example.com"} for number in range(10)]
    contact = {
        "customer": {"identities": identities},
        "text": "Well, yes, and no, " * 100,
        "topics": names[:20],
        "attributes": dict.fromkeys(names, "value"),
    }
    batch = {"contacts": [contact] * 1_000}
    assert loads(json.dumps(batch).encode()) == batch


async def test_what_is_large_is_read_while_everything_else_goes_on() -> None:
    document = json.dumps([{"text": str(number)} for number in range(BESIDE_BYTES_MIN // 8)]).encode()
    reading, turns = asyncio.create_task(loads_beside(document)), count()
    while not reading.done():
        next(turns)
        await asyncio.sleep(0)
    assert await reading == loads(document)
    assert next(turns) > 10


plain = st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
values = st.recursive(plain | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=20)


@given(values, st.booleans())
def test_what_is_strict_comes_through_unchanged(value: object, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_can_happen(document: bytes) -> None:
    with suppress(Malformed):
        loads(document)
