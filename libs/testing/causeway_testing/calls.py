"""The outside as a test plays it: answers of connectors, and the calls that the app made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins
from pydantic_core import to_jsonable_python

from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import JsonMap, Message


@dataclass(frozen=True, slots=True)
class MadeCall:
    """One call that reached a connector. `key` is its idempotency key: where the peer honours it, repeats have one effect."""

    operation: str
    payload: JsonMap
    key: str


class Calls(MutableMapping[str, Any]):
    """What connectors answer, by operation: `tester.calls["payments.create"] = fake`.

    An answer is a map or a model, or a function of the payload (a plain one or `async def`) that returns one or raises: a `Reject` or any
    CausewayError reaches the app as it is. A function with a second parameter gets the idempotency key too.

    Attributes:
        made: the calls and jobs that reached a connector, in order.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}
        self.made: list[MadeCall] = []

    def __getitem__(self, operation: str) -> Any:
        """The answer that was set."""
        return self._answers[operation]

    def __setitem__(self, operation: str, answer: Any) -> None:
        """Answer like this from now on."""
        self._answers[operation] = answer

    def __delitem__(self, operation: str) -> None:
        """Nobody answers any more: 100 unavailable."""
        del self._answers[operation]

    def __iter__(self) -> Iterator[str]:
        """The operations that are answered."""
        return iter(self._answers)

    def __len__(self) -> int:
        """How many operations are answered."""
        return len(self._answers)

    def to(self, operation: str) -> list[MadeCall]:
        """The calls that reached this operation, in order."""
        return [call for call in self.made if call.operation == operation]

    async def answered(self, operation: str, payload: JsonMap, key: str) -> JsonMap:
        """Ask the connector.

        Raises:
            CausewayError: what the fake raises; 100 unavailable where there is none.
        """
        if operation not in self._answers:
            raise unavailable(f'no connector answers {operation} in this test: tester.calls["{operation}"] = ...')
        self.made.append(MadeCall(operation, payload, key))
        answer = self._answers[operation]
        if callable(answer):
            answer = answer(*[payload, key][: _taken(answer)])
            if inspect.isawaitable(answer):
                answer = await answer
        return _map(answer, operation)


def _taken(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a built-in that does not tell
        return 1
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 2
    return min(sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters), 2)


def _map(answer: Any, operation: str) -> JsonMap:
    made = to_builtins(answer, builtin_types=(bytes,)) if isinstance(answer, Message) else to_jsonable_python(answer)
    if made is None:
        return {}
    if not isinstance(made, dict):
        raise TypeError(f"the fake of {operation} must answer a map or a model, got {type(answer).__name__}")
    return made
