"""The operations as commands: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import click
import msgspec

from causeway_common.runtime import StartError, now_ms, parse_duration
from causeway_storage.adapters.sqlite import back_up
from causeway_storage.domain.invariants import STUCK_AFTER_MS, Violation
from causeway_storage.domain.stored import KINDS, Operation, tag_of
from causeway_storage.domain.stream import StreamError
from causeway_storage.operations.check import VIOLATIONS_MAX, Report, checked
from causeway_storage.operations.progress import shown
from causeway_storage.operations.target import MongoTarget, SqliteTarget, Target, target_options
from causeway_storage.operations.transfer import exported, imported

T = TypeVar("T")
EXIT_FOUND: Final = 1
EXIT_UNREACHABLE: Final = 2
_SHOWN: Final = 100
"""So many violations are printed for eyes; `--json` prints all."""

_MOMENTS: Final = "each log and each document is as of a moment of its own: stop storage first, or use MongoDB's own tools, where all must be of one"
_PLURALS: Final = {tag_of(kind): f"{kind.__name__.lower()}s" for kind in KINDS} | {"id": "ids", "entity": "entities"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def operations() -> None:
    """Operations on a database of Causeway's storage, beside serving it."""


def _duration(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@operations.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help='Print {"violations": [...]}, each with kind, where and what.')
@click.option(
    "--stuck-after",
    default=f"{STUCK_AFTER_MS // 60_000}m",
    callback=_duration,
    help="An outbox may wait so long.",
    show_default=True,
)
def check(target: Target, as_json: bool, stuck_after: int) -> None:
    """Verify every invariant over everything stored, beside the running storage or without it.

    Exit codes: 0 nothing is wrong, 1 violations are listed, 2 wrong usage or no database to be read.
    """

    async def run() -> Report:
        async with target.inspection() as inspection:
            facts = await inspection.facts()
            with shown(f"checking {target}", facts.total) as advance:
                return await checked(inspection, now_ms=now_ms(), stuck_after_ms=stuck_after, advance=advance)

    report = _ran(run(), EXIT_UNREACHABLE)
    if as_json:
        click.echo(json.dumps({"violations": [msgspec.to_builtins(each) for each in report.violations]}))
    else:
        _print(target, report)
    sys.exit(EXIT_FOUND if report.violations else 0)


def _print(target: Target, report: Report) -> None:
    for violation in report.violations[:_SHOWN]:
        click.echo(_line(violation))
    found = len(report.violations)
    if found > _SHOWN:
        click.echo(f"… and {found - _SHOWN} more{' at least' if found >= VIOLATIONS_MAX else ''}; --json lists them")
    click.echo(f"{target}: {_told(report.counts)} looked at, {found or 'no'} violation{'s' * (found != 1)}")


def _line(violation: Violation) -> str:
    text = f"{violation.kind}: {violation.where}: {violation.what}"
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _told(counts: dict[str, int]) -> str:
    parts = [f"{count} {kind if count == 1 else plural}" for kind, plural in _PLURALS.items() if (count := counts.get(kind))]
    return ", ".join(parts) or "nothing"


@operations.command("export")
@target_options
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def export(target: Target, file: Path) -> None:
    """Write everything stored to FILE (- is standard output), beside the running storage or without it.

    From SQLite as of one moment; from MongoDB each log and each document as of a moment of its own.
    """

    async def run() -> dict[str, int]:
        async with target.inspection() as inspection:
            facts = await inspection.facts()
            if not facts.one_moment:
                click.echo(_MOMENTS, err=True)
            with _written(file) as stream, shown(f"exporting {target}", facts.total) as advance:
                return await exported(inspection, stream, now_ms=now_ms(), advance=advance)

    click.echo(f"{target}: {_told(_ran(run()))} exported to {file}", err=True)


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    """A new file that has its name once it is whole and durable; or standard output."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if file.exists():
        raise StartError(f"{file} exists already, and an export overwrites nothing")
    part = file.with_name(file.name + ".part")
    try:
        with open(part, "wb", opener=partial(os.open, mode=0o600)) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@operations.command("import")
@target_options
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def import_(target: Target, file: Path) -> None:
    """Fill an empty database with an export, all of it or nothing; storage must not run.

    The database gets a new generation: every log a new epoch, so that clients that come back are told what they may have missed.
    """

    async def run() -> tuple[int, dict[str, int]]:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream, shown(f"importing {file}", None) as advance:
            async with target.restoration() as restoration:
                return await imported(stream, restoration, now_ms=now_ms(), advance=advance, record=_audited("import", str(target)))

    generation, counts = _ran(run())
    click.echo(f"{target}: {_told(counts)} imported, it is generation {generation} now: every log has a new epoch")


@operations.command()
@target_options
def restored(target: Target) -> None:
    """Give every log of a database that was put back from a copy a new epoch; storage must not run.

    A step of each restore, before storage starts: clients that come back are told what they may have missed.
    """
    click.echo(
        f"{target} is generation {_ran(target.raise_generation(now_ms(), _audited('restored', str(target))))} now: every log has a new epoch"
    )


@operations.command()
@target_options
@click.argument("file", type=click.Path(path_type=Path))
def backup(target: Target, file: Path) -> None:
    """Copy a SQLite database to FILE, as of one moment, beside the running storage or without it."""
    if not isinstance(target, SqliteTarget):
        raise click.UsageError("MongoDB is backed up by its own tools (docs/storage.md says which); or use export")

    async def run() -> None:
        with shown(f"copying {target}", None):
            back_up(target.path, file)

    _ran(run())
    click.echo(f"{target} is copied to {file}; where it is put back, `causeway-storage restored` has to follow")


@operations.command()
@target_options
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
def migrate(target: Target, only_plan: bool) -> None:
    """Apply the schema to a MongoDB database: collections, indexes, validators, shard keys. Storage may run meanwhile.

    It refuses a server whose conditional update is not atomic. SQLite's schema is applied when storage starts.
    """
    if not isinstance(target, MongoTarget):
        raise click.UsageError("SQLite's schema is applied when storage starts; name a MongoDB database by --uri or --config")
    steps = _ran(target.migrate(only_plan=only_plan))
    for step in steps:
        click.echo(f"{'would ' if only_plan else ''}{step}")
    click.echo(f"{target}: {len(steps)} steps {'to do' if only_plan else 'done'}" if steps else f"{target}: nothing is missing")


def _audited(name: str, target: str) -> Operation:
    """The audit record of an operation of this command line."""
    now = now_ms()
    return Operation(
        id=f"{now:016d}-{secrets.token_hex(8)}",
        at_ms=now,
        caller=f"causeway-storage (uid {os.getuid()})",
        name=name,
        target=target,
        outcome="ok",
    )


def _ran(work: Coroutine[Any, Any, T], failed: int = 1) -> T:
    """The outcome; what cannot be done ends the process with one line."""
    try:
        return asyncio.run(work)
    except (StartError, StreamError, OSError) as error:
        click.echo(f"causeway-storage: {error}", err=True)
        sys.exit(failed)


OPERATIONS: Final[frozenset[str]] = frozenset(operations.commands)
"""Their names; every other word of the command line is about serving."""
