"""The methods of the server API, and what they all have in common: rights, deadline, span, counter, errors by the table."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.ids import IDEMPOTENCY_KEY_MAX_CHARS, key_id
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import Kind, get_logger, names, span
from causeway_gateway.domain.keyring import OPERATIONS, ApiCaller
from causeway_gateway.domain.namespaces import Catalogue, Rule
from causeway_gateway.domain.protocol import HistoryRequest, Raw, client_info
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import bodies as b
from causeway_gateway.handlers.api.answers import ApiAnswer, Row, answer_of, failed, permit, permit_channel, readable
from causeway_gateway.handlers.api.auditing import Auditor
from causeway_gateway.handlers.api.openapi import document
from causeway_gateway.handlers.api.streaming import Streams
from causeway_gateway.handlers.api.users import UserMethods
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.ports import Keys, Storage

log = get_logger("gateway.api")

HISTORY_MAX_BYTES: Final = 8 * 1024 * 1024
HISTORY_MAX: Final = 1_000_000
COMMANDS_MAX: Final = 10_000
AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the type of its request, what it answers with, what it does."""

    request: type[b.Body]
    result: type[b.Body]
    run: Callable[[Any, ApiCaller, Deadline], Awaitable[b.Body]]
    decoder: msgspec.json.Decoder[Any]


_encoder: Final = msgspec.json.Encoder()
_batch: Final = msgspec.json.Decoder(b.BatchRequest)


