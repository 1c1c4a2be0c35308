"""Which addresses a request may go to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_integrations.domain.addresses import is_literal, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "100.64.0.1",
        "100.127.255.255",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "no address",
        "127.1",
        "2130706433",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses_are_allowed_also_inside_others(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_writing_an_address_inside_another_changes_nothing(address: IPv4Address) -> None:
    number = int(address)
    inside = [IPv6Address(prefix | number) for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96)] + [
        IPv6Address((0x2002 << 112) | number << 80)
    ]

    assert {is_public(str(each)) for each in inside} == {is_public(str(address))}


def test_a_name_is_no_literal() -> None:
    assert [is_literal(host) for host in ("127.0.0.1", "::1", "fe80::1%eth0", "localhost", "127.1")] == [
        True,
        True,
        True,
        False,
        False,
    ]
