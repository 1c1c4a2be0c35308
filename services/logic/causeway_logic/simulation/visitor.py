"""One simulated user: a published client of the real protocol, which reconnects by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ConnectingContext,
    DisconnectedContext,
    PublicationContext,
    ReplyError,
    SubscriptionEventHandler,
)

RECONNECT_MAX_SECONDS: Final = 2.0
CALL_SECONDS: Final = 5.0
Told = Callable[[Any], None]


class Refused(Exception):  # noqa: N818 - the client's word for an app's Reject
    """The app refused a call for good. `code` and `message` are its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message = code, message


class Unanswered(Exception):  # noqa: N818 - no fault of this program
    """A call had no answer, or a temporary error. It may have happened or not."""


class Visitor:
    """A connected user.

    Args:
        name: the user's id.
        url: of the WebSocket.
        token: its connection token.
        count: told what happens to the connection (`reconnects`, `closed for good`), one at a time.
    """

    def __init__(self, name: str, url: str, token: str, count: Callable[[str], None]) -> None:
        self.name, self._count = name, count
        self._client = Client(url, _Events(count), token=token, max_reconnect_delay=RECONNECT_MAX_SECONDS, timeout=CALL_SECONDS)

    async def call(self, method: str, data: Any = None) -> Any:
        """Call `app.method`; the decoded answer.

        Raises:
            Refused: the app said no.
            Unanswered: nobody said anything, or only for now.
        """
        try:
            return (await self._client.rpc(method, data)).data
        except ReplyError as error:
            if error.temporary:
                raise Unanswered(str(error)) from error
            raise Refused(error.code, error.message) from error
        except (CentrifugeError, TimeoutError) as error:
            raise Unanswered(str(error)) from error

    async def watch(self, channel: str, told: Told) -> None:
        """Subscribe; `told` gets the data of each publication, those missed while away too. Again is no error."""
        if self._client.get_subscription(channel) is None:
            await self._client.new_subscription(channel, _Publications(told)).subscribe()

    async def unwatch(self, channel: str) -> None:
        """Subscribe no more."""
        subscription = self._client.get_subscription(channel)
        if subscription is not None:
            await subscription.unsubscribe()
            self._client.remove_subscription(subscription)

    async def come(self) -> None:
        """Connect. Returns at once: calls wait until the connection stands."""
        await self._client.connect()

    async def leave(self) -> None:
        """Disconnect for good."""
        await self._client.disconnect()


class _Events(ClientEventHandler):  # type: ignore[misc]  # the SDK has no types
    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        if ctx.code:
            self._count("reconnects")

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        if ctx.code:
            self._count("closed for good")


class _Publications(SubscriptionEventHandler):  # type: ignore[misc]  # the SDK has no types
    def __init__(self, told: Told) -> None:
        self._told = told

    async def on_publication(self, ctx: PublicationContext) -> None:
        self._told(ctx.pub.data)
