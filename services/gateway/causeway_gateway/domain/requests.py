"""From a command whose turn has come to the question it asks, or the error it gets (reference/centrifuge-protocol.md, sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.names import split_method
from causeway_gateway.domain import access
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import Ask, HistoryAsk, Pending, PublishAsk, RpcAsk, SubscribeAsk, Who
from causeway_gateway.domain.namespaces import Catalogue, Rule


@dataclass(frozen=True, slots=True)
class Caller:
    """The connection that asks: who it is, its subscriptions (channel to `chan_info`), how many more are being made."""

    who: Who
    subscriptions: Mapping[str, bytes | None]
    subscribing: int
    options: SessionOptions
    catalogue: Catalogue


def question(pending: Pending, caller: Caller) -> Ask:
    """The question that a subscribe, publish, history or rpc command asks.

    Raises:
        CausewayError: what the client is answered instead.
    """
    match pending.command:
        case p.Command(subscribe=p.SubscribeRequest() as request):
            return _subscribe(pending, request, caller)
        case p.Command(publish=p.PublishRequest() as request):
            return _publish(pending, request, caller)
        case p.Command(history=p.HistoryRequest() as request):
            return _history(pending, request, caller)
        case p.Command(rpc=p.RpcRequest(data=data, method=method)):
            app, name = split_method(method, caller.options.default_app or None)
            return RpcAsk(pending, caller.who, app, name, p.payload_bytes(data) or b"null")
        case _:
            raise AssertionError("only these four ask")


def _subscribe(pending: Pending, request: p.SubscribeRequest, caller: Caller) -> SubscribeAsk:
    channel, options, user = request.channel, caller.options, caller.who.user
    if channel in caller.subscriptions:
        raise CausewayError(ErrorName.ALREADY_SUBSCRIBED)
    if len(caller.subscriptions) + caller.subscribing >= options.channel_limit:
        raise CausewayError(ErrorName.LIMIT_EXCEEDED)
    rule = caller.catalogue.rule(channel)
    if request.type:
        raise CausewayError(ErrorName.NOT_AVAILABLE, "not available: subscription types other than 0")
    if request.token:
        raise CausewayError(ErrorName.NOT_AVAILABLE, "not available: subscription tokens")
    decision = access.may_subscribe(rule.spec, channel, user, insecure=options.insecure)
    if decision is access.Decision.DENY:
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    if request.tf is not UNSET:
        raise bad_request("this namespace has no tags filter")
    spec = rule.spec
    entitled = spec.has_history and access.may_read_history(spec, user, subscribed=True, insecure=options.insecure)
    recoverable = spec.has_history and (spec.force_recovery or (request.recoverable and entitled))
    positioned = recoverable or (spec.has_history and (spec.force_positioning or (request.positioned and entitled)))
    return SubscribeAsk(pending, caller.who, request, rule, decision is access.Decision.ASK, positioned, recoverable)


def _publish(pending: Pending, request: p.PublishRequest, caller: Caller) -> PublishAsk:
    rule = _permitted(request.channel, access.may_publish, caller)
    if request.type:
        raise CausewayError(ErrorName.NOT_AVAILABLE, "not available: publications of a type other than 0")
    data = p.payload_bytes(request.data)
    if data is None:
        raise bad_request("data is missing")
    who = caller.who
    chan_info = caller.subscriptions.get(request.channel)
    info = p.ClientInfo(user=who.user, client=who.client, conn_info=p.payload(who.info), chan_info=p.payload(chan_info))
    return PublishAsk(pending, who, request.channel, rule, data, info)


def _history(pending: Pending, request: p.HistoryRequest, caller: Caller) -> HistoryAsk:
    if not caller.catalogue.rule(request.channel).spec.has_history:
        raise CausewayError(ErrorName.NOT_AVAILABLE)
    rule = _permitted(request.channel, access.may_read_history, caller)
    if request.reverse and request.since is not None and request.since.offset == 0:
        raise bad_request("since.offset is 0 in a reverse request")
    return HistoryAsk(pending, caller.who, request, rule)


def _permitted(channel: str, may: access.Check, caller: Caller) -> Rule:
    rule = caller.catalogue.rule(channel)
    subscribed = channel in caller.subscriptions
    if not may(rule.spec, caller.who.user, subscribed=subscribed, insecure=caller.options.insecure):
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    return rule
