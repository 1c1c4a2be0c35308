"""One MongoDB database: the client, its concerns, and the spans around what is asked. The only module that imports motor.

Only calls that PyMongo's own async client has too, so that the swap is a change of this module (docs/adr/0002-motor.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.int64 import Int64
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from pymongo.read_concern import ReadConcern

from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.runtime import StartError
from causeway_common.telemetry import Kind, current_traceparent, get_logger, names, span
from causeway_storage.adapters.mongo.faults import DRIVER_ERRORS, OutcomeUnknownError, duplicates, fault, never_sent

log = get_logger("storage")
T = TypeVar("T")
Fields = dict[str, Any]
Collection = AsyncIOMotorCollection[Fields]
DEFAULT_DATABASE: Final = "causeway"


@dataclass(frozen=True, slots=True)
class MongoOptions:
    """How to reach it.

    Attributes:
        uri: a connection string; its path is the database, `causeway` where it has none.
        username: instead of the URI's; "": the URI's.
        password: goes with `username`.
        tls: whether to use TLS; None: as the URI says.
        tls_ca_file: certificates to trust, instead of the system's.
        tls_certificate_key_file: our own certificate with its key.
        pool: connections at most.
        connect_ms: to connect, and to find the primary.
        answer_ms: for an answer; then the outcome is unknown.
        majority_ms: for a majority to have it durably.
    """

    uri: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool | None = None
    tls_ca_file: str = ""
    tls_certificate_key_file: str = ""
    pool: int = 32
    connect_ms: int = 2000
    answer_ms: int = 10_000
    majority_ms: int = 5000


class _PlainInt(TypeDecoder):
    """64-bit numbers come as int, not as its subclass Int64, which no other encoder takes."""

    bson_type = Int64

    def transform_bson(self, value: int) -> int:
        """The number."""
        return int(value)


class MongoDatabase:
    """An open database."""

    def __init__(self, options: MongoOptions) -> None:
        self._options = options
        self._client: AsyncIOMotorClient[Fields] | None = None
        self._database: AsyncIOMotorDatabase[Fields] | None = None
        self.generation = 0
        self.healthy = False
        self.depth = 0

    async def connect(self) -> None:
        """Connect, and see that the server answers.

        Raises:
            StartError: the options are wrong, or it does not answer.
        """
        try:
            self._client = AsyncIOMotorClient(self._options.uri, **_arguments(self._options))
            self._database = self._client.get_default_database(DEFAULT_DATABASE).with_options(
                read_preference=ReadPreference.PRIMARY,
                read_concern=ReadConcern("majority"),
                write_concern=WriteConcern("majority", wtimeout=self._options.majority_ms, j=True),
                codec_options=CodecOptions(type_registry=TypeRegistry([_PlainInt()])),
            )
            await self._client.admin.command("ping")
        except (ConfigurationError, InvalidURI, ValueError) as error:
            raise StartError(f"the MongoDB URI or its options are wrong: {error}") from error
        except PyMongoError as error:
            raise StartError(f"MongoDB does not answer: {error}") from error
        self.healthy = True

    async def stop(self) -> None:
        """Close the connections."""
        self.healthy = False
        if self._client is not None:
            self._client.close()  # with PyMongo's async client: to be awaited

    @property
    def database(self) -> AsyncIOMotorDatabase[Fields]:
        """The database itself, for the schema and the checks."""
        if self._database is None:
            raise unavailable("MongoDB is not connected")
        return self._database

    @property
    def admin(self) -> AsyncIOMotorDatabase[Fields]:
        """The server's own database, for sharding."""
        if self._client is None:
            raise unavailable("MongoDB is not connected")
        return self._client.get_database("admin")

    async def read(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[T]]) -> T:
        """Read what a majority has, from the primary, under a span.

        Raises:
            CausewayError: 100, it does not answer.
        """
        with db_span(collection, operation):
            try:
                found = await work(self.database.get_collection(collection))
            except PyMongoError as error:
                self.healthy = False
                name = fault(error)
                log.warning("MongoDB does not answer a read", collection=collection, operation=operation, reason=str(error))
                raise unavailable(f"the database does not answer ({name})") from error
        self.healthy = True
        return found

    async def write(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[T]], size: int = 0) -> T:
        """Write, under a span; on return a majority has it.

        Args:
            collection: where.
            operation: its name in the span.
            work: one call of the driver.
            size: how many operations a bulk has, for the span.

        Raises:
            PyMongoError: it, or of a bulk some of it, was refused as a duplicate (`faults.duplicates` says which), the rest was done.
            OutcomeUnknownError: anything else.
            CausewayError: 100 internal, the driver refused to send it.
        """
        self.depth += 1
        with db_span(collection, operation, size):
            try:
                done = await work(self.database.get_collection(collection))
            except DRIVER_ERRORS as error:
                if duplicates(error) is not None:
                    raise
                name = fault(error)
                if never_sent(error):
                    log.exception("the driver refuses a write", collection=collection, operation=operation)
                    raise CausewayError(ErrorName.INTERNAL) from error
                self.healthy = False
                log.warning(
                    "a write's outcome is unknown", collection=collection, operation=operation, error=name, reason=str(error)
                )
                raise OutcomeUnknownError(name) from error
            finally:
                self.depth -= 1
        self.healthy = True
        return done


def _arguments(options: MongoOptions) -> Fields:
    arguments: Fields = {
        "appname": "causeway-storage",
        "maxPoolSize": options.pool,
        "connectTimeoutMS": options.connect_ms,
        "serverSelectionTimeoutMS": options.connect_ms,
        "waitQueueTimeoutMS": options.connect_ms,
        "socketTimeoutMS": options.answer_ms,
        # A driver's retry hides what became of the first try; ours reads again by id.
        "retryWrites": False,
    }
    if options.username:
        arguments |= {"username": options.username, "password": options.password}
    if options.tls is not None:
        arguments["tls"] = options.tls
    if options.tls_ca_file:
        arguments["tlsCAFile"] = options.tls_ca_file
    if options.tls_certificate_key_file:
        arguments["tlsCertificateKeyFile"] = options.tls_certificate_key_file
    return arguments


def db_span(collection: str, operation: str, size: int = 0) -> AbstractContextManager[object]:
    """A span in the trace of whoever asks; the sweeps, which nobody asks for, make none."""
    if not current_traceparent():
        return nullcontext()
    attributes: dict[str, str | int] = {names.DB_SYSTEM: "mongodb", names.DB_COLLECTION: collection, names.DB_OPERATION: operation}
    if size:
        attributes[names.DB_BATCH_SIZE] = size
    return span(names.SPAN_DB.format(operation=operation, collection=collection), kind=Kind.CLIENT, attributes=attributes)
