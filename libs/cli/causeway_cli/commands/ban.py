"""`causeway ban`: a user who may not come in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, time_of_day, url_option
from causeway_cli.text import compact_json, printable

REASON_MAX: Final = 200


def _reason(_ctx: click.Context, param: click.Parameter, text: str) -> str:
    if len(text) > REASON_MAX:
        raise click.BadParameter(f"it has at most {REASON_MAX} characters", param=param)
    return text


@click.command()
@click.argument("user")
@click.option("--until", callback=time_of_day, metavar="TIME", help="When it ends by itself.  [default: when it is lifted]")
@click.option("--reason", default="", callback=_reason, help="For those who look at it; the user is not told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: user, expire_at_ms, reason.")
@data_dir_option
@url_option
@api_key_option
def ban(*, user: str, until: int | None, reason: str, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Close a user's connections and let the user in by no way: by no token, however new, and by no hook of an app.

    It holds on every gateway until it is lifted (`causeway unban`), or ends at a time: a duration from now (12h, 7d), Unix seconds or
    RFC 3339. Who is to be signed out and may sign in again: `causeway revoke --user USER --issued-before now`.

    Example: causeway ban mallory --until 7d --reason spam

    Exit codes: 0 done, 1 refused or not reached, 2 wrong usage.
    """
    expire_at_ms = (until or 0) * 1000
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        ops.run("users.ban", user=user, expire_at_ms=expire_at_ms, reason=reason)
    told = compact_json({"user": user, "expire_at_ms": expire_at_ms, "reason": reason})
    click.echo(told if as_json else f"banned: user {printable(user)}")
