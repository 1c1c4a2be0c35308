"""What the driver's errors mean. For a write there are two kinds only: it was refused as a repeat, or nobody knows."""

from __future__ import annotations

from typing import Any, Final

from bson.errors import BSONError
from pymongo.errors import BulkWriteError, ConfigurationError, DocumentTooLarge, DuplicateKeyError, PyMongoError

from causeway_common.contracts.errors import bad_request
from causeway_common.telemetry import Counters

DUPLICATE_KEY: Final = 11000
DOCUMENT_MAX_BYTES: Final = 12 * 1024 * 1024
"""What a document of ours may have. MongoDB's own limit is 16 MB; ours is checked before anything is sent."""

faults: Final = Counters("storage").counter("database_faults", "faults of MongoDB by the driver's error name", label="error.type")


DRIVER_ERRORS: Final = (PyMongoError, BSONError)
"""All that the driver raises; what it cannot encode is of the second kind."""


class OutcomeUnknownError(Exception):
    """A write may or may not have happened, now or a little later. Read again by id before saying anything."""


def fault(error: Exception) -> str:
    """Count it; its name."""
    name = type(error).__name__
    faults.add(1, name)
    return name


def duplicates(error: Exception) -> frozenset[int] | None:
    """The indexes of the operations of a bulk that were refused as duplicates; None where anything else failed too.

    Of a single write the index is 0.
    """
    if isinstance(error, DuplicateKeyError):
        return frozenset({0})
    if not isinstance(error, BulkWriteError):
        return None
    details = error.details or {}
    failed: list[dict[str, Any]] = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(each.get("code") != DUPLICATE_KEY for each in failed):
        return None
    return frozenset(each["index"] for each in failed)


def never_sent(error: Exception) -> bool:
    """Whether the driver itself refused to send it: the fault is in what we ask, no repeat helps."""
    return isinstance(error, BSONError | DocumentTooLarge | ConfigurationError)


def require_size(size: int, what: str) -> None:
    """Refuse a document before it is sent.

    Raises:
        CausewayError: 107.
    """
    if size > DOCUMENT_MAX_BYTES:
        raise bad_request(f"{what} would have {size} bytes, at most {DOCUMENT_MAX_BYTES} are stored in one document")
