"""`causeway unban`: a user who may come in again."""

from __future__ import annotations

from pathlib import Path

import click

from causeway_cli import completing
from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("user", shell_complete=completing.banned)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: user.")
@data_dir_option
@url_option
@api_key_option
def unban(*, user: str, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Lift a user's ban, on every gateway.

    Example: causeway unban mallory

    Exit codes: 0 done, 1 the user was not banned, refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        ops.run("users.unban", user=user)
    click.echo(compact_json({"user": user}) if as_json else f"may come in again: user {printable(user)}")
