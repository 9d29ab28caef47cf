"""Everything that can be set from outside: `OMNIROUTE_…` variables, or files in a secrets folder.

A wrong setting stops the start: `load_settings` names every one that is wrong and why, never its value.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from libs.common.events.codec import instant

PREFIX: Final = "OMNIROUTE_"
SECRETS_DIR: Final = "OMNIROUTE_SECRETS_DIR"
TEST_PREFIX: Final = "OMNIROUTE_TEST_"
PARTITIONS_MAX: Final = 1_024
ADMIN_KEY_CHARACTERS_MIN: Final = 16
SECRET_KEY_CHARACTERS_MIN: Final = 16
EPOCH_SECONDS_MAX: Final = 4_102_444_800
"""2100: a clock beyond it was meant to be milliseconds."""

Network = IPv4Network | IPv6Network
LogLevel = Literal["debug", "info", "warning", "error"]
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class SettingsError(Exception):
    """The program can't start as it was told to; each line names one setting and what is wrong with it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def parse_clock(value: object) -> object:
    """Seconds since 1970, or RFC 3339 with a zone → microseconds."""
    if value is None or isinstance(value, int):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"\d+(\.\d{1,6})?", text):
        return instant(text)
    seconds, _, fraction = text.partition(".")
    if int(seconds) > EPOCH_SECONDS_MAX:
        raise ValueError("is beyond 2100: the epoch is counted in seconds")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0") or 0)


def parse_networks(value: object) -> object:
    """`10.0.0.0/8, fd00::/8` → networks; a single address is a network of one."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def bootstrap(value: str) -> str:
    """Checks `host:port,host:port`."""
    for server in value.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or not 1 <= int(match[1]) <= 65_535:
            raise ValueError("must be host:port, several with commas between")
    return value.replace(" ", "")


def is_loopback(host: str) -> bool:
    """Only this machine can reach it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8080, ge=0, le=65_535)
    data_dir: Path = Path(".omniroute")
    database_url: str | None = Field(default=None, repr=False)
    """`postgresql://…`; unset: the embedded server."""
    kafka: Annotated[str, AfterValidator(bootstrap)] | None = None
    """Bootstrap servers; unset: the log lives in PostgreSQL and everything in one process."""
    partitions: int = Field(default=12, ge=1, le=PARTITIONS_MAX)
    admin_key: SecretStr | None = Field(default=None, min_length=ADMIN_KEY_CHARACTERS_MIN)
    secret_key: SecretStr | None = Field(default=None, min_length=SECRET_KEY_CHARACTERS_MIN)
    allow_private_targets: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)] = ()
    log_level: LogLevel = "info"
    clock: Annotated[int | None, BeforeValidator(parse_clock)] = None
    """Microseconds since 1970 UTC at which the process's clock starts; None: the machine's clock."""
    rate_limit_per_second: int = Field(default=1_000, ge=1, le=1_000_000)
    """Requests a second of one API key."""
    concurrent_requests_max: int = Field(default=256, ge=1, le=100_000)
    """Requests a process works on at once; streams don't count."""
    otel_exporter_otlp_endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("admin_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"[\x21-\x7e]{16,512}", value.get_secret_value()):
            raise ValueError("must be 16 to 512 visible ASCII characters without spaces")
        return value

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @model_validator(mode="after")
    def _clock_only_at_home(self) -> Self:
        if self.clock is not None and not is_loopback(self.host):
            raise ValueError("CLOCK: a settable clock is for tests; OMNIROUTE_HOST must be a loopback address")
        return self


def load_settings() -> Settings:
    """Reads the environment and the secrets folder. Raises SettingsError with a line for each wrong setting."""
    lines = unknown_variables(os.environ)
    folder = os.environ.get(SECRETS_DIR)
    if folder and not Path(folder).is_dir():
        raise SettingsError([*lines, f"{SECRETS_DIR}: there is no such folder"])
    try:
        settings = Settings(_secrets_dir=folder)
    except ValidationError as failure:
        lines += [line_of(error) for error in failure.errors(include_input=False, include_url=False)]
    else:
        if not lines:
            return settings
    raise SettingsError(lines)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A line for each `OMNIROUTE_…` that is no setting, with the likely one."""
    known = [PREFIX + name.upper() for name, field in Settings.model_fields.items() if not field.validation_alias]
    asked = sorted(name for name in environment if name.upper().startswith(PREFIX))
    return [
        f"{name}: there is no such setting{_likely(name, known)}"
        for name in asked
        if name.upper() not in known and name != SECRETS_DIR and not name.startswith(TEST_PREFIX)
    ]


def _likely(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.upper(), known, n=1)
    return f" (is it {close[0]}?)" if close else ""


def line_of(error: Mapping[str, Any]) -> str:
    """`OMNIROUTE_PORT: Input should be a valid integer`, never the value."""
    message = str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0]) if error["loc"] else ""
    if not name:
        name, _, message = message.partition(": ")
    return f"{name if name.isupper() and '_' in name else PREFIX + name.upper()}: {message}"
