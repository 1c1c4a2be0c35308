"""The API's methods about connections: subscribe, unsubscribe, disconnect, refresh, revoke; and calls of apps in nobody's name."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.names import split_method
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import Raw
from causeway_gateway.handlers.api import bodies as b
from causeway_gateway.handlers.calling import Calling
from causeway_gateway.handlers.orders import Orders
from causeway_gateway.ports import Revoker

NAME_MAX: Final = 1024


class UserMethods:
    """Acts on connections, on all gateways.

    Args:
        catalogue: the namespaces and methods.
        orders: carries orders out.
        revoker: keeps revocations.
        calling: calls apps' methods.
        default_app: of methods without a dot; "" is none.
        wall: milliseconds since the Unix epoch.
        new_id: makes random ids.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        orders: Orders,
        revoker: Revoker,
        calling: Calling,
        default_app: str,
        wall: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._catalogue, self._orders, self._revoker = catalogue, orders, revoker
        self._calling, self._default_app, self._wall, self._new_id = calling, default_app, wall, new_id

    async def subscribe(self, request: b.SubscribeRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """Subscribe; the clients are told by a push."""
        since = request.recover_since
        command = m.SubscribeUser(
            user=_user(request),
            channel=request.channel,
            client=request.client or "",
            session=request.session or "",
            info=_value(request.info, request.b64info, "info"),
            data=_value(request.data, request.b64data, "data"),
            recover=since is not None,
            offset=since.offset if since else 0,
            epoch=since.epoch if since else "",
            expire_at_ms=(request.expire_at or 0) * 1000,
            override=request.override.for_bus() if request.override else None,
        )
        await self._orders.carry_out(command, deadline)
        return b.Empty()

    async def unsubscribe(self, request: b.UnsubscribeRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """End subscriptions; the clients are told by a push (2000)."""
        command = m.UnsubscribeUser(
            user=_user(request), channel=request.channel, client=request.client or "", session=request.session or ""
        )
        await self._orders.carry_out(command, deadline)
        return b.Empty()

    async def disconnect(self, request: b.DisconnectRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """Close connections (3503 unless another code is given)."""
        chosen = request.disconnect
        command = m.DisconnectUser(
            user=_user(request),
            client=request.client or "",
            session=request.session or "",
            whitelist=request.whitelist or [],
        )
        if chosen is not None and chosen.code:
            command = replace(command, code=chosen.code, reason=chosen.reason)
        await self._orders.carry_out(command, deadline)
        return b.Empty()

    async def refresh(self, request: b.RefreshRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """Say when connections expire; the clients are told by a push."""
        command = m.RefreshUser(
            user=_user(request),
            client=request.client or "",
            session=request.session or "",
            expired=bool(request.expired),
            expire_at_ms=(request.expire_at or 0) * 1000,
            info=_value(request.info, None, "info"),
        )
        await self._orders.carry_out(command, deadline)
        return b.Empty()

    async def revoke(self, request: b.RevokeRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """Make tokens good no more, on live connections and for new ones; answered when it is durable."""
        given = [name for name in ("user", "client", "jti") if getattr(request, name)]
        if len(given) != 1:
            raise bad_request("one of user, client and jti is wanted")
        if len(getattr(request, given[0])) > NAME_MAX:
            raise bad_request(f"{given[0]} has more than {NAME_MAX} characters")
        before = request.issued_before * 1000 if request.issued_before is not None else self._wall()
        revocation = m.Revocation(
            user=request.user or None,
            client=request.client or "",
            jti=request.jti or "",
            issued_before_ms=before if request.user else 0,
            expire_at_ms=(request.expire_at or 0) * 1000,
        )
        await self._revoker.revoke(revocation, deadline)
        return b.Empty()

    async def rpc(self, request: b.RpcRequest, _caller: ApiCaller, deadline: Deadline) -> b.Body:
        """Call an app's method as no user and no client."""
        app, name = split_method(request.method, self._default_app or None)
        self._catalogue.method(app, name)
        data = b"null" if request.params is UNSET else json_value(bytes(request.params), "params")
        record_id = f"q:{self._new_id()}"
        answer = await self._calling.call(app, name, m.RpcRequest(user="", client="", data=data), deadline, record_id)
        return b.RpcResult(data=Raw(json_value(answer, "the app's answer")))


def _user(request: b.UserRequest) -> str:
    if request.user is None:
        raise bad_request("user is missing")
    return request.user


def _value(value: b.Json, packed: str | None, what: str) -> bytes | None:
    if packed:
        try:
            return json_value(base64.b64decode(packed, validate=True), f"b64{what}")
        except ValueError as error:
            raise bad_request(f"b64{what} is no base64") from error
    return None if value is UNSET or bytes(value) == b"null" else json_value(bytes(value), what)
