"""`causeway nodes`: every process of every service, and how it is."""

from __future__ import annotations

from pathlib import Path

import click

from causeway_cli.completing import services
from causeway_cli.figures import node_line
from causeway_cli.operations import Operations, operations
from causeway_cli.options import Where, api_key_option, data_dir_option, url_option
from causeway_cli.text import compact_json, printable


@click.command()
@click.argument("service", required=False, default="", shell_complete=services)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per process: node, service, version, started_ms, state, figures."
)
@click.option(
    "--over-time",
    "figures",
    multiple=True,
    metavar="FIGURE",
    help="The last ten minutes of this figure, such as write_ms, in place of the list; may be given several times.",
)
@data_dir_option
@url_option
@api_key_option
def nodes(*, service: str, as_json: bool, figures: tuple[str, ...], data_dir: Path, url: str, api_key: str) -> None:
    """Print the processes of all services, or of SERVICE (gateway, storage, integrations, logic-chat): version, state, newest figures.

    A process that left, or is silent for 15 s, stays in the list for ten minutes. What each figure says: `causeway top`.

    With --over-time one line for each process and figure: a value every two seconds, the newest last, - where nothing was heard; with --json one
    object per line: service, node, figure, from_ms, step_ms, values.

    Example: causeway nodes gateway --json

    Example: causeway nodes storage --over-time write_ms

    Exit codes: 0 told, 1 refused or not reached, 2 wrong usage.
    """
    with operations(Where(data_dir, url=url, api_key=api_key)) as ops:
        if figures:
            _tell_over_time(ops, service, figures, as_json=as_json)
            return
        found = ops.run("nodes.list", service=service)
    for each in found["nodes"]:
        click.echo(compact_json(each) if as_json else printable(node_line(each, found["figures"])))
    up = sum(each["state"] == "up" for each in found["nodes"])
    click.echo(f"# {up} of {len(found['nodes'])} up", err=True)


def _tell_over_time(ops: Operations, service: str, figures: tuple[str, ...], *, as_json: bool) -> None:
    found = ops.run("nodes.series", figures=list(figures), service=service)
    for each in found["series"]:
        if as_json:
            click.echo(compact_json({**each, "from_ms": found["from_ms"], "step_ms": found["step_ms"]}))
            continue
        values = " ".join("-" if value is None else f"{value:g}" for value in each["values"])
        click.echo(printable(f"{each['service']} {each['node']} {each['figure']}  {values}"))
