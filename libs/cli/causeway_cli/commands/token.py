"""`causeway token`: a connection token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from causeway_cli.options import Where, data_dir_option, find_token_secret, json_value, token_secret_option
from causeway_cli.tokens import make_token
from causeway_common.runtime import now_ms, parse_duration


def _ttl_seconds(_ctx: click.Context, param: click.Parameter, text: str) -> int:
    try:
        milliseconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from error
    if milliseconds < 1000:
        raise click.BadParameter("a token holds for at least 1s", param=param)
    return milliseconds // 1000


@click.command()
@click.option("--user", required=True, help="The user's id.")
@click.option("--ttl", default="1h", show_default=True, callback=_ttl_seconds, help="How long it holds: 90s, 15m, 1h, 7d.")
@click.option("--info", callback=json_value, metavar="JSON", help="What other clients see beside the user, one JSON value.")
@data_dir_option
@token_secret_option
def token(*, user: str, ttl: int, info: Any, data_dir: Path, token_secret: str) -> None:
    """Print a connection token (JWT) for a user.

    Signed (HS256) with the secret of the stack in the data directory, which need not run, or with --token-secret.
    """
    secret = find_token_secret(Where(data_dir, token_secret=token_secret))
    click.echo(make_token(secret, user=user, now_s=now_ms() // 1000, ttl_s=ttl, info=info))
