"""Operations of connectors as an app names them, and what it sends them as it travels."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from causeway_common.contracts.connectors import Operation
from causeway_common.contracts.messages import JsonMap
from causeway_common.contracts.names import is_identifier
from causeway_logic.domain.values import json_map

KEY_MAX_BYTES: Final = 255


class Order(NamedTuple):
    """One call of an operation: of which connector, which operation, with what."""

    connector: str
    op: str
    payload: JsonMap


def order(operation: Operation[Any, Any] | str, request: Any) -> Order:
    """A call of an operation.

    Args:
        operation: a row of `connectors`, or `connector.op`.
        request: what the row takes; by name a map or a model.

    Raises:
        ValueError: the operation is not of that form.
        TypeError: the request is of another type than the row's, is no map, or cannot be JSON.
    """
    if isinstance(operation, Operation):
        if not isinstance(request, operation.request):
            raise TypeError(f"{operation.name} takes a {operation.request.__name__}, got {type(request).__name__}")
        return Order(operation.connector, operation.op, operation.payload(request))
    connector, _, name = operation.partition(".")
    if not (is_identifier(connector) and is_identifier(name)):
        raise ValueError(f"an operation is `connector.operation`, got {operation!r}")
    return Order(connector, name, json_map(request, f"the request of {operation}"))


def order_key(key: str) -> str:
    """A key that jobs may be delivered in order by, or "". Raises ValueError where it is longer than 255 bytes."""
    if len(key.encode()) > KEY_MAX_BYTES:
        raise ValueError(f"a key has at most {KEY_MAX_BYTES} bytes, got {len(key.encode())}")
    return key
