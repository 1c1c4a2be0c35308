"""From a command whose turn has come to the question it asks, or the error it gets (reference/centrifuge-protocol.md, sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request, overloaded
from causeway_common.contracts.messages import Override, SubscribeUser
from causeway_common.contracts.names import split_method
from causeway_gateway.domain import access
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import (
    Ask,
    Grant,
    HistoryAsk,
    Pending,
    PresenceAsk,
    PublishAsk,
    RpcAsk,
    SubRefreshAsk,
    SubscribeAsk,
    Who,
    Wish,
)
from causeway_gateway.domain.budget import Budget
from causeway_gateway.domain.namespaces import Catalogue, Rule
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.domain.tokens import TokenSubscription


class Caller(msgspec.Struct, frozen=True):
    """The connection that asks: who it is, its subscriptions, how many more are being made, whether its codec carries any bytes."""

    who: Who
    subscriptions: Mapping[str, Subscription]
    subscribing: int
    options: SessionOptions
    catalogue: Catalogue
    budget: Budget
    binary: bool


def question(pending: Pending, caller: Caller) -> Ask:
    """The question that a command asks.

    Raises:
        CausewayError: what the client is answered instead.
    """
    command = pending.command
    if (subscribe := command.subscribe) is not None:
        return SubscribeAsk(pending, caller.who, (_wish(subscribe, caller),), caller.binary)
    if (publish := command.publish) is not None:
        return _publish(pending, publish, caller)
    if (presence := command.presence) is not None:
        return _presence(pending, presence.channel, caller, stats=False)
    if (stats := command.presence_stats) is not None:
        return _presence(pending, stats.channel, caller, stats=True)
    if (history := command.history) is not None:
        return _history(pending, history, caller)
    if (rpc := command.rpc) is not None:
        app, name = split_method(rpc.method, caller.options.default_app or None)
        return RpcAsk(pending, caller.who, app, name, p.payload_bytes(rpc.data) or b"null")
    if (sub_refresh := command.sub_refresh) is not None:
        return _sub_refresh(pending, sub_refresh.channel, sub_refresh.token, caller)
    raise AssertionError("no other command asks")


def server_wishes(request: p.ConnectRequest, grant: Grant, caller: Caller) -> tuple[Wish, ...]:
    """The server-side subscriptions of a connection: the token's or hook's, the personal channel, and what the client asks for itself.

    Of the client's own wishes those it may not have are left out without a word (section 9).

    Raises:
        CausewayError: 102, one that was given is in no namespace; 107, or is no channel name.
    """
    given = dict(grant.subs)
    options = caller.options
    if options.personal_channel and grant.user:
        given.setdefault(access.personal_channel(grant.user, options.personal_channel_namespace), TokenSubscription())
    wishes = [
        Wish(
            _asked(request, channel),
            caller.catalogue.rule(channel),
            server_side=True,
            info=sub.info,
            data=sub.data,
            override=Override(**{name: getattr(sub.override, name) for name in Override.__struct_fields__}),
        )
        for channel, sub in given.items()
    ]
    for channel in request.subs:
        if channel in given:
            continue
        try:
            rule = caller.catalogue.rule(channel)
        except CausewayError:
            continue
        decision = access.may_subscribe(rule.spec, channel, grant.user, insecure=options.insecure)
        if decision is access.Decision.ALLOW:
            wishes.append(Wish(_asked(request, channel), rule, server_side=True, insecure=options.insecure))
    return tuple(wishes)


def server_wish(command: SubscribeUser, catalogue: Catalogue) -> Wish:
    """The subscription that the server API begins.

    Raises:
        CausewayError: 102 or 107, as `Catalogue.rule`.
    """
    request = p.SubscribeRequest(
        channel=command.channel, recover=command.recover, recoverable=command.recover, offset=command.offset, epoch=command.epoch
    )
    return Wish(
        request,
        catalogue.rule(command.channel),
        server_side=True,
        info=command.info,
        data=command.data,
        override=command.override,
        expire_at=command.expire_at_ms,
    )


def _asked(request: p.ConnectRequest, channel: str) -> p.SubscribeRequest:
    """What the client knows of a server-side subscription; its channel is the key."""
    known = request.subs.get(channel, p.SubscribeRequest())
    return p.SubscribeRequest(
        channel=channel,
        recover=known.recover,
        recoverable=known.recover,
        epoch=known.epoch,
        offset=known.offset,
        delta=known.delta,
        data=known.data,
        tf=known.tf,
    )


def _wish(request: p.SubscribeRequest, caller: Caller) -> Wish:
    channel, options, user = request.channel, caller.options, caller.who.user
    if channel in caller.subscriptions:
        raise CausewayError(ErrorName.ALREADY_SUBSCRIBED)
    if len(caller.subscriptions) + caller.subscribing >= options.channel_limit:
        raise CausewayError(ErrorName.LIMIT_EXCEEDED)
    rule = caller.catalogue.rule(channel)
    if request.type:
        raise CausewayError(ErrorName.NOT_AVAILABLE, "not available: subscription types other than 0")
    if request.tf is not None and not rule.spec.allow_tags_filter:
        raise bad_request("this namespace has no tags filter (allow_tags_filter)")
    if request.token:
        return Wish(request, rule, "token", insecure=options.insecure, refresher="client")
    decision = access.may_subscribe(rule.spec, channel, user, insecure=options.insecure)
    if decision is access.Decision.DENY:
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    return Wish(request, rule, "hook" if decision is access.Decision.ASK else "given", insecure=options.insecure)


def _publish(pending: Pending, request: p.PublishRequest, caller: Caller) -> PublishAsk:
    rule = _permitted(request.channel, access.may_publish, caller)
    if request.type:
        raise CausewayError(ErrorName.NOT_AVAILABLE, "not available: publications of a type other than 0")
    data = p.payload_bytes(request.data)
    if not data:
        raise bad_request("data is missing")
    limit = rule.spec.publish_rate_limit
    if limit and not caller.budget.spend(rule.spec.name, limit, pending.at):
        raise overloaded(f"this connection may publish {limit} times a second here")
    who, subscription = caller.who, caller.subscriptions.get(request.channel)
    chan_info = subscription.info.chan_info if subscription else None
    info = p.ClientInfo(user=who.user, client=who.client, conn_info=p.payload(who.info), chan_info=p.payload(chan_info))
    return PublishAsk(pending, who, request.channel, rule, data, info)


def _history(pending: Pending, request: p.HistoryRequest, caller: Caller) -> HistoryAsk:
    if not caller.catalogue.rule(request.channel).spec.has_history:
        raise CausewayError(ErrorName.NOT_AVAILABLE)
    rule = _permitted(request.channel, access.may_read_history, caller)
    if request.reverse and request.since is not None and request.since.offset == 0:
        raise bad_request("since.offset is 0 in a reverse request")
    return HistoryAsk(pending, caller.who, request, rule)


def _presence(pending: Pending, channel: str, caller: Caller, *, stats: bool) -> PresenceAsk:
    if not caller.catalogue.rule(channel).spec.presence:
        raise CausewayError(ErrorName.NOT_AVAILABLE)
    _permitted(channel, access.may_read_presence, caller)
    return PresenceAsk(pending, caller.who, channel, stats)


def _sub_refresh(pending: Pending, channel: str, token: str, caller: Caller) -> SubRefreshAsk:
    if channel and channel not in caller.subscriptions:
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    if not token:
        raise bad_request("token is empty")
    return SubRefreshAsk(pending, caller.who, channel, token)


def _permitted(channel: str, may: access.Check, caller: Caller) -> Rule:
    rule = caller.catalogue.rule(channel)
    subscribed = channel in caller.subscriptions
    if not may(rule.spec, caller.who.user, subscribed=subscribed, insecure=caller.options.insecure):
        raise CausewayError(ErrorName.PERMISSION_DENIED)
    return rule
