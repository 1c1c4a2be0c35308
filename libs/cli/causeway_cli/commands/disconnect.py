"""`causeway disconnect`: connections of a user, closed."""

from __future__ import annotations

from pathlib import Path

import cent
import click

from causeway_cli.api import server_api
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import printable

CODE_MIN, CODE_MAX = 3000, 4999
REASON_MAX_BYTES = 123


def _reason(_ctx: click.Context, param: click.Parameter, text: str) -> str:
    if len(text.encode()) > REASON_MAX_BYTES:
        raise click.BadParameter(f"a close frame holds at most {REASON_MAX_BYTES} bytes of it", param=param)
    return text


@click.command()
@click.option("--user", required=True, help="Whose connections.")
@click.option("--client", help="Only this connection of the user.")
@click.option(
    "--code", type=click.IntRange(CODE_MIN, CODE_MAX), help="Close code: 3500-3999 and 4500-4999 end the client.  [default: 3503]"
)
@click.option("--reason", default="", callback=_reason, help="What the client is told beside the code.")
@data_dir_option
@url_option
@api_key_option
def disconnect(*, user: str, client: str | None, code: int | None, reason: str, data_dir: Path, url: str, api_key: str) -> None:
    """Close the connections of a user, on all gateways.

    With the default code the client does not come back by itself; with 3000-3499 or 4000-4499 it does. A user without connections is no error. Who must
    not come back at all: `causeway revoke`.

    Example: causeway disconnect --user ann --code 4001 --reason "signed out"

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    if reason and code is None:
        raise click.UsageError("--reason needs --code")
    told = None if code is None else cent.Disconnect(code=code, reason=reason)
    with server_api(Where(data_dir, url=url, api_key=api_key)) as api:
        api.send(cent.DisconnectRequest(user=user, client=client, disconnect=told))
    click.echo(f"closed: {f'client {printable(client)} of ' if client else 'all connections of '}user {printable(user)}")
