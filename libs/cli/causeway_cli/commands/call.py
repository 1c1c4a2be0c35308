"""`causeway call`: one RPC as a client."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
from centrifuge import CentrifugeError, ReplyError
from rich.console import Console
from rich.json import JSON

from causeway_cli.client import connected
from causeway_cli.completing import methods
from causeway_cli.options import Where, data_dir_option, json_value, token_secret_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("method", shell_complete=methods)
@click.argument("data", callback=json_value, required=False, metavar="[JSON]")
@click.option("--user", required=True, help="The user who calls.")
@click.option("--json", "as_json", is_flag=True, help="The answer, or to the standard error the refusal, as JSON on one line.")
@data_dir_option
@url_option
@token_secret_option
@click.pass_context
def call(
    ctx: click.Context, *, method: str, data: Any, user: str, as_json: bool, data_dir: Path, url: str, token_secret: str
) -> None:
    """Call a method of an app as a client.

    METHOD is app.method, such as chat.send; JSON is its input, `{}` when left out. Prints the answer as JSON, on one line unless to a terminal.

    Example: causeway call chat.create_room '{"name": "tea"}' --user ann

    Exit codes: 0 answered, 1 refused or not reached, 2 wrong usage.
    """
    where = Where(data_dir, url=url, token_secret=token_secret)
    try:
        answer = asyncio.run(_call(where, user, method, {} if data is None else data))
    except ReplyError as error:
        if as_json:
            told = {"code": error.code, "message": error.message, "temporary": error.temporary}
            click.echo(compact_json({"error": told}), err=True)
            ctx.exit(1)
        again = ", a later try may succeed" if error.temporary else ""
        raise click.ClickException(f"{printable(error.message)} (code {error.code}{again})") from error
    if as_json or not sys.stdout.isatty():
        click.echo(compact_json(answer))
    else:
        Console(soft_wrap=True).print(JSON(printable(json.dumps(answer, ensure_ascii=False))))


async def _call(where: Where, user: str, method: str, data: Any) -> Any:
    async with connected(where, user, tell=_nothing, closed=_nothing) as client:
        try:
            return (await client.rpc(method, data)).data
        except ReplyError:
            raise  # the app's or the system's own answer
        except CentrifugeError as error:
            raise click.ClickException(f"the connection was lost, the outcome is unknown: {printable(str(error))}") from error


def _nothing(_line: str) -> None:
    """One call is too short to tell of reconnects; its own error says what happened."""
