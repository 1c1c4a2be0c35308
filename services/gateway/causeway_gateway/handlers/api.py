"""The server API (reference/centrifuge-protocol.md, section 17): `publish` and `history`, JSON in and out.

Transport and keys are the adapter's. What an option asks for and this gateway does not do is an error that names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.ids import IDEMPOTENCY_KEY_MAX_CHARS, key_id
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import Kind, get_logger, names, span
from causeway_gateway.domain.frames.json import replace_lone_surrogates
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import HistoryRequest, HistoryResult, Raw, StreamPosition
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader

log = get_logger("gateway.api")

HISTORY_MAX_BYTES: Final = 8 * 1024 * 1024
HISTORY_MAX: Final = 1_000_000


class PublishBody(msgspec.Struct, frozen=True):
    """`POST /api/publish`. The fields from `b64data` on are known and not done here."""

    channel: str = ""
    data: Raw | msgspec.UnsetType = msgspec.UNSET
    tags: dict[str, str] | None = None
    idempotency_key: str | None = None
    b64data: str | None = None
    skip_history: bool | None = None
    delta: bool | None = None
    version: int | None = None
    version_epoch: str | None = None


class HistoryBody(msgspec.Struct, frozen=True):
    """`POST /api/history`."""

    channel: str = ""
    limit: int | None = None
    since: StreamPosition | None = None
    reverse: bool | None = None


class ApiError(msgspec.Struct, frozen=True):
    """The server API's error object."""

    code: int
    message: str
    temporary: bool


class ApiReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The envelope of every answer."""

    error: ApiError | None = None
    result: StreamPosition | HistoryResult | None = None


_encoder: Final = msgspec.json.Encoder()
_publish_body: Final = msgspec.json.Decoder(PublishBody)
_history_body: Final = msgspec.json.Decoder(HistoryBody)
_NOT_DONE: Final = ("b64data", "skip_history", "delta", "version", "version_epoch")


class ServerApi:
    """Answers API requests.

    Args:
        catalogue: the namespaces.
        publisher: publishes.
        reader: reads logs.
        new_id: makes random ids.
    """

    def __init__(self, catalogue: Catalogue, publisher: Publisher, reader: Reader, new_id: Callable[[], str]) -> None:
        self._catalogue, self._publisher, self._reader, self._new_id = catalogue, publisher, reader, new_id
        self._methods: dict[str, Callable[[bytes, Deadline], Awaitable[StreamPosition | HistoryResult]]] = {
            "publish": self._publish,
            "history": self._history,
        }

    async def handle(self, method: str, body: bytes) -> bytes:
        """The JSON answer to a request.

        Args:
            method: what stands behind `/api/`.
            body: its JSON body.

        Raises:
            LookupError: no such method.
            ValueError: the body cannot be decoded.
        """
        run = self._methods.get(method)
        if run is None:
            raise LookupError(method)
        try:
            with span(names.SPAN_API.format(method=method), kind=Kind.SERVER, attributes={names.HTTP_METHOD: "POST"}):
                result = await run(body, Deadline.after(CLIENT_COMMAND_SECONDS))
        except CausewayError as error:
            return self._failed(error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            metrics.api_requests.add(1, "undecodable")
            raise ValueError(str(error)) from error
        except Exception:
            log.exception("an API request failed", method=method)
            return self._failed(CausewayError(ErrorName.INTERNAL))
        metrics.api_requests.add(1, "ok")
        return _encoder.encode(ApiReply(result=result))

    def _failed(self, error: CausewayError) -> bytes:
        metrics.api_requests.add(1, error.name.value)
        return _encoder.encode(ApiReply(error=ApiError(error.code, error.message, error.temporary)))

    async def _publish(self, body: bytes, deadline: Deadline) -> StreamPosition:
        request = _publish_body.decode(_readable(body))
        if missing := [name for name in _NOT_DONE if getattr(request, name)]:
            raise CausewayError(ErrorName.NOT_AVAILABLE, f"not available: {', '.join(missing)}")
        if request.data is msgspec.UNSET:
            raise bad_request("data is missing")
        key = request.idempotency_key or ""
        if len(key) > IDEMPOTENCY_KEY_MAX_CHARS:
            raise bad_request(f"idempotency_key has more than {IDEMPOTENCY_KEY_MAX_CHARS} characters")
        position = await self._publisher.publish(
            request.channel,
            self._catalogue.rule(request.channel),
            bytes(request.data),
            message_id=key_id(key or self._new_id()),
            deadline=deadline,
            tags=request.tags or None,
        )
        return position or StreamPosition()

    async def _history(self, body: bytes, deadline: Deadline) -> HistoryResult:
        request = _history_body.decode(_readable(body))
        if not self._catalogue.rule(request.channel).spec.has_history:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        reverse = bool(request.reverse)
        if reverse and request.since is not None and request.since.offset == 0:
            raise bad_request("since.offset is 0 in a reverse request")
        asked = request.limit or 0
        limit = HISTORY_MAX if asked < 0 else min(asked, HISTORY_MAX)
        query = HistoryRequest(channel=request.channel, since=request.since, reverse=reverse)
        page, cut = await self._reader.page(request.channel, query, limit, HISTORY_MAX_BYTES, deadline=deadline)
        if cut:
            raise CausewayError(ErrorName.LIMIT_EXCEEDED, f"limit exceeded: more than {HISTORY_MAX_BYTES} bytes, ask with a limit")
        return page


def _readable(body: bytes) -> bytes:
    """The body, checked to be UTF-8 and without halves of surrogate pairs, which the decoder refuses."""
    body.decode()
    return replace_lone_surrogates(body) if b"\\ud" in body.lower() else body
