"""A connection as a client, through the published `centrifuge-python`, for the commands that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import click
from centrifuge import CentrifugeError, Client, ClientEventHandler
from centrifuge.contexts import ConnectedContext, ConnectingContext, DisconnectedContext, ErrorContext

from causeway_cli import __version__
from causeway_cli.options import Where, find_token_secret, find_url, is_local, websocket_url
from causeway_cli.text import printable
from causeway_cli.tokens import make_token
from causeway_common.runtime import now_ms

TOKEN_TTL_SECONDS: Final = 3600
CONNECT_SECONDS: Final = 5.0
Told = Callable[[str], None]


class _Events(ClientEventHandler):  # type: ignore[misc]  # centrifuge-python is typed in parts only
    """Tells of a connection lost and found again, and keeps the last error for whoever gives up."""

    def __init__(self, tell: Told, closed: Told) -> None:
        self._tell, self._closed = tell, closed
        self._lost = False
        self.last_error = ""

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        if ctx.code != 0:  # 0: connect() was called
            self._lost = True
            self._tell(f"connection lost ({printable(ctx.reason)}), reconnecting")

    async def on_connected(self, _ctx: ConnectedContext) -> None:
        if self._lost:
            self._tell("connected again")
        self._lost = False

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        self.last_error = f"{printable(ctx.reason)} (code {ctx.code})"
        self._closed(f"the server closed the connection: {printable(ctx.reason)} (code {ctx.code})")

    async def on_error(self, ctx: ErrorContext) -> None:
        self.last_error = printable(str(ctx.error))


@asynccontextmanager
async def connected(where: Where, user: str, *, tell: Told, closed: Told) -> AsyncIterator[Client]:
    """A connected client; disconnected at the end.

    Args:
        where: the stack.
        user: who connects; the token is made here, and anew when it expires.
        tell: gets a line when the connection is lost and when it is back.
        closed: gets a line when the connection ends for good, by either side.

    Raises:
        click.ClickException: no connection within `CONNECT_SECONDS`, or it was refused.
    """
    url, secret = find_url(where), find_token_secret(where)
    events = _Events(tell, closed)
    client = Client(
        websocket_url(url),
        events=events,
        get_token=_tokens(secret, user),
        name="causeway-cli",
        version=__version__,
        proxy=None if is_local(url) else True,
    )
    try:
        await client.connect()
        try:
            await client.ready(CONNECT_SECONDS)
        except CentrifugeError as error:
            raise click.ClickException(f"no connection to {url}: {events.last_error or printable(str(error))}") from error
        yield client
    finally:
        await client.disconnect()


def _tokens(secret: str, user: str) -> Callable[[], Awaitable[str]]:
    async def get_token() -> str:
        return make_token(secret, user=user, now_s=now_ms() // 1000, ttl_s=TOKEN_TTL_SECONDS)

    return get_token
