"""The settings of storage: section `[storage]`, `CAUSEWAY_STORAGE_…`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from causeway_common.runtime import Duration, ServiceSettings


class StorageSettings(ServiceSettings):
    """What a storage process may be told."""

    path: Path = Field(
        Path(".causeway/storage.sqlite3"), description="the database file; made with its directory where it is missing"
    )
    requests_max: int = Field(1024, ge=1, le=65536, description="requests of one verb under way at once; beyond it 111")
    write_queue: int = Field(4096, ge=1, description="writes that may wait for the disk; beyond it 111")
    write_queue_bytes: int = Field(64 * 1024 * 1024, ge=1, description="bytes they may hold; beyond it 111")
    read_queue: int = Field(4096, ge=1, description="reads that may wait; beyond it 111")
    sweep_interval: Duration = Field(2000, ge=100, description="outbox items older than this are picked up by the sweep, as often")
    redeliver_after: Duration = Field(30_000, ge=100, description="an unfinished record is delivered again after this long")
    retention_interval: Duration = Field(1000, ge=100, description="between two removals of what is too old")
    record_retention: Duration = Field(7 * 86_400_000, ge=1000, description="how long a record is kept after it is done")
