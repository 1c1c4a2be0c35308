"""Queries over declared indexes, worked out to ranges of strings that sort as the values do.

An entity's index entry is one string: the value's type and its order-preserving hex form, `!`, and the entity's id in hex. Every entry
is there once, so that a page goes on behind the last one. Values are data: whatever they hold, they are hex here.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgpack

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import Condition, IndexValue, QueryRequest
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier

ID_INDEX: Final = "id"
"""Every entity has it."""
INDEXES_MAX: Final = 8
CONDITIONS_MAX: Final = 8
IN_MAX: Final = 64
VALUE_MAX_BYTES: Final = 256
LIMIT_MAX: Final = 200
FIELDS_MAX: Final = 64
EXACT_MAX: Final = 2**53
_AFTER_VALUE: Final = "!"
_BEHIND_VALUE: Final = '"'
"""The next character: with it begins what is behind all entries of a value."""
_BEHIND_TYPE: Final = "~"
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Range:
    """Entries from `first` on, up to but without `end`."""

    first: str
    end: str

    def holds(self, entry: str) -> bool:
        """Whether it is in it."""
        return self.first <= entry < self.end


@dataclass(frozen=True, slots=True)
class Where:
    """One condition: the index's entry lies in one of these."""

    index: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query.

    Attributes:
        app: whose entities.
        kind: of which kind.
        where: conditions that must all hold.
        order: the index that the page is sorted by; an entity without it is not found.
        descending: the other way round.
        after: the last entry of the page before; "": the first page.
        limit: entities at most.
    """

    app: str
    kind: str
    where: tuple[Where, ...]
    order: str
    descending: bool
    after: str
    limit: int


def index_entries(indexes: Mapping[str, IndexValue], id: str) -> dict[str, str]:
    """The entries of an entity, by index."""
    return {name: f"{encoded(value)}!{id.encode().hex()}" for name, value in {**indexes, ID_INDEX: id}.items()}


def encoded(value: IndexValue) -> str:
    """A string that sorts as the values do: None, false, true, numbers, texts (by code point)."""
    match value:
        case None:
            return "0"
        case bool():
            return f"1{int(value)}"
        case int() | float():
            (bits,) = struct.unpack(">Q", struct.pack(">d", float(value) + 0.0))  # -0.0 is 0.0
            return f"2{bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63):016x}"
        case str():
            return f"3{value.encode().hex()}"


def check_indexes(indexes: Mapping[str, IndexValue]) -> None:
    """Raises CausewayError 107: a commit's index values cannot be stored."""
    if len(indexes) > INDEXES_MAX:
        raise bad_request(f"an entity has at most {INDEXES_MAX} indexes, got {len(indexes)}")
    for name, value in indexes.items():
        if not is_identifier(name) or name == ID_INDEX:
            raise bad_request(f"an index's name is {IDENTIFIER_RULE}, and not {ID_INDEX!r}; got {name!r:.80}")
        _check_value(value, f"the value of index {name}")


def plan_query(app: str, request: QueryRequest, cursor_key: bytes) -> Query:
    """Check a query.

    Args:
        app: the caller's.
        request: as it came.
        cursor_key: signs cursors.

    Raises:
        CausewayError: 107, also for a cursor that was tampered with or belongs to another query.
    """
    if not 1 <= request.limit <= LIMIT_MAX:
        raise bad_request(f"limit is 1 to {LIMIT_MAX}, got {request.limit}")
    if len(request.where) > CONDITIONS_MAX:
        raise bad_request(f"a query has at most {CONDITIONS_MAX} conditions, got {len(request.where)}")
    if len(request.fields) > FIELDS_MAX:
        raise bad_request(f"a query names at most {FIELDS_MAX} fields, got {len(request.fields)}")
    order = request.order or ID_INDEX
    where = tuple(Where(each.index, tuple(_ranges(each))) for each in request.where)
    query = Query(app, request.kind, where, order, request.descending, "", request.limit)
    return replace(query, after=_opened(request.cursor, query, cursor_key)) if request.cursor else query


def indexes_of(query: Query) -> frozenset[str]:
    """The indexes that it needs, beside the one that every entity has."""
    return frozenset({query.order, *(each.index for each in query.where)}) - {ID_INDEX}


def cursor_after(last: str, query: Query, cursor_key: bytes) -> str:
    """The cursor of the page behind `last`, an entry of the order's index."""
    body = last.encode()
    return urlsafe_b64encode(_signature(body, query, cursor_key) + body).decode()


def _opened(cursor: str, query: Query, cursor_key: bytes) -> str:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
    except ValueError as error:
        raise bad_request("the cursor is none of ours") from error
    signature, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if not hmac.compare_digest(signature, _signature(body, query, cursor_key)):
        raise bad_request("the cursor was changed, or belongs to another query; ask for the first page")
    return body.decode()


def _signature(body: bytes, query: Query, cursor_key: bytes) -> bytes:
    """Over the place and the question: what changes neither limit nor fields."""
    where = [[each.index, [[one.first, one.end] for one in each.ranges]] for each in query.where]
    question: bytes = msgpack.packb([query.app, query.kind, where, query.order, query.descending, body])
    return hashlib.blake2b(question, key=cursor_key, digest_size=_DIGEST_BYTES).digest()


def _ranges(condition: Condition) -> Iterable[Range]:
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    if isinstance(condition.value, list) != (condition.op == "in"):
        raise bad_request(f"the condition on {condition.index!r:.80} has {'one value' if condition.op == 'in' else 'a list'}")
    if len(values) > IN_MAX:
        raise bad_request(f"a condition has at most {IN_MAX} values, got {len(values)}")
    for value in values:
        _check_value(value, f"the value for index {condition.index!r:.80}")
        at = encoded(value)
        first, end = at + _AFTER_VALUE, at + _BEHIND_VALUE
        match condition.op:
            case "eq" | "in":
                yield Range(first, end)
            case "lt":
                yield Range(at[0], first)
            case "lte":
                yield Range(at[0], end)
            case "gt":
                yield Range(end, at[0] + _BEHIND_TYPE)
            case "gte":
                yield Range(first, at[0] + _BEHIND_TYPE)


def _check_value(value: IndexValue, what: str) -> None:
    if isinstance(value, str):
        if len(value.encode()) > VALUE_MAX_BYTES:
            raise bad_request(f"{what} has at most {VALUE_MAX_BYTES} bytes")
    elif isinstance(value, float) and value != value:  # noqa: PLR0124 - not a number
        raise bad_request(f"{what} is not a number")
    elif isinstance(value, int) and abs(value) > EXACT_MAX:
        raise bad_request(f"{what} lies beyond 2^53, where neighbours cannot be told apart")
