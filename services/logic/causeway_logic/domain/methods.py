"""The part of an app's declaration that clients call: its RPC methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, overload

from pydantic import TypeAdapter

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.ids import IDEMPOTENCY_KEY_MAX_CHARS, derived_id
from causeway_common.contracts.messages import MethodSpec
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime.durations import parse_duration
from causeway_logic.domain.declaring import Declarations
from causeway_logic.domain.signatures import Offer, Signature, adapter
from causeway_logic.domain.values import json_schema, typed_json

F = TypeVar("F", bound=Callable[..., Any])
WhenUnavailable = Literal["error", "queue"]
_UNAVAILABLE: Final = ("error", "queue")
_OFFER: Final = Offer("the method")


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC method.

    Attributes:
        name: how clients call it, behind the app's name.
        signature: its handler.
        output: how its result is checked and written.
        concurrent: calls of one connection need not keep their order.
        limit: so many calls of it at once in one process; None: the runner's setting.
        timeout_ms: a call of it is cancelled after so long, or at its caller's deadline, whichever comes first; 0: at the deadline.
        when_unavailable: what happens while no instance answers: `error`, or `queue` as a task.
        key: the field of the input that carries the caller's idempotency key; "" where it has none.
    """

    name: str
    signature: Signature
    output: TypeAdapter[Any]
    concurrent: bool = False
    limit: int | None = None
    timeout_ms: int = 0
    when_unavailable: WhenUnavailable = "error"
    key: str = ""

    def key_of(self, value: Any) -> str:
        """The idempotency key that an input carries; "" where it carries none.

        Raises:
            CausewayError: 107, a key longer than 64 characters.
        """
        if not self.key:
            return ""
        found = value.get(self.key) if isinstance(value, Mapping) else getattr(value, self.key)
        key = "" if found is None else str(found)
        if len(key) > IDEMPOTENCY_KEY_MAX_CHARS:
            raise bad_request(f"{self.key}: an idempotency key has at most {IDEMPOTENCY_KEY_MAX_CHARS} characters")
        return key

    def digest(self, value: Any) -> str:
        """A short text that is the same for the same input, however its JSON was written."""
        return derived_id("" if self.signature.input is None else self.signature.input.dump_json(value).decode())

    def write(self, result: Any) -> bytes:
        """The reply's JSON. Raises TypeError where the result is not what the handler's annotation says."""
        return typed_json(self.output, result, f"what {self.name} returned")

    def spec(self) -> MethodSpec:
        """The method as the manifest announces it."""
        taken = self.signature.input
        return MethodSpec(
            name=self.name,
            concurrent=self.concurrent,
            input=json_schema(taken, "validation") if taken else "",
            output=json_schema(self.output, "serialization"),
            when_unavailable=self.when_unavailable,
        )


class Methods(Declarations):
    """RPC methods of an app."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(name, version)
        self.methods: dict[str, Method] = {}

    @overload
    def rpc(self, handler: F, /) -> F: ...
    @overload
    def rpc(
        self,
        *,
        concurrent: bool = False,
        limit: int | None = None,
        timeout: str = "",
        when_unavailable: WhenUnavailable = "error",
        idempotent: str = "",
    ) -> Callable[[F], F]: ...
    def rpc(
        self,
        handler: F | None = None,
        *,
        concurrent: bool = False,
        limit: int | None = None,
        timeout: str = "",
        when_unavailable: WhenUnavailable = "error",
        idempotent: str = "",
    ) -> F | Callable[[F], F]:
        """Make `async def method(ctx: Context, req: Model, rates: Rates) -> Result` callable by clients under the function's name.

        Its parameters come in any order and get by their annotation the `Context`, services (`lifespan`), or the one input: anything
        that pydantic can validate. A plain `def` runs in a thread.

        Args:
            handler: the function.
            concurrent: calls of one connection need not wait for each other.
            limit: so many at once in one process (`[logic] method_concurrency` when left out); beyond it 111 overloaded at once.
            timeout: a call is cancelled after so long (`2s`), if its caller's deadline has not cancelled it before.
            when_unavailable: while no instance answers: `error` (temporary), or `queue`: it is run once as soon as one does.
            idempotent: the field of the input that may carry the caller's idempotency key. Within 15 minutes a second call of the same
                user with the same key gets the first one's result.

        Raises:
            TypeError: a parameter is of another form, or the input has no such field.
            ValueError: the name is taken or is no method's name, or an option has a value that it cannot have.
        """

        def declare(function: F) -> F:
            name: str = getattr(function, "__name__", "")
            if not is_identifier(name):
                raise ValueError(f"a method's name is {IDENTIFIER_RULE}, got {name!r}")
            if name in self.methods:
                raise ValueError(f"{self.name}.{name} is declared twice")
            signature = self._read(function, _OFFER)
            self.methods[name] = Method(
                name=name,
                signature=signature,
                output=adapter(signature.returns, f"the result of {signature.what}"),
                concurrent=concurrent,
                limit=_positive(limit, f"the limit of {name}"),
                timeout_ms=parse_duration(timeout) if timeout else 0,
                when_unavailable=_one_of(when_unavailable, f"when_unavailable of {name}"),
                key=_key(idempotent, signature),
            )
            return function

        return declare if handler is None else declare(handler)

    def _manifest(self) -> dict[str, Any]:
        return super()._manifest() | {"methods": [method.spec() for method in self.methods.values()]}


def _positive(limit: int | None, what: str) -> int | None:
    if limit is not None and limit < 1:
        raise ValueError(f"{what} is 1 or more, got {limit}")
    return limit


def _one_of(value: WhenUnavailable, what: str) -> WhenUnavailable:
    if value not in _UNAVAILABLE:
        raise ValueError(f"{what} is one of {', '.join(_UNAVAILABLE)}, got {value!r}")
    return value


def _key(field: str, signature: Signature) -> str:
    if not field:
        return ""
    schema = signature.input.json_schema(by_alias=False) if signature.input else {}
    while "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    if field not in schema.get("properties", {}):
        raise TypeError(f"the input of {signature.what} has no field {field!r} that could carry an idempotency key")
    return field
