"""What an application was built from, by type: the clock, the database, the commands …"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from starlette.requests import HTTPConnection

Parts = dict[type[Any], Any]


def part(connection: HTTPConnection, kind: type[Any]) -> Any:
    """The application's instance of `kind`. KeyError when the composition root forgot it."""
    return cast(Parts, connection.app.state.parts)[kind]


def optional_part(connection: HTTPConnection, kind: type[Any]) -> Any | None:
    """The application's instance of `kind`, None when it was built without one."""
    return cast(Parts, connection.app.state.parts).get(kind)


def from_app(kind: type[Any]) -> Callable[[HTTPConnection], Any]:
    """A dependency: `Annotated[Clock, Depends(from_app(Clock))]`."""

    def find(connection: HTTPConnection) -> Any:
        return part(connection, kind)

    return find
