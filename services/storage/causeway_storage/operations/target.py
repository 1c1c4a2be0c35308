"""Which database an operation is about, and how to get at it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import click

from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import SettingsError, StartError, load_settings
from causeway_storage.adapters import mongo, sqlite
from causeway_storage.config import StorageSettings
from causeway_storage.domain.stored import Operation
from causeway_storage.ports import Inspection, Restoration

F = TypeVar("F", bound=Callable[..., Any])
DATABASE_FILE: Final = "storage.sqlite3"
STACK_FILE: Final = "stack.json"
"""Both of a data directory of `causeway dev`."""


class Target(Protocol):
    """A database."""

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """Look at it. Raises StartError where that cannot be."""
        ...

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """Fill it. Raises StartError where that cannot be."""
        ...

    async def raise_generation(self, now_ms: int, record: Operation) -> int:
        """Give every log of a restored database a new epoch, and leave this audit record; the new generation. Raises StartError."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        """Its name in messages."""
        return str(self.path)

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """As the protocol says."""
        return sqlite.inspected(self.path)

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """As the protocol says."""
        return sqlite.restoring(self.path)

    async def raise_generation(self, now_ms: int, record: Operation) -> int:
        """As the protocol says."""
        return sqlite.raise_generation(self.path, now_ms, record)


@dataclass(frozen=True, slots=True)
class MongoTarget:
    """A MongoDB database."""

    options: mongo.MongoOptions

    def __str__(self) -> str:
        """Its hosts and its name."""
        parts = urlsplit(self.options.uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def inspection(self) -> AbstractAsyncContextManager[Inspection]:
        """As the protocol says."""
        return mongo.inspected(self.options)

    def restoration(self) -> AbstractAsyncContextManager[Restoration]:
        """As the protocol says."""
        return mongo.restoring(self.options)

    async def raise_generation(self, now_ms: int, record: Operation) -> int:
        """As the protocol says."""
        async with self.connected() as database:
            generation = await mongo.raise_generation(database, now_ms)
            try:
                await mongo.MongoAuditLog(database).record([record])
            except CausewayError as error:
                raise StartError(f"it is generation {generation}, but its audit record may be missing: {error.message}") from error
            return generation

    async def migrate(self, *, only_plan: bool) -> list[str]:
        """Apply the schema, or tell what that would do; the steps. Raises StartError."""
        async with self.connected() as database:
            return [step.what for step in await mongo.plan(database)] if only_plan else await mongo.migrate(database)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[mongo.MongoDatabase]:
        """The database, for the block. Raises StartError."""
        database = mongo.MongoDatabase(self.options)
        try:
            await database.connect()
            yield database
        finally:
            await database.stop()


def target_options(command: F) -> F:
    """Adds the options that name a database; the command gets `target`."""

    @wraps(command)
    def named(*args: Any, data_dir: Path | None, database: Path | None, uri: str | None, config: Path | None, **rest: Any) -> Any:
        return command(*args, target=_target(data_dir, database, uri, config), **rest)

    file = click.Path(path_type=Path, dir_okay=False)
    directory = click.Path(path_type=Path, file_okay=False)
    click.option("--config", type=file, metavar="FILE", help="The database that this configuration and the variables name.")(named)
    click.option("--uri", metavar="MONGODB-URI", help="This MongoDB database; better by --config, where it holds a password.")(
        named
    )
    click.option("--database", type=file, metavar="FILE", help="This SQLite file.")(named)
    click.option("--data-dir", type=directory, metavar="DIR", help="The database of `causeway dev` in this directory.")(named)
    return cast("F", named)


def _target(data_dir: Path | None, database: Path | None, uri: str | None, config: Path | None) -> SqliteTarget | MongoTarget:
    if sum(each is not None for each in (data_dir, database, uri, config)) > 1:
        raise click.UsageError("name one database: --data-dir, --database, --uri or --config")
    if data_dir is not None:
        _require_sqlite(data_dir)
        return SqliteTarget(data_dir / DATABASE_FILE)
    if database is not None:
        return SqliteTarget(database)
    env = {**os.environ, "CAUSEWAY_STORAGE_URI": uri} if uri else os.environ
    try:
        settings = load_settings(StorageSettings, service="storage", section="storage", path=config, env=env)
    except SettingsError as error:
        raise click.UsageError(f"the configuration is wrong:\n{error}") from error
    if settings.uri.get_secret_value():
        return MongoTarget(mongo.MongoOptions(**settings.mongo_options()))
    return SqliteTarget(settings.path)


def _require_sqlite(data_dir: Path) -> None:
    """A stack that keeps its data in MongoDB may have an old file of SQLite lying there: that is not what was meant."""
    try:
        stack = json.loads((data_dir / STACK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # no stack has run there, or one has been killed while it wrote
    if isinstance(stack, dict) and stack.get("storage") == "mongodb":
        raise click.UsageError(f"the stack in {data_dir} keeps its data in MongoDB: name it by --uri")
