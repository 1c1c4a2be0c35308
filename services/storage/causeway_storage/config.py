"""The settings of storage: section `[storage]`, `CAUSEWAY_STORAGE_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr, field_validator

from causeway_common.runtime import Duration, ServiceSettings, Settings

MONGODB_SCHEMES: Final = ("mongodb://", "mongodb+srv://")


class MongoSettings(Settings):
    """How MongoDB is reached, beside its URI."""

    username: str = Field("", description="instead of the URI's")
    password: SecretStr = Field(SecretStr(""), description="goes with the user name")
    tls: bool = Field(default=False, description="use TLS also where the URI does not say so")
    tls_ca_file: str = Field("", description="certificates to trust; empty: the system's")
    tls_certificate_key_file: str = Field("", description="our own certificate with its key")
    pool: int = Field(32, ge=1, description="connections at most")
    connect_timeout: Duration = Field(2000, ge=1, description="to connect, and to find the primary")
    answer_timeout: Duration = Field(10_000, ge=1, description="for an answer; then the outcome is unknown and read again")
    majority_timeout: Duration = Field(5000, ge=1, description="for a majority to have a write durably")


class StorageSettings(ServiceSettings):
    """What a storage process may be told."""

    uri: SecretStr = Field(
        SecretStr(""), description="of MongoDB, its path the database (`causeway` without one); empty: SQLite in `path`"
    )
    path: Path = Field(
        Path(".causeway/storage.sqlite3"), description="the SQLite file; made with its directory where it is missing"
    )
    migrate: bool = Field(
        default=False,
        description="apply MongoDB's schema at start, as `causeway dev` does; elsewhere it is `causeway-storage migrate`",
    )
    mongodb: MongoSettings = MongoSettings()
    requests_max: int = Field(1024, ge=1, le=65536, description="requests of one verb under way at once; beyond it 111")
    write_queue: int = Field(4096, ge=1, description="writes that may wait for the disk; beyond it 111")
    write_queue_bytes: int = Field(64 * 1024 * 1024, ge=1, description="bytes they may hold; beyond it 111")
    read_queue: int = Field(4096, ge=1, description="reads that may wait; beyond it 111")
    sweep_interval: Duration = Field(2000, ge=100, description="outbox items older than this are picked up by the sweep, as often")
    redeliver_after: Duration = Field(30_000, ge=100, description="an unfinished record is delivered again after this long")
    retention_interval: Duration = Field(1000, ge=100, description="between two removals of what is too old")
    record_retention: Duration = Field(7 * 86_400_000, ge=1000, description="how long a record is kept after it is done")
    audit_retention: Duration = Field(90 * 86_400_000, ge=1000, description="how long audit records of operations are kept")

    @field_validator("uri")
    @classmethod
    def _a_mongodb_uri(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not text.startswith(MONGODB_SCHEMES):
            raise ValueError(f"it must begin with {' or '.join(MONGODB_SCHEMES)}, or be empty for SQLite")
        return value

    def mongo_options(self) -> dict[str, Any]:
        """How MongoDB is reached, as the adapter's `MongoOptions` takes it."""
        its = self.mongodb
        return {
            "uri": self.uri.get_secret_value(),
            "username": its.username,
            "password": its.password.get_secret_value(),
            "tls": its.tls or None,
            "tls_ca_file": its.tls_ca_file,
            "tls_certificate_key_file": its.tls_certificate_key_file,
            "pool": its.pool,
            "connect_ms": its.connect_timeout,
            "answer_ms": its.answer_timeout,
            "majority_ms": its.majority_timeout,
        }
