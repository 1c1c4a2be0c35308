"""A typed client in Python over the official `centrifuge-python` package."""

from __future__ import annotations

import builtins
import keyword
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from causeway_cli.apps.clients.surface import REF, Call, Feed, Surface, renamed
from causeway_cli.apps.contract import Schema

_SCALARS: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_IMPORTED: Final = (
    "Any", "Awaitable", "Callable", "Client", "Generic", "Literal", "Never", "NotRequired", "PublicationContext", "ReplyError", "StreamPosition",
    "Subscription", "UnsubscribedContext", "SubscriptionEventHandler", "CentrifugeError", "TypeAlias", "TypedDict", "TypeVar", "M", "S",
)  # fmt: skip
_WIDTH: Final = 110


def python(surface: Surface, command: str) -> str:
    """The module. `command` is how it was made."""
    name = surface.class_name
    reserved = (*_IMPORTED, *dir(builtins), name, f"{name}Error", f"{name}Channel")
    types = _Types(renamed(surface.types, reserved))
    parts = [
        _HEAD.format(command=command, app=surface.contract.app, version=surface.contract.version),
        *(types.declared(key, schema) for key, schema in surface.types.items()),
        _ERROR.replace("$NAME", name),
        _CHANNEL.replace("$NAME", name),
        _class(surface, types),
    ]
    return "\n\n".join(parts)


class _Types:
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def declared(self, key: str, schema: Schema) -> str:
        """A named type: a TypedDict, so that a value is the JSON itself."""
        name, fields = self._names[key], schema.get("properties")
        if schema.get("type") != "object" or not isinstance(fields, dict):
            return f"{name}: TypeAlias = {self.of(schema)!r}\n"
        needed = set(schema.get("required", ()))
        typed = {field: self.of(of) if field in needed else f"NotRequired[{self.of(of)}]" for field, of in fields.items()}
        if all(field.isidentifier() and not keyword.iskeyword(field) and not field.startswith("__") for field in typed):
            doc = _doc(schema.get("description", "") or f"The type {key}.", "    ")
            lines = "".join(f"    {field}: {of}\n" for field, of in typed.items())
            return f"class {name}(TypedDict):\n{doc}" + (f"\n{lines}" if lines else "")
        items = "".join(f"        {field!r}: {of!r},\n" for field, of in typed.items())
        return f'{name} = TypedDict(\n    "{name}",\n    {{\n{items}    }},\n)\n'

    def of(self, schema: Any) -> str:
        """The type of a schema; what it does not say is `Any`."""
        match schema:
            case {"$ref": str(ref)}:
                return self._names[ref.removeprefix(REF)]
            case {"const": value}:
                return self._literal([value])
            case {"enum": list(values)}:
                return self._literal(values)
            case {"anyOf": list(some)} | {"oneOf": list(some)}:
                return " | ".join(dict.fromkeys(map(self.of, some)))
            case {"type": list(kinds)}:
                return " | ".join(dict.fromkeys(self.of({**schema, "type": kind}) for kind in kinds))
            case {"type": "array", "prefixItems": list()}:
                return "list[Any]"  # JSON has no tuples, and a list's type is that of each element
            case {"type": "array"}:
                return f"list[{self.of(schema.get('items'))}]"
            case {"type": "object"}:
                others = schema.get("additionalProperties")
                return f"dict[str, {self.of(others) if isinstance(others, dict) else 'Any'}]"
            case {"type": str(kind)} if kind in _SCALARS:
                return _SCALARS[kind]
            case _:
                return "Any"

    def _literal(self, values: list[Any]) -> str:
        if all(value is None or isinstance(value, str | int) for value in values):
            return f"Literal[{', '.join(map(_quoted, values))}]"
        return "Any"  # a Literal holds no floats and no lists


def _class(surface: Surface, types: _Types) -> str:
    name, contract = surface.class_name, surface.contract
    taken = {"client"}
    methods = [_method(contract.app, call, types, taken) for call in surface.calls]
    feeds = [_feed(name, feed, types, taken) for feed in surface.feeds]
    doc = _doc(contract.doc or f"The app {contract.app}, {contract.version}, over a connection that stays the caller's.", "    ")
    return _CLASS.replace("$NAME", name).replace("$DOC", doc).replace("$BODY", "\n".join((*methods, *feeds)))


def _method(app: str, call: Call, types: _Types, taken: set[str]) -> str:
    called = _own(call.name, taken)
    answer = types.of(call.output)
    parameter, argument = (f"data: {types.of(call.input)}, ", "data") if call.takes else ("", "{}")
    sent = f'await self._call("{app}.{call.name}", {argument}, timeout)'
    body = sent if answer == "None" else f"answer: {answer} = {sent}\n        return answer"
    return (
        f"    async def {called}(self, {parameter}*, timeout: float | None = None) -> {answer}:\n"
        f"{_doc(call.doc or f'Call `{app}.{call.name}`.', '        ')}        {body}\n"
    )