class ServerApi:
    """Answers API requests.

    Args:
        catalogue: the namespaces.
        publisher: publishes.
        reader: reads logs.
        storage: removes logs.
        keys: idempotency keys of channels without history.
        cluster: all gateways.
        users: the methods about connections.
        operations: what operators call, by name.
        streams: likewise, what goes on.
        auditor: keeps audit records.
        new_id: makes random ids.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        publisher: Publisher,
        reader: Reader,
        storage: Storage,
        keys: Keys,
        cluster: Cluster,
        users: UserMethods,
        operations: Mapping[str, Row],
        streams: Streams,
        auditor: Auditor,
        new_id: Callable[[], str],
    ) -> None:
        self._catalogue, self._publisher, self._reader, self._storage = catalogue, publisher, reader, storage
        self._keys, self._cluster, self._auditor, self._new_id = keys, cluster, auditor, new_id
        self._streams, self.open = streams, streams.open
        table: dict[str, Row] = {
            "publish": (b.PublishRequest, b.PublishResult, self._publish),
            "broadcast": (b.BroadcastRequest, b.BroadcastResult, self._broadcast),
            "subscribe": (b.SubscribeRequest, b.Empty, users.subscribe),
            "unsubscribe": (b.UnsubscribeRequest, b.Empty, users.unsubscribe),
            "disconnect": (b.DisconnectRequest, b.Empty, users.disconnect),
            "refresh": (b.RefreshRequest, b.Empty, users.refresh),
            "revoke": (b.RevokeRequest, b.Empty, users.revoke),
            "rpc": (b.RpcRequest, b.RpcResult, users.rpc),
            "presence": (b.ChannelRequest, b.PresenceResult, self._presence),
            "presence_stats": (b.ChannelRequest, b.PresenceStatsResult, self._presence_stats),
            "history": (b.HistoryRequest, b.HistoryResult, self._history),
            "history_remove": (b.ChannelRequest, b.Empty, self._history_remove),
            "channels": (b.ChannelsRequest, b.ChannelsResult, self._channels),
            "info": (b.InfoRequest, b.InfoResult, self._info),
            **operations,
        }
        self._methods = {
            name: Method(request, result, run, msgspec.json.Decoder(request)) for name, (request, result, run) in table.items()
        }

    def openapi(self) -> bytes:
        """The OpenAPI document of what is answered here."""
        methods = {name: (method.request, method.result) for name, method in self._methods.items()}
        return document(methods, self._streams.requests)

    async def handle(
        self, method: str, body: bytes, caller: ApiCaller, *, transport_errors: bool, operation: bool = False
    ) -> ApiAnswer:
        """The answer to a request.

        Args:
            method: what stands behind `/api/`, or behind `/ops/`.
            body: its JSON body.
            caller: who asks.
            transport_errors: errors become HTTP statuses, with the bare error object as body.
            operation: it is an operator's (`/ops/`).

        Raises:
            LookupError: no such method.
            ValueError: the body cannot be decoded.
        """
        if method == "batch" and not operation:
            return ApiAnswer(await self._batch(body, caller))
        if (method in OPERATIONS) is not operation or method not in self._methods:
            raise LookupError(method)
        try:
            reply = await self._answer(method, body, caller)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            metrics.api_requests.add(1, "undecodable")
            raise ValueError(str(error)) from error
        return answer_of(reply, transport_errors=transport_errors)

    async def _answer(self, name: str, body: bytes, caller: ApiCaller) -> b.ApiReply:
        method = self._methods[name]
        try:
            with span(names.SPAN_API.format(method=name), kind=Kind.SERVER, attributes={names.HTTP_METHOD: "POST"}):
                request = method.decoder.decode(readable(body))
                async with self._auditor.around(name, request, caller):
                    permit(caller, name, request)
                    result = await method.run(request, caller, Deadline.after(CLIENT_COMMAND_SECONDS))
        except CausewayError as error:
            return failed(error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise
        except Exception:
            log.exception("an API request failed", method=name)
            return failed(CausewayError(ErrorName.INTERNAL))
        metrics.api_requests.add(1, "ok")
        return b.ApiReply(result=result)

    async def _batch(self, body: bytes, caller: ApiCaller) -> bytes:
        try:
            request = _batch.decode(readable(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if len(request.commands) > COMMANDS_MAX:
            raise ValueError(f"more than {COMMANDS_MAX} commands in one batch")
        if request.parallel:
            at_once = asyncio.Semaphore(AT_ONCE)

            async def bounded(command: dict[str, Raw]) -> dict[str, Any]:
                async with at_once:
                    return await self._command(command, caller)

            replies = await asyncio.gather(*map(bounded, request.commands))
        else:
            replies = [await self._command(command, caller) for command in request.commands]
        return _encoder.encode({"replies": replies})

    async def _command(self, command: dict[str, Raw], caller: ApiCaller) -> dict[str, Any]:
        name = next((name for name in command if name in self._methods and name not in OPERATIONS), "")
        if not name:
            return {"error": failed(CausewayError(ErrorName.METHOD_NOT_FOUND)).error}
        try:
            reply = await self._answer(name, bytes(command[name]), caller)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            reply = failed(bad_request(str(error)))
        return {"error": reply.error} if reply.error is not None else {name: reply.result}

    # --- publishing

    async def _publish(self, request: b.PublishRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        return await self._publish_one(request.channel, request, _data_of(request), deadline)

    async def _broadcast(self, request: b.BroadcastRequest, caller: ApiCaller, deadline: Deadline) -> b.Body:
        if not request.channels:
            raise bad_request("channels is empty")
        if len(request.channels) > COMMANDS_MAX:
            raise bad_request(f"more than {COMMANDS_MAX} channels")
        data = _data_of(request)
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(channel: str) -> b.ApiReply:
            async with at_once:
                try:
                    permit_channel(caller, channel)
                    return b.ApiReply(result=await self._publish_one(channel, request, data, deadline))
                except CausewayError as error:
                    return failed(error)

        return b.BroadcastResult(responses=list(await asyncio.gather(*map(one, request.channels))))

    async def _publish_one(self, channel: str, request: b.Publishing, data: bytes, deadline: Deadline) -> b.PublishResult:
        rule = self._catalogue.rule(channel)
        skip = bool(request.skip_history) and rule.spec.has_history
        if skip and request.version:
            raise bad_request("version counts in the history, which skip_history passes by")
        key = request.idempotency_key or ""
        if len(key) > IDEMPOTENCY_KEY_MAX_CHARS:
            raise bad_request(f"idempotency_key has more than {IDEMPOTENCY_KEY_MAX_CHARS} characters")
        if key and (skip or not rule.spec.has_history):
            self._publisher.check(channel, rule, data, request.tags)  # a key is not spent on what is refused
            if not await self._keys.claim(channel, key, deadline):
                return b.PublishResult()  # as the first time
        position = await self._publisher.publish(
            channel,
            rule,
            data,
            message_id=key_id(key or self._new_id()),
            deadline=deadline,
            tags=request.tags or None,
            delta=bool(request.delta),
            version=request.version or 0,
            version_epoch=request.version_epoch or "",
            skip_history=skip,
        )
        return b.PublishResult() if position is None else b.PublishResult(offset=position.offset, epoch=position.epoch)

    # --- reading

    async def _presence(self, request: b.ChannelRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        self._with_presence(request.channel)
        found = await self._cluster.presence(request.channel, deadline)
        return b.PresenceResult(presence={client: client_info(info) for client, info in found.items()})

    async def _presence_stats(self, request: b.ChannelRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        self._with_presence(request.channel)
        clients, users = await self._cluster.presence_stats(request.channel, deadline)
        return b.PresenceStatsResult(num_clients=clients, num_users=users)

    async def _history(self, request: b.HistoryRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        self._with_history(request.channel)
        reverse = bool(request.reverse)
        if reverse and request.since is not None and request.since.offset == 0:
            raise bad_request("since.offset is 0 in a reverse request")
        asked = request.limit or 0
        limit = HISTORY_MAX if asked < 0 else min(asked, HISTORY_MAX)
        query = HistoryRequest(channel=request.channel, since=request.since, reverse=reverse)
        page, cut = await self._reader.page(request.channel, query, limit, HISTORY_MAX_BYTES, deadline=deadline)
        if cut:
            raise CausewayError(ErrorName.LIMIT_EXCEEDED, f"limit exceeded: more than {HISTORY_MAX_BYTES} bytes, ask with a limit")
        return b.HistoryResult(publications=page.publications, epoch=page.epoch, offset=page.offset)

    async def _history_remove(self, request: b.ChannelRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        self._with_history(request.channel)
        await self._storage.remove(request.channel, deadline)
        return b.Empty()

    async def _channels(self, request: b.ChannelsRequest, caller: ApiCaller, deadline: Deadline) -> b.Body:
        found = await self._cluster.channels(request.pattern or "", deadline)
        return b.ChannelsResult(
            channels={name: b.ChannelInfo(num_clients=count) for name, count in found.items() if caller.may_use(name)}
        )

    async def _info(self, _request: b.InfoRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        fields = b.Node.__struct_fields__[:-1]
        nodes = [
            b.Node(**{name: getattr(node, name) for name in fields}, process=b.Process(cpu=node.cpu, rss=node.rss))
            for node in await self._cluster.info(deadline)
        ]
        return b.InfoResult(nodes=nodes, storage=self._cluster.database)

    def _with_presence(self, channel: str) -> Rule:
        rule = self._catalogue.rule(channel)
        if not rule.spec.presence:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        return rule

    def _with_history(self, channel: str) -> Rule:
        rule = self._catalogue.rule(channel)
        if not rule.spec.has_history:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        return rule


def _data_of(request: b.Publishing) -> bytes:
    if request.b64data:
        try:
            return base64.b64decode(request.b64data, validate=True)
        except ValueError as error:
            raise bad_request("b64data is no base64") from error
    if request.data is msgspec.UNSET:
        raise bad_request("data is missing")
    return json_value(bytes(request.data))
