"""`causeway call`: one RPC as a client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
from centrifuge import CentrifugeError, ReplyError

from causeway_cli.client import connected
from causeway_cli.options import Where, data_dir_option, json_value, token_secret_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("method")
@click.argument("data", callback=json_value, required=False, metavar="[JSON]")
@click.option("--user", required=True, help="The user who calls.")
@data_dir_option
@url_option
@token_secret_option
def call(*, method: str, data: Any, user: str, data_dir: Path, url: str, token_secret: str) -> None:
    """Call a method of an app as a client.

    METHOD is app.method, such as chat.send; JSON is its input, `{}` when left out. Prints the answer as JSON.

    Example: causeway call chat.create_room '{"name": "tea"}' --user ann

    Exit codes: 0 answered, 1 refused or not reached, 2 wrong usage.
    """
    where = Where(data_dir, url=url, token_secret=token_secret)
    click.echo(compact_json(asyncio.run(_call(where, user, method, {} if data is None else data))))


async def _call(where: Where, user: str, method: str, data: Any) -> Any:
    async with connected(where, user, tell=_nothing, closed=_nothing) as client:
        try:
            return (await client.rpc(method, data)).data
        except ReplyError as error:
            again = ", a later try may succeed" if error.temporary else ""
            raise click.ClickException(f"{printable(error.message)} (code {error.code}{again})") from error
        except CentrifugeError as error:
            raise click.ClickException(f"the connection was lost, the outcome is unknown: {printable(str(error))}") from error


def _nothing(_line: str) -> None:
    """One call is too short to tell of reconnects; its own error says what happened."""
