"""The part of a handler's context that is about the world outside: operations of connectors, now or durably."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from causeway_common.contracts.connectors import Operation
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import CallRequest, JsonMap, Message, NewRecord
from causeway_common.runtime.durations import parse_duration
from causeway_common.telemetry import current_traceparent
from causeway_logic.domain.operations import order, order_key
from causeway_logic.handlers.asked import ContextBase
from causeway_logic.handlers.limits import sooner

Req = TypeVar("Req", bound=Message)
Rep = TypeVar("Rep", bound=Message)


class Calling(ContextBase):
    """Operations of connectors (`causeway_logic.connectors`)."""

    __slots__ = ()

    @overload
    async def call(
        self,
        operation: Operation[Req, Rep],
        request: Req,
        *,
        timeout: str = "",  # noqa: ASYNC109 - it travels along, which asyncio's own does not
        idempotency_key: str = "",
    ) -> Rep: ...
    @overload
    async def call(
        self,
        operation: str,
        request: Any,
        *,
        timeout: str = "",  # noqa: ASYNC109 - as above
        idempotency_key: str = "",
    ) -> Any: ...
    async def call(
        self,
        operation: Operation[Any, Any] | str,
        request: Any,
        *,
        timeout: str = "",  # noqa: ASYNC109 - as above
        idempotency_key: str = "",
    ) -> Any:
        """Call an operation and wait for its answer. It is tried once; what must happen belongs into `enqueue`.

        Args:
            operation: a row of `causeway_logic.connectors`, or `connector.operation`.
            request: what it takes: the row's own request; by name a map or a model.
            timeout: of this call (`2s`); the request's own deadline holds in any case.
            idempotency_key: for the outside, where it knows such keys; the request's own when left out, so that a rerun is no second call.

        Returns:
            The row's reply; by name the answer's map.

        Raises:
            ValueError: the operation is not of that form.
            TypeError: the request is not what the row takes, is no map, or cannot be JSON.
            CausewayError: what the connector says; 103, this app may not use it; unavailable, the outcome may be unknown.
        """
        connector, op, payload = order(operation, request)
        key = self._scope.identity.once("call", idempotency_key, connector, op)
        deadline = self.deadline
        if timeout:
            deadline = sooner(deadline, parse_duration(timeout) / 1000)
        asked = CallRequest(payload=payload, idempotency_key=key)
        reply = await self._scope.outside.connectors.call(connector, op, asked, deadline)
        return _read(operation, reply) if isinstance(operation, Operation) else reply

    @overload
    async def enqueue(self, operation: Operation[Req, Any], payload: Req, *, key: str = "") -> None: ...
    @overload
    async def enqueue(self, operation: str, payload: Any, *, key: str = "") -> None: ...
    async def enqueue(self, operation: Operation[Any, Any] | str, payload: Any, *, key: str = "") -> None:
        """Call an operation durably, at least once: the record of it is written before this returns. A rerun writes no second one.

        What follows from a change of an entity belongs into the change (`draft.enqueue`), so that both happen or none.

        Args:
            operation: a row of `causeway_logic.connectors`, or `connector.operation`.
            payload: what it takes: the row's own request; by name a map or a model.
            key: whoever delivers in order (an ordered endpoint of webhooks) does so among those of one key; left out, this waits for none.

        Raises:
            ValueError: the operation is not of that form, or the key is longer than 255 bytes.
            TypeError: the payload is not what the row takes, is no map, or cannot be JSON.
            CausewayError: unavailable, the outcome is unknown.
        """
        connector, op, made = order(operation, payload)
        number = self._scope.identity.next("enqueue", connector, op)
        record = NewRecord(
            id=number,
            app=self._scope.app.name,
            connector=connector,
            op=op,
            payload=made,
            traceparent=current_traceparent(),
            line=order_key(key),
        )
        await self._scope.outside.storage.enqueue([record], self.deadline)


def _read(operation: Operation[Any, Rep], reply: JsonMap) -> Rep:
    try:
        return operation.read_reply(reply)
    except CausewayError as error:  # it is no fault of the app's own caller
        raise TypeError(f"{operation.name} answered what it does not promise: {error.message}") from error
