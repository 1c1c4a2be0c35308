"""`causeway channels`: the channels that somebody is subscribed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.operations import Operations, operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable

PAGE: Final = 1_000


@click.command()
@click.argument("pattern", required=False, default="")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most so many.")
@click.option("--largest", is_flag=True, help="Those with the most clients, the largest first.  [default: by name]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per channel: channel, clients.")
@data_dir_option
@url_option
@api_key_option
def channels(*, pattern: str, limit: int, largest: bool, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print the channels that somebody is subscribed to now, on all gateways, with how many clients.

    PATTERN is a glob, such as 'chat:*'. Who they are: `causeway presence`.

    Example: causeway channels 'chat:*' --largest --limit 20

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    if largest and limit > PAGE:
        raise click.UsageError(f"--largest goes with a --limit of at most {PAGE}")
    count, more = 0, False
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        for each, more in _listed(ops, pattern, limit, "clients" if largest else "name"):  # noqa: B007 - the last one's is told
            click.echo(compact_json(each) if as_json else f"{each['clients']:>8}  {printable(each['channel'])}")
            count += 1
    click.echo(f"# {count} channel{'s' * (count != 1)}{', there are more' if more else ''}", err=True)


def _listed(ops: Operations, pattern: str, limit: int, order: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each channel, and whether there are others behind its page."""
    after, more = "", True
    while more and limit > 0:
        page = ops.run("channels.list", pattern=pattern, after=after, limit=min(PAGE, limit), order=order)
        found, more = page["channels"], page["more"]
        yield from ((each, more) for each in found)
        limit -= len(found)
        if order != "name" or not found:
            return
        after = found[-1]["channel"]
