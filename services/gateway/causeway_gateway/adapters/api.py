"""The server API over HTTP: keys, bodies, statuses (reference/centrifuge-protocol.md, section 17). What a method does is the API's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from aiohttp import web

from causeway_common.telemetry import get_logger
from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.bodies import read_body
from causeway_gateway.adapters.head import refusal
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.domain.keyring import STREAMS

log = get_logger("gateway.api")
BODY_MAX_BYTES: Final = 1024 * 1024
STREAMS_MAX: Final = 64
STREAM_HEADERS: Final = {
    "Content-Type": "application/x-ndjson",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",
}
ERROR_MODE: Final = "X-Centrifugo-Error-Mode"


class Answer(Protocol):
    """A JSON document and its HTTP status."""

    @property
    def body(self) -> bytes:
        """The document."""
        ...

    @property
    def status(self) -> int:
        """200 unless errors are to be told by the transport."""
        ...


@runtime_checkable
class Lines(Protocol):
    """Lines that go on."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Each with its end of line."""
        ...

    async def aclose(self) -> None:
        """Nobody listens any more; to be called in any case."""
        ...


class Api(Protocol):
    """The server API as its transport sees it. `caller` is what the `KeyRing` gave."""

    async def handle(self, method: str, body: bytes, caller: Any, *, transport_errors: bool, operation: bool = False) -> Answer:
        """The answer to a request, errors of the table included; with `operation` it is an operator's.

        Raises:
            LookupError: no such method.
            ValueError: the body cannot be decoded.
        """
        ...

    async def open(self, method: str, body: bytes, caller: Any) -> Answer | Lines:
        """What goes on, which whoever takes it closes; or the answer that says why there are none.

        Raises:
            LookupError: no such stream.
            ValueError: the body cannot be decoded.
        """
        ...

    def openapi(self) -> bytes:
        """The OpenAPI document."""
        ...


class KeyRing(Protocol):
    """The API keys."""

    def authorize(self, key: str) -> Any | None:
        """Who has this key, in a time that does not depend on it; None: nobody."""
        ...


class Calls:
    """Answers the requests of who was let in, with one document or with lines that go on.

    Args:
        api: answers.
        body_seconds: for a request's body.
    """

    def __init__(self, api: Api, body_seconds: float) -> None:
        self._api, self._seconds = api, body_seconds
        self._streams = 0

    async def answer(self, request: web.Request, caller: Any, *, operation: bool, streams: bool = False) -> web.StreamResponse:
        """The response. `streams`: it may be one that goes on. Raises Refused."""
        method = request.match_info["method"]
        body = await read_body(request, BODY_MAX_BYTES, self._seconds)
        by_transport = request.headers.get(ERROR_MODE, "").lower() == "transport"
        if streams and self._streams >= STREAMS_MAX:
            raise Refused(503, f"{STREAMS_MAX} streams are open already", {"Retry-After": "5"})
        try:
            if streams:
                opened = await self._api.open(method, body, caller)
                return await self._stream(request, opened) if isinstance(opened, Lines) else _document(opened)
            answer = await self._api.handle(method, body, caller, transport_errors=by_transport, operation=operation)
        except LookupError as error:
            raise Refused(404, "no such method") from error
        except ValueError as error:
            raise Refused(400, f"the body cannot be decoded: {error}") from error
        return _document(answer)

    async def _stream(self, request: web.Request, lines: Lines) -> web.StreamResponse:
        """Each line as soon as it is there; the connection ends with the last one."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        response.force_close()
        self._streams += 1
        try:
            await response.prepare(request)
            async for line in lines:
                await response.write(line)
            await response.write_eof()
        except ConnectionError:
            log.debug("whoever read a stream has left")
        finally:
            self._streams -= 1
            await lines.aclose()
        return response


class ApiEndpoint:
    """`POST /api/{method}`, for operators `POST /ops/{operation}`, and `GET /api/openapi.json`.

    Args:
        api: answers; None: the server API is off.
        keys: who may ask.
        body_seconds: for a request's body.
        leaving: whether connections are to be closed after the answer.
    """

    def __init__(self, api: Api | None, keys: KeyRing, body_seconds: float, leaving: Callable[[], bool]) -> None:
        self._api, self._keys, self._leaving = api, keys, leaving
        self._calls = Calls(api, body_seconds) if api is not None else None

    def add_to(self, app: web.Application) -> None:
        """Serve it there."""
        app.router.add_get("/api/openapi.json", self._document)
        app.router.add_post("/api/{method}", self._call)
        for name in sorted(STREAMS):
            app.router.add_post(f"/ops/{{method:{re.escape(name)}}}", partial(self._call, operation=True, streams=True))
        app.router.add_post("/ops/{method}", partial(self._call, operation=True))

    async def _call(self, request: web.Request, *, operation: bool = False, streams: bool = False) -> web.StreamResponse:
        response: web.StreamResponse
        try:
            response = await self._answer(request, operation=operation, streams=streams)
        except Refused as refused:
            response = refusal(refused)
        if self._leaving():  # who keeps connections open moves on with the next one, not in the middle of a request
            response.force_close()
        return response

    async def _answer(self, request: web.Request, *, operation: bool, streams: bool) -> web.StreamResponse:
        if self._calls is None:
            raise OFF
        caller = self._keys.authorize(_key_of(request))
        if caller is None:
            metrics.refused.add(1, "api_key")
            return web.Response(status=401)
        return await self._calls.answer(request, caller, operation=operation, streams=streams)

    async def _document(self, _request: web.Request) -> web.Response:
        if self._api is None:
            return refusal(OFF)
        return web.Response(body=self._api.openapi(), content_type="application/json")


OFF: Final = Refused(404, "the server API is off: set http_api.key")


def _document(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type="application/json")


def _key_of(request: web.Request) -> str:
    """`X-API-Key`; where it is absent `Authorization: apikey <key>`; otherwise `?api_key=`."""
    if (key := request.headers.get("X-API-Key")) is not None:
        return key
    if (authorization := request.headers.get("Authorization")) is not None:
        scheme, _, key = authorization.partition(" ")
        return key.strip() if scheme.lower() == "apikey" else ""
    return request.query.get("api_key", "")
