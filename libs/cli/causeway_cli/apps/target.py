"""Where an app stands: `module:attribute`, and the folder that its module is looked up in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from causeway_cli.text import printable

DESCRIBE_SECONDS: Final = 30.0


class AppError(Exception):
    """An app cannot be had; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Described:
    """An app as its own process told it. `source` is its package's folder, or its module's file."""

    name: str
    version: str
    target: str
    folder: Path
    source: Path


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    version: str
    source: str


_TOLD: Final = TypeAdapter(_Told)


def find_target(asked: str, here: Path) -> tuple[str, Path]:
    """The `module:attribute` that was asked for, and the folder that it is imported from.

    Args:
        asked: `shop:app`, or with a folder before it, `../shop-next/shop:app`.
        here: the current folder.

    The folder is the one asked for or `here`; where the module is not in it but in the project of its name there (`shop/shop/`, what
    `causeway new shop` makes), or in its `src`, that one.
    """
    before, _, target = asked.rpartition("/")
    start = (here / before).resolve() if before else here
    top = target.partition(":")[0].partition(".")[0]
    for folder in (start, start / top, start / "src"):
        if top and ((folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()):
            return target, folder
    return target, start


def describe(asked: str, here: Path, env: Mapping[str, str]) -> Described:
    """Import the app in a process of its own, so that its import does nothing to us, and have it tell its name.

    Args:
        asked: as `find_target` takes it.
        here: the current folder.
        env: the environment that the app will have.

    Raises:
        AppError: it cannot be imported, is no App, or is not done within `DESCRIBE_SECONDS`.
    """
    target, folder = find_target(asked, here)
    if not folder.is_dir():
        raise AppError(f"{asked}: there is no folder {folder}")
    command = (sys.executable, "-m", "causeway_cli.apps.tell", target)
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, cwd=folder, env=dict(env), timeout=DESCRIBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AppError(f"{asked} is not imported within {DESCRIBE_SECONDS:g} s") from error
    last = done.stdout.strip().rpartition("\n")[2]
    try:
        told = _TOLD.validate_python(json.loads(last))
    except (ValueError, ValidationError) as error:
        reason = done.stderr.strip() or f"importing it ended with exit code {done.returncode}"
        raise AppError(printable(reason.rpartition("\n")[2])) from error
    return Described(told.name, told.version, target, folder, Path(told.source))
