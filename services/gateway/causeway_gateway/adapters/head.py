"""The head of an HTTP request, as far as transports look at it, whoever parsed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDictProxy

from causeway_gateway.adapters.limits import Refused


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body.

    Attributes:
        path: without the query.
        query: names to values.
        headers: its headers.
        address: the client's, behind the proxies that are believed.
    """

    path: str
    query: Mapping[str, str]
    headers: CIMultiDictProxy[str]
    address: str

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get("Host", "")


def head_of(request: web.Request, address: str) -> Head:
    """The head of a request that aiohttp serves."""
    return Head(request.path, request.query, request.headers, address)


def refusal(refused: Refused, allowed: Mapping[str, str] | None = None) -> web.Response:
    """As aiohttp answers it; `allowed` are the CORS headers, without which a page is not shown the status."""
    return web.Response(status=refused.status, text=f"{refused.reason}\n", headers={**refused.headers, **(allowed or {})})


def raw_refusal(refused: Refused) -> bytes:
    """The same on the wire; the connection ends with it."""
    body = f"{refused.reason}\n".encode()
    lines = [
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in refused.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
