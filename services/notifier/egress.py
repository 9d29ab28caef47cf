"""The guard on the way out: what customers name is called, what lies inside our own network never.

A name is resolved once, when the connection is made; if any of its addresses is unsafe nothing is dialled, else
exactly what was checked. So no answer of a name server can change between the check and the call. An address is safe
when it is ordinary global unicast; forms that carry another address (mapped, NAT64, 6to4, Teredo, ISATAP) never are.
`allowed` networks may be called although they are internal.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, urlsplit

import httpcore

from libs.common.settings import Network
from services.notifier.limits import (
    ADDRESSES_TRIED_MAX,
    CONNECT_SECONDS_MAX,
    RESOLVER_THREADS_MAX,
    URL_CHARACTERS_MAX,
)

Address = IPv4Address | IPv6Address

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
NOT_FOR_CALLS_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo (2001::/32) among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
ISATAP: Final = (0x00005EFE, 0x02005EFE)
"""The upper half of an interface id that carries an IPv4 address."""
NOT_FOR_CALLS_V4: Final = ("192.88.99.", "192.31.196.", "192.52.193.", "192.175.48.", "192.0.0.")
"""6to4 relays, AS112 and the like: global by the registry's letter, nobody's receiver."""

VISIBLE_ASCII: Final = re.compile(r"[\x21-\x7e]+")
NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
NAME_CHARACTERS_MAX: Final = 253
WEB_PORTS: Final = (80, 443)
FREE_PORTS_FROM: Final = 1_024


class UnsafeTarget(Exception):
    """The target may not be called, or not like this. The message names the rule, never the target."""


class Resolver(Protocol):
    async def __call__(self, host: str, port: int) -> list[Address]:
        """Every address of a name. Raises OSError when there is none."""
        ...


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could be meant, and nobody inside."""
    if isinstance(address, IPv4Address):
        ordinary = address.is_global and not address.is_multicast and not address.is_reserved
        return ordinary and not str(address).startswith(NOT_FOR_CALLS_V4)
    if address.scope_id is not None or address not in GLOBAL_UNICAST or not address.is_global:
        return False
    carries_v4 = (int(address) >> 32) & 0xFFFFFFFF in ISATAP
    return not carries_v4 and not any(address in network for network in NOT_FOR_CALLS_V6)


class Guard:
    """What may be called, given the internal networks that the operator allows."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def allows_inside(self, address: Address) -> bool:
        plain = getattr(address, "scope_id", None) is None
        return plain and any(address in network for network in self._allowed)

    def may_call(self, address: Address) -> bool:
        return is_public(address) or self.allows_inside(address)

    def check(self, addresses: Sequence[Address]) -> None:
        """Raises UnsafeTarget: one unsafe address among many condemns them all."""
        if not addresses or not all(self.may_call(address) for address in addresses):
            raise UnsafeTarget("the target's address is internal or special")

    def check_url(self, url: str) -> None:
        """Raises UnsafeTarget for what can be told without asking a name server."""
        parts = split(url)
        host = parts.hostname or ""
        literal = literal_address(host)
        inside = literal is not None and self.allows_inside(literal)
        if parts.scheme != "https" and not (parts.scheme == "http" and inside):
            raise UnsafeTarget("must be https (http only for an address inside ALLOW_PRIVATE_TARGETS)")
        check_port(parts, inside=inside)
        if literal is not None:
            self.check([literal])
        elif NAME.fullmatch(host) is None or len(host) > NAME_CHARACTERS_MAX:
            raise UnsafeTarget("must name a host")


def split(url: str) -> SplitResult:
    """Raises UnsafeTarget for what two readers could read differently."""
    if len(url) > URL_CHARACTERS_MAX or VISIBLE_ASCII.fullmatch(url) is None or "\\" in url:
        raise UnsafeTarget(f"must be at most {URL_CHARACTERS_MAX} visible ASCII characters without a backslash")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnsafeTarget("must be a URL") from None
    if "@" in parts.netloc or "#" in url:
        raise UnsafeTarget("must have neither user, password nor fragment")
    return parts


def check_port(parts: SplitResult, *, inside: bool) -> None:
    try:
        port = parts.port
    except ValueError:
        raise UnsafeTarget("must have a port from 1 to 65535") from None
    if port is None or (inside and port):
        return
    if port not in WEB_PORTS and port < FREE_PORTS_FROM:
        raise UnsafeTarget(f"must have port 80, 443 or one from {FREE_PORTS_FROM}")


def literal_address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class SystemResolver:
    """The system's resolver on threads of its own: a slow name server takes nobody else's."""

    def __init__(self, look_up: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS_MAX, thread_name_prefix="resolve")
        self._asked: dict[str, asyncio.Future[list[Any]]] = {}

    async def __call__(self, host: str, port: int) -> list[Address]:
        """Who asks for a name that is being resolved waits for that answer."""
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: self._look_up(host, None, type=socket.SOCK_STREAM)
            )
            self._asked[host] = asked
            asked.add_done_callback(lambda _: self._asked.pop(host, None))
        found = await asyncio.shield(asked)
        return list(dict.fromkeys(ip_address(answer[4][0]) for answer in found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Dials only what the guard has seen. TLS names stay right: they come from the URL."""

    def __init__(self, guard: Guard, resolve: Resolver) -> None:
        self._guard = guard
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        self._guard.check(addresses)
        seconds = min(timeout or CONNECT_SECONDS_MAX, CONNECT_SECONDS_MAX)
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._network.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failure = refused
        raise failure

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = literal_address(host)
        if literal is not None:
            return [literal]
        try:
            return await self._resolve(host, port)
        except (OSError, UnicodeError, ValueError) as failure:
            raise httpcore.ConnectError("the name has no address") from failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise UnsafeTarget("a socket of this machine is no target")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
