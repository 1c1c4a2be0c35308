"""The apps that run, and what operators say of them; the desk of the webhook endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ConnectHookReply,
    ConnectHookRequest,
    JsonMap,
    Manifest,
    PublishHookReply,
    PublishHookRequest,
    RefreshHookReply,
    RefreshHookRequest,
    Route,
    RpcReply,
    RpcRequest,
    SubRefreshHookRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
)
from causeway_common.telemetry import OpenSpan
from causeway_gateway.domain.routing import Alive


class NobodyError(CausewayError):
    """100 unavailable: no instance of an app is there, nothing was asked."""


class AppVersions(Protocol):
    """The apps' versions as this gateway knows them."""

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """What exists of each app."""
        ...

    @property
    def living(self) -> Mapping[str, Sequence[Alive]]:
        """Each app's living versions, the highest first."""
        ...

    def versions(self, app: str) -> Sequence[Manifest]:
        """All versions of an app that are known of, the highest first."""
        ...


class WebhookDesk(Protocol):
    """The endpoints of webhooks, kept by integrations."""

    async def webhooks(self, operation: str, payload: JsonMap, deadline: Deadline) -> JsonMap:
        """What integrations answer to one of `WEBHOOK_OPERATIONS`. Raises CausewayError: 104, 107, 113, 100 unavailable."""
        ...


class Routes(Protocol):
    """Where the shares of canaries are kept."""

    async def set(self, route: Route, deadline: Deadline) -> None:
        """Keep it, durably; every gateway hears of it. Raises CausewayError: 100 unavailable."""
        ...

    async def remove(self, app: str, method: str, deadline: Deadline) -> None:
        """Keep it no more, likewise."""
        ...


class Apps(Protocol):
    """The apps. All raise CausewayError: the app's own error, or NobodyError at once. Which version is asked is theirs to know."""

    async def call(self, app: str, method: str, request: RpcRequest, deadline: Deadline) -> bytes:
        """Call a method; its answer is one JSON value."""
        ...

    def begin_call(
        self,
        app: str,
        method: str,
        request: RpcRequest,
        deadline: Deadline,
        *,
        done: Callable[[RpcReply | CausewayError], None],
        parent: OpenSpan,
    ) -> None:
        """As `call`, but `done` is called once with the answer or the error, never before this returns; it does not raise.

        Where this raises itself, nothing was called and `done` is not.
        """
        ...

    async def may_subscribe(self, app: str, request: SubscribeHookRequest, deadline: Deadline) -> SubscribeHookReply:
        """Ask the subscribe hook; a denial is an error."""
        ...

    async def may_connect(self, app: str, request: ConnectHookRequest, deadline: Deadline) -> ConnectHookReply:
        """Ask the connect hook; a denial is an error."""
        ...

    async def may_stay(self, app: str, request: RefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        """Ask the refresh hook."""
        ...

    async def may_stay_subscribed(self, app: str, request: SubRefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        """Ask the sub_refresh hook."""
        ...

    async def may_publish(self, app: str, request: PublishHookRequest, deadline: Deadline) -> PublishHookReply:
        """Ask the publish hook; a denial is an error."""
        ...
