"""Which database an operation is about, and how to get at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click

from causeway_common.runtime import SettingsError, load_settings
from causeway_storage.adapters.sqlite import inspected, restoring
from causeway_storage.config import StorageSettings
from causeway_storage.ports import Inspection, Restoration

F = TypeVar("F", bound=Callable[..., Any])
DATABASE_FILE: Final = "storage.sqlite3"
"""Of a data directory of `causeway dev`."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database."""

    path: Path

    def __str__(self) -> str:
        """Its name in messages."""
        return str(self.path)

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """Look at it. Raises StartError where that cannot be."""
        return inspected(self.path)

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """Fill it. Raises StartError where that cannot be."""
        return restoring(self.path)


def target_options(command: F) -> F:
    """Adds the options that name a database; the command gets `target`."""

    @wraps(command)
    def named(*args: Any, data_dir: Path | None, database: Path | None, config: Path | None, **rest: Any) -> Any:
        return command(*args, target=_target(data_dir, database, config), **rest)

    file = click.Path(path_type=Path, dir_okay=False)
    directory = click.Path(path_type=Path, file_okay=False)
    click.option("--config", type=file, metavar="FILE", help="The database that this configuration and the variables name.")(named)
    click.option("--database", type=file, metavar="FILE", help="This SQLite file.")(named)
    click.option("--data-dir", type=directory, metavar="DIR", help="The database of `causeway dev` in this directory.")(named)
    return cast("F", named)


def _target(data_dir: Path | None, database: Path | None, config: Path | None) -> Target:
    if sum(each is not None for each in (data_dir, database, config)) > 1:
        raise click.UsageError("name one database: --data-dir, --database or --config")
    if data_dir is not None:
        return Target(data_dir / DATABASE_FILE)
    if database is not None:
        return Target(database)
    try:
        settings = load_settings(StorageSettings, service="storage", section="storage", path=config, env=os.environ)
    except SettingsError as error:
        raise click.UsageError(f"the configuration is wrong:\n{error}") from error
    return Target(settings.path)
