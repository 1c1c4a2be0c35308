"""Which addresses a request may go to: the public ones, and no way around by writing one inside another (SSRF).

After the IANA special-purpose registries (RFC 6890 and its updates).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
# Newer than Python 3.11's tables, or public by them though nothing public is behind.
_REFUSED_V6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# The last one is public by every registry, and within Azure the address of the host's own services, its credentials among them.
_REFUSED_V4: Final = tuple(map(ip_network, ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
# The IPv4 address is in the low 32 bits: IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052).
_EMBEDDED_LOW: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))


def is_public(address: str) -> bool:
    """Whether `address` (a numeric IPv4 or IPv6 address) is a public one.

    An IPv6 address that carries an IPv4 address is judged by it. What is no address is not public.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _embedded(found)
        if inner is None:
            return found in _GLOBAL_UNICAST_V6 and not any(found in network for network in _REFUSED_V6)
        found = inner
    return found.is_global and not found.is_multicast and not any(found in network for network in _REFUSED_V4)


def is_literal(host: str) -> bool:
    """Whether the host of a URL is an address and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _EMBEDDED_LOW):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return None
