"""What may be called."""

from __future__ import annotations

import asyncio
import threading
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from services.notifier.egress import Guard, SystemResolver, UnsafeTarget, is_public
from services.notifier.limits import SUBSCRIPTIONS_PER_WORKSPACE_MAX

UNSAFE = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.255.254",
    "this host": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.1.2.3",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "carrier NAT": "100.64.0.1",
    "link local": "169.254.1.1",
    "cloud metadata": "169.254.169.254",
    "protocol assignments": "192.0.0.8",
    "NAT64 discovery": "192.0.0.170",
    "documentation": "203.0.113.5",
    "benchmarks": "198.18.0.1",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "global multicast": "233.252.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 loopback": "::1",
    "v6 unspecified": "::",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped public": "::ffff:8.8.8.8",
    "compatible loopback": "::127.0.0.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of a public address": "64:ff9b::808:808",
    "local NAT64": "64:ff9b:1::a00:1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of a public address": "2002:808:808::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "ISATAP of a private address": "2a00:1450:4001:80b:0:5efe:10.0.0.1",
    "ISATAP, universal bit": "2a00:1450:4001:80b:200:5efe:10.0.0.1",
    "v6 documentation": "2001:db8::1",
    "v6 new documentation": "3fff::1",
    "unique local": "fd00::1",
    "v6 cloud metadata": "fd00:ec2::254",
    "v6 link local": "fe80::1",
    "v6 link local with a zone": "fe80::1%eth0",
    "a zone on a public address": "2606:4700::1%eth0",
    "site local": "fec0::1",
    "v6 multicast": "ff02::1",
    "v6 global multicast": "ff0e::1",
    "v6 discard": "100::1",
    "segment routing": "5f00::1",
    "unassigned": "4000::1",
}


@pytest.mark.parametrize(("name", "address"), UNSAFE.items())
def test_an_unsafe_address_is_refused(name: str, address: str) -> None:
    assert not is_public(ip_address(address)), name
    with pytest.raises(UnsafeTarget):
        Guard().check([ip_address("93.184.215.14"), ip_address(address)])


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2001:4860::8888"])
def test_an_ordinary_address_may_be_called(address: str) -> None:
    Guard().check([ip_address(address)])


def test_no_address_at_all_is_no_permission() -> None:
    with pytest.raises(UnsafeTarget):
        Guard().check([])


def test_allowed_networks_may_be_called_although_internal_and_nothing_beside_them() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("::1/128")])
    guard.check([ip_address("10.1.2.3"), ip_address("::1")])
    for outside in ("10.2.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::"):
        with pytest.raises(UnsafeTarget):
            guard.check([ip_address(outside)])


GOOD_URLS = [
    "https://example.com/hook",
    "https://example.com",
    "https://sub.example.com:8443/a/b?c=d",
    "https://xn--mnchen-3ya.example/",
    "https://93.184.215.14/hook",
    "https://[2606:4700:4700::1111]/hook",
    "http://10.1.2.3/hook",
    "http://10.1.2.3:25/hook",
]
BAD_URLS = {
    "plain http": "http://example.com/hook",
    "plain http to an address outside": "http://93.184.215.14/",
    "a name is no literal address": "http://localhost/",
    "internal": "https://127.0.0.1/",
    "internal, v6": "https://[::1]/",
    "mapped": "https://[::ffff:10.1.2.3]/",
    "zone": "https://[fe80::1%25eth0]/",
    "user": "https://user@example.com/",
    "user and password": "https://user:pass@example.com/",
    "empty user": "https://@example.com/",
    "fragment": "https://example.com/#x",
    "empty fragment": "https://example.com/#",
    "no host": "https:///hook",
    "no scheme": "example.com/hook",
    "another scheme": "ftp://example.com/",
    "file": "file:///etc/passwd",
    "socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "mail": "https://example.com:25/",
    "ssh": "https://example.com:22/",
    "port 0": "https://example.com:0/",
    "port 0 inside": "http://10.1.2.3:0/",
    "port beyond": "https://example.com:65536/",
    "port word": "https://example.com:https/",
    "CR LF": "https://example.com/\r\nX-Evil: 1",
    "LF in the host": "https://exa\nmple.com/",
    "tab": "https://example.com/\ta",
    "space": "https://example.com/a b",
    "NUL": "https://example.com/\x00",
    "no ASCII": "https://exämple.com/",
    "fullwidth": "https://example。com/",
    "backslash": "https://example.com\\@10.1.2.3/",
    "half a bracket": "https://[::1/",
    "empty label": "https://example..com/",
    "percent in the host": "https://127%2e0.0.1/",
    "long": "https://example.com/" + "a" * 2_048,
}


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_good_url(url: str) -> None:
    Guard([ip_network("10.1.0.0/16")]).check_url(url)


@pytest.mark.parametrize(("name", "url"), BAD_URLS.items())
def test_a_bad_url(name: str, url: str) -> None:
    with pytest.raises(UnsafeTarget):
        Guard([ip_network("10.1.0.0/16")]).check_url(url)


async def test_the_slow_names_of_one_workspace_delay_nobody_elses() -> None:
    answers = threading.Event()

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host.startswith("slow"):
            answers.wait()
        return [(0, 0, 0, "", ("93.184.215.14", 0))]

    resolve = SystemResolver(look_up)
    slow = [asyncio.create_task(resolve(f"slow{n}", 443)) for n in range(SUBSCRIPTIONS_PER_WORKSPACE_MAX)]
    try:
        assert await asyncio.wait_for(resolve("quick", 443), 10) == [ip_address("93.184.215.14")]
    finally:
        answers.set()
        await asyncio.gather(*slow)
        resolve.close()
