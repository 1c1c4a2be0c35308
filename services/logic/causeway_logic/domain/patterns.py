"""Typed families of channels: `lot:{lot_id}` makes channels of values, and finds the values of a channel again."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import ChannelSpec
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, NAMESPACE_SEPARATOR, USERS_BOUNDARY
from causeway_logic.domain.channel_hooks import ChannelHooks
from causeway_logic.domain.signatures import adapter
from causeway_logic.domain.values import Channel, json_schema

_PARTS: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_FORBIDDEN: Final = rf"\x00-\x20\x7f\ud800-\udfff{USERS_BOUNDARY}"
"""A value holds none of these: `#` begins the users of a channel, nothing else may read blanks and control characters as ends, and half a character is none."""


class ChannelPattern(ChannelHooks):
    """A family of a namespace's channels. Made by `Namespace.channel`; called with its fields' values it makes a `Channel`.

    Args:
        namespace: the namespace's name.
        pattern: literal text and fields: `{room_id}`, `{room_id}.{user}`. Text stands between two fields.
        message: the type of every message there; None: any JSON.
        services: the app's, as they are when a hook is declared.

    Raises:
        ValueError: a pattern of another form.
        TypeError: a message of a type that pydantic does not know.
    """

    def __init__(self, namespace: str, pattern: str, message: Any, services: Collection[Any]) -> None:
        self.namespace, self.pattern = namespace, f"{namespace}{NAMESPACE_SEPARATOR}{pattern}"
        self._parts = _PARTS.split(pattern)  # text, field, text, field, …, text
        self.fields = tuple(self._parts[1::2])
        self._regex = re.compile(_regex(self.pattern, self._parts))
        self.message: TypeAdapter[Any] | None = None if message is None else adapter(message, f"the message of {self.pattern}")
        super().__init__(f"the channel {self.pattern}", services, frozenset(self.fields))

    def __call__(self, **values: object) -> Channel:
        """The channel of these values.

        Raises:
            TypeError: a field is missing, or there is none of that name.
            CausewayError: 107, a value would break out of the pattern, is empty, or the channel would be longer than 255 bytes.
        """
        if values.keys() != set(self.fields):
            raise TypeError(f"{self.pattern} takes {', '.join(self.fields) or 'no fields'}, got {', '.join(values) or 'none'}")
        texts = {field: str(value) for field, value in values.items()}
        behind = "".join(part if n % 2 == 0 else texts[part] for n, part in enumerate(self._parts))
        if self.match(behind) != texts:
            raise bad_request(f"{', '.join(self.fields)}: not usable in the channel {self.pattern}")
        channel = Channel(f"{self.namespace}{NAMESPACE_SEPARATOR}{behind}", self.namespace, behind)
        if len(channel.name.encode()) > CHANNEL_MAX_BYTES:
            raise bad_request(f"a channel has at most {CHANNEL_MAX_BYTES} bytes, {self.pattern} would have more")
        return channel

    def match(self, id: str) -> Mapping[str, str] | None:
        """The values of a channel's name behind its namespace; None where it is of another family."""
        found = self._regex.fullmatch(id)
        return None if found is None else found.groupdict()

    def spec(self) -> ChannelSpec:
        """The family as the manifest announces it."""
        return ChannelSpec(pattern=self.pattern, message=json_schema(self.message, "serialization") if self.message else "")


def _regex(name: str, parts: list[str]) -> str:
    texts, fields = parts[::2], parts[1::2]
    if len(set(fields)) != len(fields):
        raise ValueError(f"{name} names a field twice")
    if any("{" in text or "}" in text or re.search(f"[{_FORBIDDEN}]", text) for text in texts):
        raise ValueError(f"{name} is no pattern: literal text, and fields such as {{lot_id}}; no blank and no {USERS_BOUNDARY}")
    if any(not text for text in texts[1:-1]):
        raise ValueError(f"{name} has two fields without text between them: nobody could tell where the one ends")
    found = re.escape(texts[0])
    for field, text in zip(fields, texts[1:], strict=True):
        stop = f"(?!{re.escape(text)})" if text else ""
        found += f"(?P<{field}>(?:{stop}[^{_FORBIDDEN}])+){re.escape(text)}"
    return found
