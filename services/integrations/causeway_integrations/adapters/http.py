"""One HTTP request to the outside: addresses checked and pinned, no redirects, no proxy variables, no cookies, bounded answer and time."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientError,
    ClientHandlerType,
    ClientRequest,
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
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached, Outgoing

HEADERS_MAX_BYTES: Final = 16 * 1024


class OutsideHttp:
    """`ports.Outside` and `ports.Getter` over aiohttp.

    Args:
        timeout_s: for the whole request, its answer included, unless the request says less or more.
        allowed: host names and literal addresses (lower case) that may lead anywhere.
        connections: open at once.
        user_agent: what the requests call themselves.
    """

    def __init__(self, *, timeout_s: float, allowed: frozenset[str], connections: int, user_agent: str) -> None:
        self._timeout_s = timeout_s
        self._allowed, self._connections, self._user_agent = allowed, connections, user_agent
        self._session: ClientSession | None = None

    async def start(self, resolver: AbstractResolver | None = None) -> None:
        """Open the session; `resolver` asks the name servers (the system's by default)."""
        self._session = open_session(
            allowed=self._allowed, connections=self._connections, user_agent=self._user_agent, resolver=resolver
        )

    async def stop(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, max_bytes: int) -> Document | NotReached | AddressRefused:
        """As the port says."""
        answer = await self.send(Outgoing("GET", url, max_bytes=max_bytes))
        if isinstance(answer, Answered):
            return Document(answer.status, answer.body, answer.headers.get("cache-control", ""))
        return answer

    async def send(self, request: Outgoing) -> Answer:
        """As the port says; the request carries the `traceparent` of its own client span.

        The span tells the URL's origin alone: paths and queries often hold secrets.
        """
        where = URL(request.url)
        host = (where.host or "").lower()
        attributes = {names.HTTP_METHOD: request.method, names.SERVER_ADDRESS: host, names.URL_FULL: str(where.origin())}
        with span(names.SPAN_HTTP_CLIENT.format(method=request.method), kind=Kind.CLIENT, attributes=attributes) as started:
            if _is_refused(host, self._allowed):
                answer: Answer = AddressRefused(f"the address {host} is not public")
            else:
                answer = await self._sent(where, request)
            match answer:
                case Answered(status):
                    started.set_attribute(names.HTTP_STATUS, status)
                case NotReached() | AddressRefused():
                    started.set_attribute(names.ERROR_TYPE, type(answer).__name__)
            return answer

    async def _sent(self, url: URL, request: Outgoing) -> Answer:
        if self._session is None:
            raise RuntimeError("the HTTP client is not started")
        headers = dict(request.headers)
        if traceparent := current_traceparent():
            headers[names.TRACEPARENT] = traceparent
        seconds = self._timeout_s if request.timeout_s is None else request.timeout_s
        asked = self._session.request(
            request.method,
            url,
            data=request.body,
            headers=headers,
            allow_redirects=False,
            timeout=ClientTimeout(total=seconds),
        )
        try:
            async with asked as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                body, broken = await _beginning(response, request.max_bytes)
                return Answered(response.status, body, found, broken or len(body) > request.max_bytes)
        except (ClientError, TimeoutError, ValueError) as error:
            return _failure(url, error, seconds)


def open_session(
    *, allowed: frozenset[str], connections: int, user_agent: str, resolver: AbstractResolver | None = None
) -> ClientSession:
    """A session whose every connection goes to a checked address: a name is resolved and checked, a literal one is checked here."""

    async def check(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        host = (request.url.host or "").lower()
        if _is_refused(host, allowed):
            raise ClientConnectionError(f"the address {host} is not public")
        return await handler(request)

    checked = CheckedResolver(resolver or ThreadedResolver(), allowed)
    return ClientSession(
        connector=TCPConnector(resolver=checked, use_dns_cache=False, limit=connections),
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        trust_env=False,
        middlewares=(check,),
        auto_decompress=False,
        max_line_size=HEADERS_MAX_BYTES,
        max_field_size=HEADERS_MAX_BYTES,
    )


@lru_cache(maxsize=4096)
def _is_refused(host: str, allowed: frozenset[str]) -> bool:
    return is_literal(host) and host not in allowed and not is_public(host)


def _failure(url: URL, error: Exception, seconds: float) -> NotReached | AddressRefused:
    if isinstance(error, ClientConnectorDNSError):
        if isinstance(error.os_error, AddressRefusedError):
            return AddressRefused(str(error.os_error))
        return NotReached(f"{url.host} does not resolve: {error.os_error}")
    if isinstance(error, TimeoutError):
        return NotReached(f"no answer within {seconds:g} s")
    if isinstance(error, ClientConnectionError):
        return NotReached(f"no connection: {error}")
    return NotReached(f"no HTTP answer: {type(error).__name__}: {error}")


async def _beginning(response: ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """What of the body came first, one byte more than `max_bytes` at most, and whether it broke off: the status has decided already."""
    body = b""
    try:
        while len(body) <= max_bytes and (more := await response.content.read(max_bytes + 1 - len(body))):
            body += more
    except (ClientError, TimeoutError):
        return body, True
    return body, False
