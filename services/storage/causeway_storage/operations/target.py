"""Which database an operation is about, and how to get at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import click

from causeway_common.runtime import SettingsError, StartError, load_settings
from causeway_storage.adapters import mongo, sqlite
from causeway_storage.config import StorageSettings
from causeway_storage.ports import Inspection, Restoration

F = TypeVar("F", bound=Callable[..., Any])
DATABASE_FILE: Final = "storage.sqlite3"
"""Of a data directory of `causeway dev`."""
URI_VARIABLE: Final = "CAUSEWAY_STORAGE_URI"


class Target(Protocol):
    """A database. `str` of it is its name in messages, without any secret; every call raises StartError where it cannot be done."""

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """Look at it."""
        ...

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """Fill it."""
        ...

    async def restored(self, now_ms: int) -> int:
        """Raise its generation."""
        ...

    def back_up(self, file: Path) -> None:
        """Copy it."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        """Its path."""
        return str(self.path)

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """As `Target` says."""
        return sqlite.inspected(self.path)

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """As `Target` says."""
        return sqlite.restoring(self.path)

    async def restored(self, now_ms: int) -> int:
        """As `Target` says."""
        return sqlite.raise_generation(self.path, now_ms)

    def back_up(self, file: Path) -> None:
        """As `Target` says."""
        sqlite.back_up(self.path, file)


@dataclass(frozen=True, slots=True)
class MongoTarget:
    """A database of MongoDB."""

    options: mongo.MongoOptions

    def __str__(self) -> str:
        """Its hosts and its name."""
        parts = urlsplit(self.options.uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """As `Target` says."""
        return mongo.inspected(self.options)

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """As `Target` says."""
        return mongo.restoring(self.options)

    async def restored(self, now_ms: int) -> int:
        """As `Target` says."""
        database = mongo.MongoDatabase(self.options)
        try:
            await database.connect()
            return await mongo.raise_generation(database, now_ms)
        finally:
            await database.stop()

    def back_up(self, file: Path) -> None:
        """Always raises: MongoDB has its own tools for that."""
        raise StartError(
            f"{file} is not written: MongoDB is backed up by its own tools (mongodump --oplog, snapshots of its disks), or by `export`"
        )


def target_options(command: F) -> F:
    """Adds the options that name a database; the command gets `target`."""

    @wraps(command)
    def named(*args: Any, data_dir: Path | None, database: Path | None, uri: str, config: Path | None, **rest: Any) -> Any:
        return command(*args, target=_target(data_dir, database, uri, config), **rest)

    file = click.Path(path_type=Path, dir_okay=False)
    directory = click.Path(path_type=Path, file_okay=False)
    what = f"The database that this configuration and the variables name. Also for --uri: TLS, user and time-outs; {URI_VARIABLE} keeps secrets out of the list of processes."
    click.option("--config", type=file, metavar="FILE", help=what)(named)
    click.option("--uri", default="", metavar="URI", help="This database of MongoDB.")(named)
    click.option("--database", type=file, metavar="FILE", help="This SQLite file.")(named)
    click.option("--data-dir", type=directory, metavar="DIR", help="The database of `causeway dev` in this directory.")(named)
    return cast("F", named)


def _target(data_dir: Path | None, database: Path | None, uri: str, config: Path | None) -> Target:
    if sum(map(bool, (data_dir, database, uri or config))) > 1:
        raise click.UsageError("name one database: --data-dir, --database, --uri or --config")
    if data_dir is not None:
        return SqliteTarget(data_dir / DATABASE_FILE)
    if database is not None:
        return SqliteTarget(database)
    env = {**os.environ, URI_VARIABLE: uri} if uri else os.environ
    try:
        settings = load_settings(StorageSettings, service="storage", section="storage", path=config, env=env)
    except SettingsError as error:
        raise click.UsageError(f"the configuration is wrong:\n{error}") from error
    if settings.uri.get_secret_value():
        return MongoTarget(mongo.MongoOptions(**settings.mongo_options()))
    return SqliteTarget(settings.path)
