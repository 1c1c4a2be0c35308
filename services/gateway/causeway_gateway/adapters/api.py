"""The server API over HTTP: keys, bodies, statuses (reference/centrifuge-protocol.md, section 17). What a method does is the API's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from aiohttp import web

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.bodies import read_body
from causeway_gateway.adapters.head import refusal
from causeway_gateway.adapters.limits import Refused

BODY_MAX_BYTES: Final = 1024 * 1024
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


class Api(Protocol):
    """The server API as its transport sees it. `caller` is what the `KeyRing` gave."""

    async def handle(self, method: str, body: bytes, caller: Any, *, transport_errors: bool, operation: bool = False) -> Answer:
        """The answer to a request, errors of the table included; with `operation` it is an operator's.

        Raises:
            LookupError: no such method.
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


class ApiEndpoint:
    """`POST /api/{method}`, for operators `POST /ops/{operation}`, and `GET /api/openapi.json`.

    Args:
        api: answers; None: the server API is off.
        keys: who may ask.
        body_seconds: for a request's body.
        leaving: whether connections are to be closed after the answer.
    """

    def __init__(self, api: Api | None, keys: KeyRing, body_seconds: float, leaving: Callable[[], bool]) -> None:
        self._api, self._keys, self._seconds, self._leaving = api, keys, body_seconds, leaving

    def add_to(self, app: web.Application) -> None:
        """Serve it there."""
        app.router.add_get("/api/openapi.json", self._document)
        app.router.add_post("/api/{method}", self._call)
        app.router.add_post("/ops/{method}", partial(self._call, operation=True))

    async def _call(self, request: web.Request, *, operation: bool = False) -> web.Response:
        try:
            response = await self._answer(request, operation=operation)
        except Refused as refused:
            response = refusal(refused)
        if self._leaving():  # who keeps connections open moves on with the next one, not in the middle of a request
            response.force_close()
        return response

    async def _answer(self, request: web.Request, *, operation: bool) -> web.Response:
        api = self._on()
        caller = self._keys.authorize(_key_of(request))
        if caller is None:
            metrics.refused.add(1, "api_key")
            return web.Response(status=401)
        body = await read_body(request, BODY_MAX_BYTES, self._seconds)
        by_transport = request.headers.get(ERROR_MODE, "").lower() == "transport"
        try:
            answer = await api.handle(
                request.match_info["method"], body, caller, transport_errors=by_transport, operation=operation
            )
        except LookupError as error:
            raise Refused(404, "no such method") from error
        except ValueError as error:
            raise Refused(400, f"the body cannot be decoded: {error}") from error
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    async def _document(self, _request: web.Request) -> web.Response:
        try:
            return web.Response(body=self._on().openapi(), content_type="application/json")
        except Refused as refused:
            return refusal(refused)

    def _on(self) -> Api:
        if self._api is None:
            raise Refused(404, "the server API is off: set http_api.key")
        return self._api


def _key_of(request: web.Request) -> str:
    """`X-API-Key`; where it is absent `Authorization: apikey <key>`; otherwise `?api_key=`."""
    if (key := request.headers.get("X-API-Key")) is not None:
        return key
    if (authorization := request.headers.get("Authorization")) is not None:
        scheme, _, key = authorization.partition(" ")
        return key.strip() if scheme.lower() == "apikey" else ""
    return request.query.get("api_key", "")
