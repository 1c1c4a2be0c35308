"""Where an app stands: `module:attribute`, and the folder that its module is looked up in."""

from __future__ import annotations

import json
import os
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


def folder_of(target: str, here: Path) -> Path:
    """The folder that the target's module is imported from.

    `here`; or the project of the module's name in it (`shop/shop/`, what `causeway new shop` makes), or its `src`, where the module is there alone.
    """
    top = target.partition(":")[0].partition(".")[0]
    for folder in (here, here / top, here / "src"):
        if top and ((folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()):
            return folder
    return here


def with_folder(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a Python process that finds modules in `folder` first."""
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), env.get("PYTHONPATH", ""))))}


def describe(target: str, here: Path, env: Mapping[str, str]) -> Described:
    """Import the app in a process of its own, so that its import does nothing to us, and have it tell its name.

    Args:
        target: `module:attribute`.
        here: the current folder.
        env: the environment that the app will have.

    Raises:
        AppError: it cannot be imported, is no App, or is not done within `DESCRIBE_SECONDS`.
    """
    folder = folder_of(target, here)
    command = (sys.executable, "-m", "causeway_cli.apps.tell", target)
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, cwd=here, env=with_folder(env, folder), timeout=DESCRIBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AppError(f"{target} is not imported within {DESCRIBE_SECONDS:g} s") from error
    last = done.stdout.strip().rpartition("\n")[2]
    try:
        told = _TOLD.validate_python(json.loads(last))
    except (ValueError, ValidationError) as error:
        reason = done.stderr.strip() or f"importing it ended with exit code {done.returncode}"
        raise AppError(printable(reason.rpartition("\n")[2])) from error
    return Described(told.name, told.version, target, folder, Path(told.source))
