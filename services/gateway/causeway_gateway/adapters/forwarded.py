"""Where a client really comes from: X-Forwarded-For and the PROXY protocol, believed from configured proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple

from causeway_gateway.adapters import metrics

_V1: Final = b"PROXY "
_V1_MAX: Final = 107
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEAD: Final = 16
_V2_MAX: Final = 4096
_ADDRESS_BYTES: Final = {0x1: 4, 0x2: 16}


class Proxies:
    """The proxies whose word is taken.

    Args:
        trusted: their addresses as CIDRs.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in trusted]

    def trusts(self, address: str) -> bool:
        """Whether this is one of them."""
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(plain(address))
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The client's address.

        Args:
            peer: who opened the connection.
            forwarded: every X-Forwarded-For header. Each proxy appends whom it saw: read from the right for as long as the one who
                says it is trusted, the first that is not trusted is the client. What a client itself wrote stands left of that.
        """
        address = plain(peer)
        if not forwarded:
            return address
        if not self.trusts(address):
            metrics.unbelieved.add(1, "x-forwarded-for")
            return address
        chain = [part.strip() for part in ",".join(forwarded).split(",")]
        while chain and self.trusts(address):
            try:
                address = str(ipaddress.ip_address(plain(_without_port(chain.pop()))))
            except ValueError:
                break
        return address


def plain(address: str) -> str:
    """Without the zone; an IPv4 address in IPv6 clothes as IPv4."""
    if ":" not in address:
        return address
    address = address.partition("%")[0]
    return address[7:] if address.lower().startswith("::ffff:") and "." in address else address


def _without_port(text: str) -> str:
    """Some proxies write `address:port` or `[address]:port`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


class ProxyHeader(NamedTuple):
    """What a PROXY protocol header says. `address` is "" where the proxy speaks for itself (health checks)."""

    address: str
    size: int


def may_claim(data: bytes) -> bool:
    """Whether the start of a connection may still become a PROXY protocol header of version 2, which begins as blank lines do."""
    return len(data) < len(_V2) and _V2.startswith(data)


def claims(data: bytes) -> bool:
    """Whether a connection starts with a PROXY protocol header."""
    return data.startswith((_V1, _V2))


def proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the start of a connection, version 1 or 2; None: more bytes are needed.

    Raises:
        ValueError: there is none.
    """
    if data.startswith(_V2[: len(data)]):
        return _version_2(data)
    if data.startswith(_V1[: len(data)]):
        return _version_1(data)
    raise ValueError("no PROXY protocol header")


def _version_1(data: bytes) -> ProxyHeader | None:
    line, found, _ = data[:_V1_MAX].partition(b"\r\n")
    if not found:
        if len(data) >= _V1_MAX:
            raise ValueError("the PROXY protocol header does not end")
        return None
    size = len(line) + 2
    words = line.decode("ascii", "replace").split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader("", size)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ValueError("not a PROXY protocol header")
    return ProxyHeader(plain(str(ipaddress.ip_address(words[2]))), size)


def _version_2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_HEAD:
        return None
    version, command = data[12] >> 4, data[12] & 0x0F
    length = int.from_bytes(data[14:16])
    if version != 2 or command > 1 or length > _V2_MAX:
        raise ValueError("not a PROXY protocol header of version 2")
    size = _V2_HEAD + length
    if len(data) < size:
        return None
    wide = _ADDRESS_BYTES.get(data[13] >> 4, 0)
    if command == 0 or not wide:
        return ProxyHeader("", size)
    if length < 2 * wide + 4:
        raise ValueError("the PROXY protocol header is too short for its addresses")
    return ProxyHeader(plain(str(ipaddress.ip_address(data[_V2_HEAD : _V2_HEAD + wide]))), size)
