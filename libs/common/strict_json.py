"""JSON that has one meaning: what the standard parser lets pass and two readers would read differently is refused.

Refused with 400 `malformed`: invalid UTF-8, a byte order mark, duplicate keys, NaN and Infinity, numbers that are
no finite double or no 64-bit integer, nesting deeper than 32, too many keys, lone surrogates and U+0000. Refused with
413 `too_large`, before any of it is read: more values than would be read in good time.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, Final, NoReturn

from libs.common.errors import Malformed, TooLarge

DEPTH_MAX: Final = 32
KEYS_MAX: Final = 100_000
"""Keys of all objects of a document together."""
VALUES_MAX: Final = 500_000
"""Twice what a thousand contacts with everything in them have. Counted by commas and opening brackets, those in texts
too: never too low, and at once."""
BESIDE_BYTES_MIN: Final = 262_144
"""From here on reading takes so long that the loop would be missed."""
INTEGER_MAX: Final = 2**63 - 1
INTEGER_DIGITS_MAX: Final = 20


async def loads_beside(document: bytes) -> Any:
    """As `loads`; a large document is read while the loop goes on."""
    if len(document) < BESIDE_BYTES_MIN:
        return loads(document)
    return await asyncio.to_thread(loads, document)


def loads(document: bytes) -> Any:
    """The value of a document. Raises Malformed or TooLarge, which never repeat what was sent."""
    if sum(map(document.count, (b",", b"[", b"{"))) > VALUES_MAX:
        raise TooLarge(f"a document may have {VALUES_MAX} values (commas and opening brackets)")
    try:
        value = json.loads(
            document.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise Malformed("the body is not valid UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as failure:
        raise Malformed(f"not valid JSON at line {failure.lineno}, column {failure.colno}") from None
    _check(value, escapes=b"\\u" in document)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("a key appears twice in one object")
    return fields


def _constant(_name: str) -> NoReturn:
    raise Malformed("NaN and Infinity are no JSON numbers")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Malformed("a number is too large")
    return number


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX or abs(number := int(digits)) > INTEGER_MAX:
        raise Malformed("an integer needs more than 64 bits")
    return number


def _too_deep() -> Malformed:
    return Malformed(f"nested deeper than {DEPTH_MAX}")


def _check(value: Any, *, escapes: bool) -> None:
    """Depth, keys and characters of the parsed value; U+0000 and surrogates can only come from escapes."""
    level, depth, keys = [value], 0, 0
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        keys += sum(len(item) for item in containers if isinstance(item, dict))
        depth += bool(containers)
        if depth > DEPTH_MAX:
            raise _too_deep()
        if keys > KEYS_MAX:
            raise Malformed(f"more than {KEYS_MAX} keys")
        if escapes:
            _check_strings(level)
        level = [child for item in containers for child in _children(item)]


def _children(container: dict[str, Any] | list[Any]) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else container


def _check_strings(level: list[Any]) -> None:
    for item in level:
        if isinstance(item, str):
            check_text(item)
        elif isinstance(item, dict):
            for key in item:
                check_text(key)


def check_text(text: str) -> None:
    """Raises Malformed for characters that no database or reader takes."""
    if "\x00" in text:
        raise Malformed("U+0000 is not accepted")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Malformed("a surrogate without its other half is not accepted")
