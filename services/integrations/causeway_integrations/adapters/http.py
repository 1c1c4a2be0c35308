"""One HTTP POST to the outside: addresses checked and pinned, no redirects, no proxy variables, no cookies, bounded answer and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
)
from aiohttp.abc import AbstractResolver
from yarl import URL

from causeway_common.telemetry import Kind, current_traceparent, names, span
from causeway_integrations.adapters.resolver import AddressRefusedError, CheckedResolver
from causeway_integrations.domain.addresses import is_literal, is_public
from causeway_integrations.domain.document import Document
from causeway_integrations.domain.webhook import AddressRefused, Answer, Answered, NotReached

ANSWER_MAX_BYTES: Final = 1024
"""So much of an answer is read; the connection is closed on the rest."""


class HttpPoster:
    """`ports.Poster` over aiohttp.

    Args:
        timeout_s: for the whole request, its answer included.
        allowed: host names and literal addresses (lower case) that may lead anywhere.
        connections: open at once.
        user_agent: what the requests call themselves.
    """

    def __init__(self, *, timeout_s: float, allowed: frozenset[str], connections: int, user_agent: str) -> None:
        self._timeout = ClientTimeout(total=timeout_s)
        self._allowed, self._connections, self._user_agent = allowed, connections, user_agent
        self._session: ClientSession | None = None

    async def start(self, resolver: AbstractResolver | None = None) -> None:
        """Open the session; `resolver` asks the name servers (the system's by default)."""
        checked = CheckedResolver(resolver or ThreadedResolver(), self._allowed)
        self._session = ClientSession(
            connector=TCPConnector(resolver=checked, use_dns_cache=False, limit=self._connections),
            timeout=self._timeout,
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": self._user_agent},
            trust_env=False,
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As the port says; the request carries the `traceparent` of its own client span.

        The span tells the URL's origin alone: paths and queries of webhooks often hold secrets.
        """
        where = URL(url)
        host = (where.host or "").lower()
        attributes = {names.HTTP_METHOD: "POST", names.SERVER_ADDRESS: host, names.URL_FULL: str(where.origin())}
        with span(names.SPAN_HTTP_CLIENT, kind=Kind.CLIENT, attributes=attributes) as started:
            if is_literal(host) and host not in self._allowed and not is_public(host):
                answer: Answer = AddressRefused(f"the address {host} is not public")
            else:
                answer = await self._sent(where, headers, body)
            match answer:
                case Answered(status):
                    started.set_attribute(names.HTTP_STATUS, status)
                case NotReached() | AddressRefused():
                    started.set_attribute(names.ERROR_TYPE, type(answer).__name__)
            return answer

    async def get(self, url: str, max_bytes: int) -> Document | NotReached | AddressRefused:
        """A document of at most `max_bytes`; every failure is an answer, nothing is raised."""
        where = URL(url)
        host = (where.host or "").lower()
        attributes = {names.HTTP_METHOD: "GET", names.SERVER_ADDRESS: host, names.URL_FULL: str(where.origin())}
        with span(names.SPAN_HTTP_CLIENT, kind=Kind.CLIENT, attributes=attributes):
            if is_literal(host) and host not in self._allowed and not is_public(host):
                return AddressRefused(f"the address {host} is not public")
            if self._session is None:
                raise RuntimeError("the poster is not started")
            try:
                async with self._session.get(where, allow_redirects=False) as response:
                    body = await response.content.read(max_bytes + 1)
                    while len(body) <= max_bytes and (more := await response.content.read(max_bytes + 1 - len(body))):
                        body += more
                    return Document(response.status, body, response.headers.get("Cache-Control", ""))
            except (ClientError, TimeoutError, ValueError) as error:
                return _failure(where, error, self._timeout)

    async def _sent(self, url: URL, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._session is None:
            raise RuntimeError("the poster is not started")
        sent = dict(headers)
        if traceparent := current_traceparent():
            sent[names.TRACEPARENT] = traceparent
        try:
            async with self._session.post(url, data=body, headers=sent, allow_redirects=False) as response:
                return Answered(response.status, await _beginning(response))
        except (ClientError, TimeoutError, ValueError) as error:
            return _failure(url, error, self._timeout)


def _failure(url: URL, error: Exception, timeout: ClientTimeout) -> NotReached | AddressRefused:
    if isinstance(error, ClientConnectorDNSError):
        if isinstance(error.os_error, AddressRefusedError):
            return AddressRefused(str(error.os_error))
        return NotReached(f"{url.host} does not resolve: {error.os_error}")
    if isinstance(error, TimeoutError):
        return NotReached(f"no answer within {timeout.total} s")
    if isinstance(error, ClientConnectionError):
        return NotReached(f"no connection: {error}")
    return NotReached(f"no HTTP answer: {type(error).__name__}: {error}")


async def _beginning(response: ClientResponse) -> str:
    """What of the body came first. The status has decided already, so a body that breaks off changes nothing."""
    try:
        return (await response.content.read(ANSWER_MAX_BYTES)).decode("utf-8", "replace")
    except (ClientError, TimeoutError) as error:
        return f"(the body broke off: {type(error).__name__})"
