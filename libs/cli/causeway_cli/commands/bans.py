"""`causeway bans`: who may not come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from causeway_cli.operations import operations
from causeway_cli.operators import time_text
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable

PAGE: Final = 1_000


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per ban: user, at_ms, expire_at_ms, by, reason.")
@data_dir_option
@url_option
@api_key_option
def bans(*, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Print the bans that hold, by user: since when, until when, by whose key, for what.

    Example: causeway bans --json

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    found: list[dict[str, Any]] = []
    more = True
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        while more:
            page = ops.run("users.bans", after=found[-1]["user"] if found else "", limit=PAGE)
            found += page["bans"]
            more = page["more"] and bool(page["bans"])
    for each in found:
        click.echo(compact_json(each) if as_json else printable(f"{each['user']}  {ban_text(each)}"))
    click.echo(f"# {len(found)} ban{'s' * (len(found) != 1)}", err=True)


def ban_text(ban: dict[str, Any]) -> str:
    """A ban for the eye, without the user."""
    until = f"until {time_text(ban['expire_at_ms'])}" if ban["expire_at_ms"] else "until it is lifted"
    return "  ".join(part for part in (f"since {time_text(ban['at_ms'])}", until, f"by {ban['by']}", ban["reason"]) if part)
