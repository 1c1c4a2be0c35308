"""A typed client in TypeScript over the official `centrifuge` package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from causeway_cli.apps.clients.surface import REF, Call, Feed, Surface, camel, renamed
from causeway_cli.apps.contract import Schema

_PLAIN: Final = re.compile(r"[A-Za-z_$][\w$]*")
_TEMPLATE: Final = re.compile(r"[\\`$]")
_SCALARS: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_IMPORTED: Final = ("Centrifuge", "HistoryOptions", "PublicationContext", "Subscription", "SubscriptionOptions")
_BUILT_IN: Final = (
    "Error",
    "Promise",
    "Omit",
    "Record",
    "Array",
    "Object",
    "String",
    "Number",
    "Boolean",
    "Symbol",
    "Date",
    "Map",
    "Set",
)


def typescript(surface: Surface, command: str) -> str:
    """The module. `command` is how it was made."""
    name = surface.class_name
    reserved = (*_IMPORTED, *_BUILT_IN, name, f"{name}Error", f"{name}Channel", f"{name}Context")
    types = _Types(renamed(surface.types, reserved))
    parts = [
        _HEAD.format(command=command, app=surface.contract.app, version=surface.contract.version),
        *(types.declared(key, schema) for key, schema in surface.types.items()),
        _ERROR.replace("$NAME", name),
        _CHANNEL.replace("$NAME", name),
        _class(surface, types),
    ]
    return "\n".join(parts)


class _Types:
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def declared(self, key: str, schema: Schema) -> str:
        """A named type."""
        doc = _doc(schema.get("description", ""), "")
        if schema.get("type") == "object" and "properties" in schema and schema.get("additionalProperties") in (None, False):
            return f"{doc}export interface {self._names[key]} {self._fields(schema, '')}\n"
        return f"{doc}export type {self._names[key]} = {self.of(schema)};\n"

    def of(self, schema: Any, indent: str = "") -> str:
        """The type of a schema; what it does not say is `unknown`."""
        match schema:
            case None | True:
                return "unknown"
            case {"$ref": str(ref)}:
                return self._names[ref.removeprefix(REF)]
            case {"const": value}:
                return json.dumps(value)
            case {"enum": values}:
                return " | ".join(map(json.dumps, values))
            case {"anyOf": list(some)} | {"oneOf": list(some)}:
                return " | ".join(dict.fromkeys(self.of(each, indent) for each in some))
            case {"type": list(kinds)}:
                return " | ".join(dict.fromkeys(self.of({**schema, "type": kind}, indent) for kind in kinds))
            case {"type": str(kind)}:
                return self._simple(kind, schema, indent)
            case _:
                return "unknown"

    def _simple(self, kind: str, schema: Schema, indent: str) -> str:
        if kind == "array":
            return self._array(schema, indent)
        return self._object(schema, indent) if kind == "object" else _SCALARS.get(kind, "unknown")

    def _array(self, schema: Schema, indent: str) -> str:
        if "prefixItems" in schema:
            return f"[{', '.join(self.of(each, indent) for each in schema['prefixItems'])}]"
        return f"Array<{self.of(schema.get('items'), indent)}>"

    def _object(self, schema: Schema, indent: str) -> str:
        others = schema.get("additionalProperties")
        rest = f"Record<string, {self.of(others if isinstance(others, dict) else None, indent)}>"
        if "properties" not in schema:
            return rest
        return self._fields(schema, indent) + (f" & {rest}" if others else "")

    def _fields(self, schema: Schema, indent: str) -> str:
        inner = indent + "  "
        needed = set(schema.get("required", ()))
        lines = [
            f"{_doc(of.get('description', ''), inner)}{inner}{_key(name)}{'' if name in needed else '?'}: {self.of(of, inner)};\n"
            for name, of in schema["properties"].items()
        ]
        return "{\n" + "".join(lines) + indent + "}"


def _class(surface: Surface, types: _Types) -> str:
    name, contract = surface.class_name, surface.contract
    taken = {"centrifuge", "constructor", "call"}
    methods = [_method(contract.app, call, types, taken) for call in surface.calls]
    feeds = [_feed(name, feed, types, taken) for feed in surface.feeds]
    doc = _doc(contract.doc or f"The app {contract.app}, {contract.version}.", "")
    return doc + _CLASS.replace("$NAME", name).replace("$BODY", "".join((*methods, *feeds)))


def _method(app: str, call: Call, types: _Types, taken: set[str]) -> str:
    called = _own(camel(call.name), taken)
    parameter, argument = (f"data: {types.of(call.input)}", "data") if call.takes else ("", "{}")
    answer = "void" if call.output == {"type": "null"} else types.of(call.output)
    sent = f'await this.call("{app}.{call.name}", {argument})'
    body = f"{sent};" if answer == "void" else f"return ({sent}) as {answer};"
    return f"\n{_doc(call.doc, '  ')}  async {called}({parameter}): Promise<{answer}> {{\n    {body}\n  }}\n"


def _feed(name: str, feed: Feed, types: _Types, taken: set[str]) -> str:
    called = _own(camel(f"{feed.name}_channel"), taken)
    channel = feed.channel
    sent = types.of(feed.published) if channel.publishable else "never"
    kind = f"{name}Channel<{types.of(feed.message)}, {sent}>"
    fields = "{ " + "; ".join(f"{field}: string" for field in channel.fields) + " }"
    parameters = f"at: {fields}, options?: SubscriptionOptions" if channel.fields else "options?: SubscriptionOptions"
    parts = [_TEMPLATE.sub(r"\\\g<0>", part) if n % 2 == 0 else f"${{at.{part}}}" for n, part in enumerate(channel.parts)]
    doc = _doc(f"The channel `{channel.pattern}`.", "  ")
    return f"\n{doc}  {called}({parameters}): {kind} {{\n    return new {name}Channel(this.centrifuge, `{''.join(parts)}`, options);\n  }}\n"


def _own(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _doc(text: str, indent: str) -> str:
    lines = text.replace("*/", "*\\/").strip().splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines) + f"{indent} */\n"


_HEAD: Final = """\
// Written by `{command}` from {app} {version}. Do not edit it, write it anew.
import {{
  Centrifuge,
  type HistoryOptions,
  type PublicationContext,
  type Subscription,
  type SubscriptionOptions,
}} from "centrifuge";
"""
_ERROR: Final = """\
/** A refusal: the app's own code and message, or the system's. A temporary one may be tried again. */
export class $NAMEError extends Error {
  readonly code: number;
  readonly temporary: boolean;

