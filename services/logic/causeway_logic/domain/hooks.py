"""What hooks are asked and what they answer, as an app's author writes it. Each answer knows its form on the bus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from causeway_common.contracts import messages as m
from causeway_common.contracts.messages import Override
from causeway_logic.domain.values import milliseconds, optional_bytes, optional_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Who wants to connect. All of it is the client's own word: `headers` are those that it says a browser would send.

    Attributes:
        client: the id that the connection will have.
        transport: `websocket`, `sse`…
        name: of the client's SDK or program.
        version: of it.
        data: the JSON value that came along, decoded; None without one.
        headers: the emulated ones, names in lower case.
    """

    client: str
    transport: str = ""
    name: str = ""
    version: str = ""
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, request: m.ConnectHookRequest) -> ConnectRequest:
        """As asked over the bus."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return cls(
            client=request.client,
            transport=request.transport,
            name=request.name,
            version=request.version,
            data=optional_json(request.data),
            headers=headers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSubscription:
    """A subscription that the client has from the start: `info` is its own beside it in this channel, `data` goes to it alone."""

    info: Any = None
    data: Any = None
    override: Override | None = None

    def wire(self) -> m.HookSubscription:
        """As the bus carries it. Raises TypeError where a value cannot be JSON."""
        return m.HookSubscription(
            info=optional_bytes(self.info, "info"), data=optional_bytes(self.data, "data"), override=self.override
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectReply:
    """Yes, connect.

    Attributes:
        user: who it is; "" is an anonymous user.
        info: what other clients see beside the user, any JSON.
        data: for the client.
        meta: for later hooks (`ctx.meta`), never for clients.
        expire_at: then the refresh hook is asked; None: never.
        subs: channels that the client is subscribed to from the start.
    """

    user: str
    info: Any = None
    data: Any = None
    meta: Any = None
    expire_at: datetime | None = None
    subs: Mapping[str, ServerSubscription] = field(default_factory=dict)

    def wire(self) -> m.ConnectHookReply:
        """As the bus carries it. Raises TypeError where a value cannot be JSON or the time has no zone."""
        return m.ConnectHookReply(
            user=self.user,
            info=optional_bytes(self.info, "info"),
            data=optional_bytes(self.data, "data"),
            meta=optional_bytes(self.meta, "meta"),
            expire_at_ms=_until(self.expire_at),
            subs={channel: sub.wire() for channel, sub in self.subs.items()},
        )


@dataclass(frozen=True, slots=True)
class Abstention:
    """The connect hook has nothing to say about this client: it is treated as if the app had no such hook, so refused by default."""

    def wire(self) -> m.ConnectHookReply:
        """As the bus carries it."""
        return m.ConnectHookReply(abstained=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeReply:
    """Yes, subscribe.

    Attributes:
        data: for the client, in the answer to its subscription.
        info: what other clients see beside the user in this channel, any JSON.
        expire_at: then the sub_refresh hook is asked; None: never.
        override: options of the namespace that this subscription has otherwise.
    """

    data: Any = None
    info: Any = None
    expire_at: datetime | None = None
    override: Override | None = None

    def wire(self) -> m.SubscribeHookReply:
        """As the bus carries it. Raises TypeError where a value cannot be JSON or the time has no zone."""
        return m.SubscribeHookReply(
            data=optional_bytes(self.data, "data"),
            info=optional_bytes(self.info, "info"),
            expire_at_ms=_until(self.expire_at),
            override=self.override,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReply:
    """Yes, publish.

    Attributes:
        data: in the place of what the client sent; None leaves it as it was.
        tags: of the publication: what subscribers filter by, and slow readers are conflated by.
    """

    data: Any = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReply:
    """Yes, stay: until `expire_at`, or for ever where it is None. `info` takes the place of what other clients see."""

    expire_at: datetime | None
    info: Any = None

    def wire(self) -> m.RefreshHookReply:
        """As the bus carries it. Raises TypeError where a value cannot be JSON or the time has no zone."""
        return m.RefreshHookReply(expire_at_ms=_until(self.expire_at), info=optional_bytes(self.info, "info"))


def _until(moment: datetime | None) -> int:
    return 0 if moment is None else milliseconds(moment)
