"""`causeway clients`: the connections of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from causeway_cli.commands.bans import ban_text
from causeway_cli.operations import operations
from causeway_cli.operators import time_text
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("user")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per connection: client, node, transport, address, channels and more."
)
@data_dir_option
@url_option
@api_key_option
def clients(*, user: str, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print the connections of a user, on all gateways: since when, from where, with which SDK, how many channels.

    Whether the user is banned goes to the standard error.

    Example: causeway clients ann --json

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        found = ops.run("users.show", user=user)
    for each in found["clients"]:
        click.echo(compact_json(each) if as_json else printable(_line(each)))
    total = found["total"]
    click.echo(f"# {total} connection{'s' * (total != 1)} of {printable(user)}", err=True)
    if found["ban"]:
        click.echo(f"# banned: {printable(ban_text(found['ban']))}", err=True)


def _line(client: dict[str, Any]) -> str:
    sdk = " ".join(part for part in (client["name"], client["version"]) if part)
    parts = (
        time_text(client["connected_ms"]),
        client["client"],
        f"{client['transport']}/{client['codec']}",
        client["address"],
        sdk,
        f"at {client['node']}",
        f"{client['num_channels']} channels",
    )
    return "  ".join(part for part in parts if part)
