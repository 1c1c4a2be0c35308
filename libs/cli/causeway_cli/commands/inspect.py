"""`causeway inspect`: one entity with its versions and its outbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from causeway_cli.operators import look, nats_options, time_text
from causeway_cli.options import Where, data_dir_option
from causeway_cli.text import compact_json, printable
from causeway_common.contracts.messages import InspectReply, InspectRequest, Trace, WaitingItems
from causeway_common.contracts.verbs import INSPECT


@click.command()
@click.argument("app")
@click.argument("kind")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: app, kind, id, version, state, versions, outbox.")
@data_dir_option
@nats_options
def inspect(*, app: str, kind: str, id: str, as_json: bool, data_dir: Path, nats: str, nats_user: str, nats_password: str) -> None:
    """Print an entity: its state, who made its last 16 versions in which trace, and what has not left its outbox yet.

    KIND is the model's name in snake_case (`room` for `Room`), where the app sets no other.

    Example: causeway inspect chat room 2f0c --json

    Exit codes: 0 told, 1 not reached or nothing known of it, 2 wrong usage.
    """
    request = InspectRequest(app=app, kind=kind, id=id)
    seen = look(Where(data_dir), nats, nats_user, nats_password, lambda looking: looking.ask(INSPECT, request), what="the entity")
    if not (seen.document.version or seen.versions or seen.outbox):
        raise click.ClickException(f"nothing is known of {printable(f'{app} {kind} {id}')}")
    if as_json:
        click.echo(compact_json({"app": app, "kind": kind, "id": id, **document_of(seen)}))
        return
    click.echo(f"{printable(f'{app} {kind} {id}')}: {f'version {seen.document.version}' if seen.document.version else 'deleted'}")
    if seen.document.state is not None:
        for line in json.dumps(_plain(seen.document.state), indent=2, ensure_ascii=False).splitlines():
            click.echo(f"  {printable(line)}")
    click.echo("versions:")
    for version in seen.versions:
        click.echo(f"  {version_text(version)}")
    click.echo("outbox:" if seen.outbox else "outbox: empty")
    for waiting in seen.outbox:
        for item in waiting.items:
            click.echo(f"  {time_text(waiting.at_ms)}  version {waiting.version}  {compact_json(_plain(item))}")


def document_of(seen: InspectReply) -> dict[str, Any]:
    """What was seen, as JSON."""
    return {
        "version": seen.document.version,
        "state": _plain(seen.document.state),
        "versions": [msgspec.to_builtins(version) for version in seen.versions],
        "outbox": [_waiting(waiting) for waiting in seen.outbox],
    }


def version_text(version: Trace) -> str:
    """A version for the eye."""
    parts = [
        f"version {version.version}" + (" (deleted)" if version.deleted else ""),
        version.by or "(nobody)",
        version.traceparent,
    ]
    return "  ".join([time_text(version.at_ms), *(printable(part) for part in parts if part)])


def _waiting(waiting: WaitingItems) -> dict[str, Any]:
    return {
        "version": waiting.version,
        "at_ms": waiting.at_ms,
        "traceparent": waiting.traceparent,
        "items": [_plain(item) for item in waiting.items],
    }


def _plain(value: Any) -> Any:
    """As JSON: the data of a publication, which is kept as the bytes of a JSON text, is told as what it says."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        try:
            return json.loads(value)
        except ValueError:
            return value.hex()
    return value
