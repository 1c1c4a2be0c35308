"""`causeway history`: the log of a channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cent
import click

from causeway_cli.api import ServerApi, server_api
from causeway_cli.completing import channels
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.publications import show_json, show_text
from causeway_cli.text import printable


@click.command()
@click.argument("channel", shell_complete=channels)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many publications at most.")
@click.option("--since", type=click.IntRange(0), metavar="OFFSET", help="The oldest above this offset.  [default: the newest]")
@click.option("--reverse", is_flag=True, help="The newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: offset, data, user, client, tags.")
@data_dir_option
@url_option
@api_key_option
def history(
    *, channel: str, limit: int, since: int | None, reverse: bool, as_json: bool, data_dir: Path, url: str, api_key: str
) -> None:
    """Print the log of a channel: its newest publications, or those after an offset; the oldest first.

    How many there are, and where the log stands, goes to the standard error. The channel's namespace needs a history.

    Example: causeway history demo:hello --limit 10 --json

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    with server_api(Where(data_dir, url=url, api_key=api_key)) as api:
        now = api.send(cent.HistoryRequest(channel=channel, limit=0))
        found = list(_read(api, channel, limit, since, now.epoch))
    if (since is None) is not reverse:
        found.reverse()
    show = show_json if as_json else show_text
    for publication in found:
        show(publication)
    count = len(found)
    click.echo(
        f"# {count} publication{'s' * (count != 1)} of {printable(channel)}, which stands at offset {now.offset} of epoch {now.epoch}",
        err=True,
    )


def _read(api: ServerApi, channel: str, limit: int, since: int | None, epoch: str) -> Iterator[cent.Publication]:
    """From `since` on, or from the newest back where it is None; page by page: a page may hold fewer than asked for."""
    backwards = since is None
    while limit > 0:
        position = None if since is None else cent.StreamPosition(offset=since, epoch=epoch)
        page = api.send(cent.HistoryRequest(channel=channel, limit=limit, since=position, reverse=backwards)).publications
        if not page:
            return
        yield from page
        limit, since = limit - len(page), page[-1].offset