  constructor(code: number, message: string, temporary: boolean) {
    super(message);
    this.name = "$NAMEError";
    this.code = code;
    this.temporary = temporary;
  }

  /** What the SDK rejects with, as an error of this kind; anything else as it is. */
  static of(error: unknown): unknown {
    if (error instanceof Error || typeof error !== "object" || error === null || !("code" in error)) {
      return error;
    }
    const { code, message, temporary } = error as { code: number; message?: string; temporary?: boolean };
    return new $NAMEError(code, message ?? "", temporary ?? false);
  }
}
"""
_CHANNEL: Final = """\
/** A publication's offset, author and tags beside its message. */
export type $NAMEContext<Message> = Omit<PublicationContext, "data"> & { data: Message };

/** A channel whose messages are `Message`, and in which a client may publish `Sent`. `subscription` is the SDK's own. */
export class $NAMEChannel<Message, Sent = never> {
  readonly name: string;
  readonly subscription: Subscription;

  constructor(centrifuge: Centrifuge, name: string, options?: SubscriptionOptions) {
    this.name = name;
    this.subscription = centrifuge.getSubscription(name) ?? centrifuge.newSubscription(name, options);
  }

  /** Calls `handler` with every message, until the function that is returned is called. */
  onMessage(handler: (message: Message, context: $NAMEContext<Message>) => void): () => void {
    const listener = (context: PublicationContext): void => handler(context.data as Message, context);
    this.subscription.on("publication", listener);
    return () => {
      this.subscription.removeListener("publication", listener);
    };
  }

  /** Subscribes; done once subscribed, fails where that is refused. */
  async subscribe(): Promise<void> {
    let refused: $NAMEError | undefined;
    const listener = (context: { code: number; reason: string }): void => {
      refused = new $NAMEError(context.code, context.reason, false);
    };
    this.subscription.on("unsubscribed", listener);
    try {
      this.subscription.subscribe();
      await this.subscription.ready();
    } catch (error) {
      throw refused ?? $NAMEError.of(error);
    } finally {
      this.subscription.removeListener("unsubscribed", listener);
    }
  }

  /** Ends the subscription; `subscribe` goes on where it was. */
  unsubscribe(): void {
    this.subscription.unsubscribe();
  }

  /** Publishes as this client, where the channel lets clients. */
  async publish(data: Sent): Promise<void> {
    try {
      await this.subscription.publish(data);
    } catch (error) {
      throw $NAMEError.of(error);
    }
  }

  /** A page of the channel's log, where clients may read it. */
  async history(options: HistoryOptions): Promise<Array<Message>> {
    try {
      const page = await this.subscription.history(options);
      return page.publications.map((publication) => publication.data as Message);
    } catch (error) {
      throw $NAMEError.of(error);
    }
  }
}
"""
_CLASS: Final = """\
export class $NAME {
  readonly centrifuge: Centrifuge;

  /** A client of the app over a connection of the SDK, which stays the caller's to connect and to disconnect. */
  constructor(centrifuge: Centrifuge) {
    this.centrifuge = centrifuge;
  }
$BODY
  private async call(method: string, data: unknown): Promise<unknown> {
    try {
      return (await this.centrifuge.rpc(method, data)).data as unknown;
    } catch (error) {
      throw $NAMEError.of(error);
    }
  }
}
"""
