"""The types that requests and answers are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

STRICT_TYPES: Final = frozenset({"int", "float", "bool", "str"})
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$")]
"""An id that a caller chose or was given: no slash, @ or space."""
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
"""A word of a closed or small vocabulary: it goes on the log."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Seconds = Annotated[int, Field(ge=0, le=366 * 86_400)]


def _strict(node: Any) -> Any:
    """The same schema with strict scalars and zoned times."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if isinstance(node, tuple):
        return tuple(_strict(item) for item in node)
    if not isinstance(node, dict):
        return node
    kind = node.get("type")
    if kind == "function-before" and node.get("function", {}).get("function") is rfc3339:
        return node  # A nested model's time, already strict.
    strict = {key: value if key == "metadata" else _strict(value) for key, value in node.items()}
    if isinstance(kind, str) and kind in STRICT_TYPES:  # a model may have a field that is called "type"
        strict["strict"] = True
    return _time_schema(strict) if kind == "datetime" else strict


def _time_schema(node: Any) -> CoreSchema:
    zoned = core_schema.no_info_after_validator_function(in_utc, {**node, "tz_constraint": "aware"})
    return core_schema.no_info_before_validator_function(rfc3339, zoned)


def rfc3339(value: object) -> object:
    """Lets through what is RFC 3339 with a zone; pydantic alone takes dates and plain numbers for times."""
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise ValueError("must be a time with a zone, as in 2026-11-22T09:30:00+01:00")
    if not isinstance(value, str | datetime):
        raise ValueError("must be a time as a string")  # pydantic reads no TypeError
    return value


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC. ValueError at the edges of the calendar."""
    if not 1970 <= value.year <= 2200:
        raise ValueError("must lie between 1970 and 2200")
    return value.astimezone(UTC)


class StrictModel(BaseModel):
    """A body: unknown fields are refused, a bool is no int, a number no string, a time needs a zone.

    Times are RFC 3339 and come out in UTC. (pydantic's own strict mode would refuse times as strings.)
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = _strict(handler(source))
        return schema


class ViewModel(BaseModel):
    """An answer. What is said below a field stands in the OpenAPI document too."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class _TimeSchema:
    """Makes `Time` strict outside a StrictModel too (query parameters)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return _time_schema(handler(source))


Time = Annotated[datetime, _TimeSchema()]
"""RFC 3339 with a zone, answered in UTC."""
