"""`causeway presence`: who is subscribed to a channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cent
import click

from causeway_cli.api import server_api
from causeway_cli.completing import channels
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("channel", shell_complete=channels)
@click.option("--stats", is_flag=True, help="Only how many clients and users.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per client: user, client, conn_info, chan_info.")
@data_dir_option
@url_option
@api_key_option
def presence(*, channel: str, stats: bool, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print who is subscribed to a channel, on all gateways.

    One line for each client, users in order; how many there are goes to the standard error. The channel's namespace needs `presence`.

    Example: causeway presence demo:hello

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    where = Where(data_dir, url=url, api_key=api_key)
    with server_api(where) as api:
        if stats:
            counted = api.send(cent.PresenceStatsRequest(channel=channel))
            click.echo(_counts(counted.num_clients, counted.num_users))
            return
        found = api.send(cent.PresenceRequest(channel=channel)).presence
    for client in sorted(found.values(), key=lambda each: (each.user, each.client)):
        infos = {"conn_info": client.conn_info, "chan_info": client.chan_info}
        known: dict[str, Any] = {name: value for name, value in infos.items() if value is not None}
        if as_json:
            click.echo(compact_json({"user": client.user, "client": client.client, **known}))
        else:
            who = printable(client.user) or "(anonymous)"
            click.echo("  ".join([who, printable(client.client), *([compact_json(known)] if known else [])]))
    click.echo(f"# {_counts(len(found), len({client.user for client in found.values()}))}", err=True)


def _counts(clients: int, users: int) -> str:
    return f"{clients} client{'s' * (clients != 1)}, {users} user{'s' * (users != 1)}"
