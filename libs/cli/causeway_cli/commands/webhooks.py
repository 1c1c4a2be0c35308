"""`causeway webhooks`: endpoints of webhooks, added, tested, rotated and replayed while everything runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, past_time, url_option
from causeway_cli.text import compact_json
from causeway_common.runtime import parse_duration

OVERLAP: Final = "24h"


@click.group()
def webhooks() -> None:
    """Send an app's events to other systems, signed after Standard Webhooks.

    Example: causeway webhooks add --app chat --event chat.message.created --url https://example.com/hooks
    """


def overlap_ms(_ctx: click.Context, param: click.Parameter, text: str) -> int:
    """Callback of an option that is a duration; in milliseconds. Raises click.BadParameter."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r:.80}: {error}", param=param) from error


@webhooks.command()
@click.option("--app", required=True, help="The logic app whose events it gets.")
@click.option("--event", required=True, metavar="TYPE", help="Their type, such as chat.message.created.")
@click.option("--url", "to", required=True, help="Where to: http or https.")
@click.option(
    "--rate-limit", type=click.FloatRange(0), default=0, show_default=True, help="Requests a second, of all processes; 0: no limit."
)
@click.option("--ordered", is_flag=True, help="Deliver the events of one key one after the other: of the entity, or the key given.")
@data_dir_option
@click.option("--stack", "url", default="", envvar="CAUSEWAY_URL", show_envvar=True, help="URL of a stack that runs elsewhere.")
@api_key_option
def add(*, app: str, event: str, to: str, rate_limit: float, ordered: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Add an endpoint, and print its id and its secret as one line of JSON: the secret is told here and never again.

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        click.echo(compact_json(ops.run("webhooks.add", app=app, event=event, url=to, rate_limit=rate_limit, ordered=ordered)))


@webhooks.command(name="list")
@click.option("--app", default="", help="Of this app alone.")
@data_dir_option
@url_option
@api_key_option
def list_webhooks(*, app: str, data_dir: Path, url: str, api_key: str) -> None:
    """List the endpoints, those of the configuration too, as a JSON array.

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        click.echo(compact_json(ops.run("webhooks.list", app=app)["endpoints"]))


@webhooks.command()
@click.argument("id")
@data_dir_option
@url_option
@api_key_option
def show(*, id: str, data_dir: Path, url: str, api_key: str) -> None:
    """Show one endpoint with its last attempts, as a JSON object.

    Exit codes: 0 done, 1 there is none, refused or not reached, 2 wrong usage.
    """
    _print(Where(data_dir, url=url, api_key=api_key), "show", id=id)


@webhooks.command()
@click.argument("id")
@data_dir_option
@url_option
@api_key_option
def test(*, id: str, data_dir: Path, url: str, api_key: str) -> None:
    """Send a signed event of the type webhook.test now, once, also to one that is disabled, and print what came back.

    Exit codes: 0 it took it, 1 it did not, there is none, refused or not reached, 2 wrong usage.
    """
    if _print(Where(data_dir, url=url, api_key=api_key), "test", id=id)["outcome"] != "done":
        raise click.exceptions.Exit(1)


@webhooks.command()
@click.argument("id")
@click.option("--overlap", callback=overlap_ms, default=OVERLAP, show_default=True, help="So long the old secret signs too.")
@data_dir_option
@url_option
@api_key_option
def rotate(*, id: str, overlap: int, data_dir: Path, url: str, api_key: str) -> None:
    """Give an endpoint a new secret, and print it; the old one signs beside it for a while.

    Exit codes: 0 done, 1 there is none, refused or not reached, 2 wrong usage.
    """
    _print(Where(data_dir, url=url, api_key=api_key), "rotate", id=id, overlap_ms=overlap)


@webhooks.command()
@click.argument("id")
@data_dir_option
@url_option
@api_key_option
def enable(*, id: str, data_dir: Path, url: str, api_key: str) -> None:
    """Send to a disabled endpoint again. What it missed comes by `causeway webhooks replay`.

    Exit codes: 0 done, 1 there is none, refused or not reached, 2 wrong usage.
    """
    _print(Where(data_dir, url=url, api_key=api_key), "enable", id=id)


@webhooks.command()
@click.argument("id")
@data_dir_option
@url_option
@api_key_option
def disable(*, id: str, data_dir: Path, url: str, api_key: str) -> None:
    """Send to an endpoint no more until it is enabled. Deliveries on their way are given up.

    Exit codes: 0 done, 1 there is none, it stands in the configuration, refused or not reached, 2 wrong usage.
    """
    _print(Where(data_dir, url=url, api_key=api_key), "disable", id=id)


@webhooks.command()
@click.argument("id")
@data_dir_option
@url_option
@api_key_option
def remove(*, id: str, data_dir: Path, url: str, api_key: str) -> None:
    """Send to an endpoint no more, and forget it. Deliveries on their way are dropped.

    Exit codes: 0 done, 1 there is none, refused or not reached, 2 wrong usage.
    """
    _print(Where(data_dir, url=url, api_key=api_key), "remove", id=id)


@webhooks.command()
@click.argument("id")
@click.option("--since", callback=past_time, required=True, help="From then on: a duration back (10m), Unix seconds or RFC 3339.")
@click.option("--until", callback=past_time, help="Up to then, in the same words; until now where it is not given.")
@data_dir_option
@url_option
@api_key_option
def replay(*, id: str, since: datetime, until: datetime | None, data_dir: Path, url: str, api_key: str) -> None:
    """Deliver the app's events of that time to an endpoint again, whether it got them or not.

    The `webhook-id` of each begins with the id that is printed. Events are kept as long as their records (`storage.record_retention`, 7d).

    Exit codes: 0 it is under way, 1 there is none, refused or not reached, 2 wrong usage.
    """
    if until is not None and until < since:
        raise click.BadParameter("the range ends before it begins: --until is earlier than --since", param_hint="--until")
    end = {} if until is None else {"until_ms": int(until.timestamp() * 1000)}
    _print(Where(data_dir, url=url, api_key=api_key), "replay", id=id, since_ms=int(since.timestamp() * 1000), **end)


def _print(where: Where, operation: str, **request: Any) -> dict[str, Any]:
    with operations(where) as ops:
        found = ops.run(f"webhooks.{operation}", **request)
    click.echo(compact_json(found))
    return found
