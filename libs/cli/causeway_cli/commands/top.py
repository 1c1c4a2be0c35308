"""`causeway top`: the figures of all processes, live, in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from causeway_cli.figures import columns_of, figure_text, head_of
from causeway_cli.operations import operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json

EVERY_SECONDS: Final = 2.0
NODE_CHARS: Final = 8
STYLES: Final = {"up": "", "silent": "bold red", "left": "dim"}


@click.command()
@click.option("--once", is_flag=True, help="Print it once, and end; as when the output is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per look: nodes, figures, now_ms; live unless --once.")
@data_dir_option
@url_option
@api_key_option
def top(*, once: bool, as_json: bool, data_dir: Path, url: str, api_key: str) -> None:
    """Show the figures of all processes, live, until Ctrl-C.

    One table for each service, a line for each process: what it does a second, how late its event loop is, how long writes and queues
    take. Figures are two seconds old at most.

    Example: causeway top --once

    Exit codes: 0 ended by Ctrl-C or told, 1 refused or not reached, 2 wrong usage.
    """
    console = Console()
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        if once or (not as_json and not sys.stdout.isatty()):
            found = ops.run("nodes.list")
            click.echo(compact_json(found)) if as_json else console.print(picture(found))
            return
        try:
            if as_json:
                while True:
                    click.echo(compact_json(ops.run("nodes.list")))
                    time.sleep(EVERY_SECONDS)
            with Live(picture(ops.run("nodes.list")), console=console, screen=True, auto_refresh=False) as live:
                while True:
                    time.sleep(EVERY_SECONDS)
                    live.update(picture(ops.run("nodes.list")), refresh=True)
        except KeyboardInterrupt:
            return


def picture(found: Mapping[str, Any]) -> RenderableType:
    """All processes, a table for each service."""
    services = list(dict.fromkeys(each["service"] for each in found["nodes"]))
    tables = [
        _table(service, [each for each in found["nodes"] if each["service"] == service], found["figures"]) for service in services
    ]
    return Group(*tables) if tables else Text("no process was heard of yet")


def _table(service: str, nodes: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> Table:
    table = Table(title=service, title_justify="left", title_style="bold", box=None, pad_edge=False, collapse_padding=True)
    names = columns_of(service)
    table.add_column("node", no_wrap=True)
    table.add_column("version")
    for name in names:
        table.add_column(head_of(name), justify="right", no_wrap=True)
    for each in nodes:
        state = "" if each["state"] == "up" else f" {each['state']}"
        values = (_cell(each["figures"].get(name), figures.get(name, {}).get("unit", "")) for name in names)
        cells = [each["node"][:NODE_CHARS] + state, each["app_version"] or each["version"], *values]
        table.add_row(*map(Text, cells), style=STYLES.get(each["state"], ""))
    return table


def _cell(value: float | None, unit: str) -> str:
    return "–" if value is None else figure_text(value, unit)  # noqa: RUF001 - a dash
