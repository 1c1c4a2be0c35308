"""`causeway tail`: a live channel in the terminal, as a client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
from centrifuge import PublicationContext, SubscribedContext, SubscriptionEventHandler
from centrifuge.contexts import SubscribingContext, SubscriptionErrorContext, UnsubscribedContext
from centrifuge.types import Publication

from causeway_cli.client import connected
from causeway_cli.completing import channels
from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, token_secret_option, url_option
from causeway_cli.publications import show_json, show_text
from causeway_cli.text import compact_json, printable

# Publications between the client and a slow terminal; when it is full the client stops reading, and the gateway judges the reader.
QUEUE_MAX: Final = 1000


class _Ended(Exception):  # noqa: N818 - the normal end of a subscription, told as an error only by the command
    """The subscription or the connection is over for good."""


_Item: TypeAlias = Publication | _Ended


class _Events(SubscriptionEventHandler):  # type: ignore[misc]  # centrifuge-python is typed in parts only
    def __init__(self, channel: str, items: asyncio.Queue[_Item]) -> None:
        self._channel, self._items = channel, items
        self.over = False

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        at = f" at offset {ctx.stream_position.offset}" if ctx.stream_position else ""
        if not ctx.was_recovering:
            tell(f"subscribed to {printable(self._channel)}{at}")
        elif ctx.recovered:
            tell(f"subscribed again{at}, nothing was missed")
        else:
            tell(f"subscribed again{at}: publications may be missing, the log no longer reaches back to the last one seen")

    async def on_subscribing(self, ctx: SubscribingContext) -> None:
        if ctx.code >= 2500:
            tell(f"subscribing again ({printable(ctx.reason)})")

    async def on_publication(self, ctx: PublicationContext) -> None:
        await self._items.put(ctx.pub)

    async def on_error(self, ctx: SubscriptionErrorContext) -> None:
        tell(f"not subscribed yet: {printable(str(ctx.error))}")

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        if not self.over:
            await self._items.put(_Ended(f"{printable(ctx.reason)} (code {ctx.code})"))


@click.command()
@click.argument("channel", shell_complete=channels)
@click.option("--user", default="cli", show_default=True, help="The user who subscribes.")
@click.option("--operator", is_flag=True, help="As the operator, by the API key: any channel, and who joins and leaves.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: offset, data, user, client, tags.")
@data_dir_option
@url_option
@token_secret_option
@api_key_option
def tail(
    *, channel: str, user: str, operator: bool, as_json: bool, data_dir: Path, url: str, token_secret: str, api_key: str
) -> None:
    """Print what is published into a channel, live, until Ctrl-C.

    A lost connection comes back by itself and goes on where it was. Publications go to the standard output, all else to the standard
    error, also whether anything was missed. With --operator it asks no token and no namespace's leave.

    Example: causeway tail demo:hello --json

    Exit codes: 0 ended by Ctrl-C, 1 refused or not reached, 2 wrong usage.
    """
    where = Where(data_dir, url=url, token_secret=token_secret, api_key=api_key)
    if operator:
        _tail_as_operator(where, channel, as_json=as_json)
        return
    try:
        asyncio.run(_tail(where, user, channel, as_json=as_json))
    except KeyboardInterrupt:
        return


def _tail_as_operator(where: Where, channel: str, *, as_json: bool) -> None:
    try:
        with operations(where) as ops:
            for line in ops.stream("channels.tail", channel=channel):
                _show_line(channel, line, as_json=as_json)
    except KeyboardInterrupt:
        return
    raise click.ClickException("the gateway ended it")


def _show_line(channel: str, line: dict[str, Any], *, as_json: bool) -> None:
    match line["type"]:
        case "publication":
            told = {name: line[name] for name in ("offset", "data", "user", "client", "tags") if line[name]}
            told |= {"b64data": line["b64data"]} if line["b64data"] else {"data": line["data"]}
            who = f"  {printable(line['user'])}" if line["user"] else ""
            click.echo(compact_json(told) if as_json else f"{line['offset'] or '-':>6}{who}  {compact_json(line['data'])}")
        case "begin":
            at = f" at offset {line['offset']}" if line["epoch"] else ""
            tell(f"subscribed to {printable(channel)}{at}")
        case "skipped":
            tell(f"{line['count']} publications are missing here: they came faster than they were read")
        case "join" | "leave":
            tell(f"{line['type']}: {printable(line['user'])} {printable(line['client'])}")
        case "end":
            tell(printable(line["reason"]))
        case _:
            tell(compact_json(line))


async def _tail(where: Where, user: str, channel: str, *, as_json: bool) -> None:
    items: asyncio.Queue[_Item] = asyncio.Queue(QUEUE_MAX)
    ends: set[asyncio.Task[None]] = set()

    def closed(line: str) -> None:
        if not events.over:
            ends.add(asyncio.ensure_future(items.put(_Ended(line))))

    events = _Events(channel, items)
    show = show_json if as_json else show_text
    async with connected(where, user, tell=tell, closed=closed) as client:
        try:
            await client.new_subscription(channel, events=events, recoverable=True).subscribe()
            while not isinstance(item := await items.get(), _Ended):
                show(item)
            raise click.ClickException(str(item))
        finally:
            events.over = True


def tell(line: str) -> None:
    """A line about the connection, beside the publications."""
    click.echo(f"# {line}", err=True)
