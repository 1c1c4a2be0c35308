"""What the driver's errors mean: a write was refused as a duplicate, or nobody knows. Nothing in between."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_storage.adapters.mongo.faults import DOCUMENT_MAX_BYTES, duplicates, never_sent, require_size


def bulk(*codes: int, concern: bool = False) -> BulkWriteError:
    details: dict[str, Any] = {
        "writeErrors": [{"index": index, "code": code} for index, code in enumerate(codes)],
        "writeConcernErrors": [{"code": 64, "errmsg": "waiting for replication timed out"}] if concern else [],
    }
    return BulkWriteError(details)


def test_a_duplicate_is_refused_for_sure() -> None:
    assert duplicates(DuplicateKeyError("E11000")) == frozenset({0})
    assert duplicates(bulk(11000, 11000)) == frozenset({0, 1})


@pytest.mark.parametrize(
    "error",
    [
        bulk(11000, concern=True),  # the others are on the primary, and perhaps nowhere else
        bulk(11000, 10107),
        bulk(189),
        bulk(concern=True),
        NetworkTimeout("no answer"),
        AutoReconnect("connection closed"),
        NotPrimaryError("not primary", {"code": 10107}),
        OperationFailure("primary stepped down while waiting for replication", 189),
        WTimeoutError("waiting for replication timed out", 64),
        WriteConcernError("interrupted", 11602),
    ],
    ids=lambda error: f"{type(error).__name__}",
)
def test_of_everything_else_nobody_knows(error: PyMongoError) -> None:
    assert duplicates(error) is None
    assert not never_sent(error)


def test_what_the_driver_itself_refuses_was_never_sent() -> None:
    assert never_sent(DocumentTooLarge("17 MB"))


def test_a_document_over_our_limit_is_refused_by_name_before_it_is_sent() -> None:
    require_size(DOCUMENT_MAX_BYTES, "it")
    with pytest.raises(CausewayError, match="the room would have") as caught:
        require_size(DOCUMENT_MAX_BYTES + 1, "the room")
    assert caught.value.name is ErrorName.BAD_REQUEST