def _feed(name: str, feed: Feed, types: _Types, taken: set[str]) -> str:
    called, channel = _own(f"{feed.name}_channel", taken), feed.channel
    fields = [_safe(field) for field in channel.fields]
    message, sent = types.of(feed.message), types.of(feed.published) if channel.publishable else "Never"
    parts = [
        _quoted(part)[1:-1].replace("{", "{{").replace("}", "}}") if n % 2 == 0 else f"{{{_safe(part)}}}"
        for n, part in enumerate(channel.parts)
    ]
    parameters = "".join(f"        {field}: str,\n" for field in fields)
    address = f'{"f" if fields else ""}"{"".join(parts)}"'
    return (
        f"    def {called}(\n        self,\n{parameters}"
        f"        on_message: Callable[[{message}, PublicationContext], Awaitable[None]],\n        **options: Any,\n"
        f"    ) -> {name}Channel[{message}, {sent}]:\n"
        f'        """The channel `{channel.pattern}`; `options` are those of the SDK\'s `new_subscription`."""\n'
        f"        return {name}Channel(self.client, {address}, on_message, **options)\n"
    )


def _own(name: str, taken: set[str]) -> str:
    name = _safe(name)
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in {"self", "on_message", "options", "data", "timeout"} else name


def _quoted(value: Any) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def _doc(text: str, indent: str) -> str:
    told = text.replace("\\", "\\\\").replace('"""', "'''").strip()
    lines = [wrapped for line in told.splitlines() for wrapped in textwrap.wrap(line, _WIDTH - len(indent)) or [""]]
    if len(lines) == 1 and not lines[0].endswith('"'):
        return f'{indent}"""{lines[0]}"""\n'
    body = "".join(f"{indent}{line}".rstrip() + "\n" for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{body}{indent}"""\n'


_HEAD: Final = '''\
"""Written by `{command}` from {app} {version}. Do not edit it, write it anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, Never, NotRequired, TypeAlias, TypedDict, TypeVar

from centrifuge import (
    CentrifugeError,
    Client,
    PublicationContext,
    ReplyError,
    StreamPosition,
    Subscription,
    SubscriptionEventHandler,
    UnsubscribedContext,
)

M = TypeVar("M")
S = TypeVar("S")
'''
_ERROR: Final = '''\
class $NAMEError(Exception):
    """A refusal: the app's own code and message, or the system's. A temporary one may be tried again."""

    def __init__(self, code: int, message: str, *, temporary: bool) -> None:
        super().__init__(f"{message} (code {code})")
        self.code, self.message, self.temporary = code, message, temporary
'''
_CHANNEL: Final = '''\
class _$NAMEEvents(SubscriptionEventHandler, Generic[M]):  # type: ignore[misc, unused-ignore]  # the SDK has no types everywhere
    def __init__(self, on_message: Callable[[M, PublicationContext], Awaitable[None]]) -> None:
        self._on_message = on_message
        self.ended: UnsubscribedContext | None = None

    async def on_publication(self, ctx: PublicationContext) -> None:
        await self._on_message(ctx.pub.data, ctx)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.ended = ctx


class $NAMEChannel(Generic[M, S]):
    """A channel whose messages are `M`, and in which a client may publish `S`. `subscription` is the SDK's own."""

    def __init__(
        self, client: Client, name: str, on_message: Callable[[M, PublicationContext], Awaitable[None]], **options: Any
    ) -> None:
        self.name = name
        self._events = _$NAMEEvents(on_message)
        self.subscription: Subscription = client.new_subscription(name, events=self._events, **options)

    async def subscribe(self, timeout: float | None = None) -> None:
        """Subscribe; returns once subscribed. Raises $NAMEError where that is refused."""
        self._events.ended = None
        await self.subscription.subscribe()
        try:
            await self.subscription.ready(timeout)
        except CentrifugeError as error:
            ended = self._events.ended
            if ended is None:
                raise
            raise $NAMEError(ended.code, ended.reason, temporary=False) from error

    async def unsubscribe(self) -> None:
        """End the subscription; `subscribe` goes on where it was."""
        await self.subscription.unsubscribe()

    async def publish(self, data: S) -> None:
        """Publish as this client, where the channel lets clients. Raises $NAMEError."""
        try:
            await self.subscription.publish(data)
        except ReplyError as error:
            raise $NAMEError(error.code, error.message, temporary=error.temporary) from error

    async def history(self, limit: int, since: StreamPosition | None = None, *, reverse: bool = False) -> list[M]:
        """A page of the channel's log, where clients may read it. Raises $NAMEError."""
        try:
            page = await self.subscription.history(limit=limit, since=since, reverse=reverse)
        except ReplyError as error:
            raise $NAMEError(error.code, error.message, temporary=error.temporary) from error
        return [publication.data for publication in page.publications]
'''
_CLASS: Final = """\
class $NAME:
$DOC
    def __init__(self, client: Client) -> None:
        self.client = client

$BODY
    async def _call(self, method: str, data: Any, timeout: float | None) -> Any:
        try:
            return (await self.client.rpc(method, data, timeout)).data
        except ReplyError as error:
            raise $NAMEError(error.code, error.message, temporary=error.temporary) from error
"""
