"""`causeway events`: the lifecycle events of the stream CW_EVENTS in the terminal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, find_nats, past_time, url_option
from causeway_cli.text import compact_json, printable
from causeway_common.bus import Bus, BusSettings, StreamTail
from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import LifecycleEvent
from causeway_common.contracts.subjects import EVENT, EVENTS_STREAM

CONNECT_SECONDS: Final = 5.0
TYPES: Final = (
    *("connected", "disconnected", "subscribed", "unsubscribed", "first_join", "last_leave"),
    *("job_dead", "endpoint_disabled"),
)


@click.command()
@click.option(
    "--type", "types", multiple=True, type=click.Choice(TYPES), help="Only events of this type; may be given several times."
)
@click.option(
    "--since", callback=past_time, help="From then on: a duration back (10m), Unix seconds or RFC 3339.  [default: from now on]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per line: id, type, time_ms, user, client, channel, namespace."
)
@data_dir_option
@url_option
@api_key_option
@click.option("--nats", default="", envvar="CAUSEWAY_NATS_URL", show_envvar=True, help="NATS of a system that runs elsewhere.")
@click.option("--nats-user", default="operator", show_default=True, envvar="CAUSEWAY_NATS_USER", show_envvar=True, help="Its user.")
@click.option("--nats-password", default="", envvar="CAUSEWAY_NATS_PASSWORD", show_envvar=True, help="Its password.")
def events(
    *,
    types: tuple[str, ...],
    since: datetime | None,
    as_json: bool,
    data_dir: Path,
    url: str,
    api_key: str,
    nats: str,
    nats_user: str,
    nats_password: str,
) -> None:
    """Print lifecycle events, live, until Ctrl-C.

    Who connected and disconnected (`client.lifecycle_events`), subscribed and unsubscribed (a namespace's `lifecycle_events`), and which
    channels were joined first and left last (its `occupancy_events`); which jobs died, and which endpoints of webhooks were disabled. They are kept for seven days. A repeat has the id of the first.
    With --url they are asked of a gateway, else of NATS.

    Example: causeway events --since 10m --type connected --json

    Exit codes: 0 ended by Ctrl-C, 1 not reached, 2 wrong usage.
    """
    if url:
        _tell_of_gateway(Where(data_dir, url=url, api_key=api_key), types, since, as_json=as_json)
        return
    place, password = find_nats(Where(data_dir), nats, nats_password)
    settings = BusSettings(url=place, user=nats_user, password=password, name="causeway-events")
    try:
        asyncio.run(_events(settings, frozenset(types), since, as_json=as_json))
    except KeyboardInterrupt:
        return


def _tell_of_gateway(where: Where, types: tuple[str, ...], since: datetime | None, *, as_json: bool) -> None:
    """By `/ops/events.tail`, with the API key: a gateway follows the stream."""
    show = show_json if as_json else show_text
    since_ms = int(since.timestamp() * 1000) if since else 0
    try:
        with operations(where) as ops:
            for line in ops.stream("events.tail", types=list(types), since_ms=since_ms):
                if line["type"] == "event":
                    show(msgspec.convert({**line, "type": line["event"]}, LifecycleEvent))
    except KeyboardInterrupt:
        return
    raise click.ClickException("the gateway ended it")


async def _events(settings: BusSettings, types: frozenset[str], since: datetime | None, *, as_json: bool) -> None:
    bus = Bus(settings)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await bus.start()
        tail = StreamTail(bus, EVENTS_STREAM, EVENT.wildcard())
        start = since or await tail.end()
    except TimeoutError as error:
        raise click.ClickException(f"{settings.url} lets the user {settings.user} not in, or is not there") from error
    except CausewayError as error:
        raise click.ClickException(f"the events cannot be read: {error.message}") from error
    show = show_json if as_json else show_text
    try:
        async for message in tail.messages(start):
            event = decode(message.body, LifecycleEvent)
            if not types or event.type in types:
                show(event)
    finally:
        await bus.stop()


def show_json(event: LifecycleEvent) -> None:
    """An event as a JSON object of its own line; what is empty is left out."""
    entry: dict[str, Any] = msgspec.to_builtins(event)
    click.echo(compact_json(entry))


def show_text(event: LifecycleEvent) -> None:
    """An event for the eye: when, what, who, where."""
    when = datetime.fromtimestamp(event.time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    who = event.user or (f"(anonymous) {event.client}" if event.client else "")
    told = (who, event.channel, event.app, event.operation, event.record, event.endpoint, event.note)
    click.echo("  ".join([when, f"{printable(event.type):12}", *(printable(part) for part in told if part)]))
