"""The settings of who operates: the keys of the server API, and the operator's console."""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.runtime import Settings
from causeway_gateway.domain.keyring import METHODS, OPERATIONS, WRITES, ApiCaller, KeyRing

CONSOLE_KEY_MIN: Final = 16
TRACE_ID: Final = "{trace_id}"


class ApiKeySettings(Settings):
    """A key of the server API with rights of its own."""

    name: str = Field(min_length=1, description="who has it")
    key: SecretStr = Field(min_length=1, description="what X-API-Key must hold")
    methods: list[str] = Field(
        default_factory=list, description="the methods and operations it may call; empty: all, operations only without `namespaces`"
    )
    namespaces: list[str] = Field(default_factory=list, description='the namespaces it may use ("" is without one); empty: all')

    @field_validator("methods")
    @classmethod
    def _methods_that_are(cls, value: list[str]) -> list[str]:
        return _known(value, METHODS | OPERATIONS, "method")

    def caller(self) -> ApiCaller:
        """Whoever has this key."""
        return ApiCaller(self.name, frozenset(self.methods) or None, frozenset(self.namespaces) or None)


class HttpApiSettings(Settings):
    """The server API."""

    disabled: bool = Field(default=False, description="no server API")
    key: SecretStr = Field(SecretStr(""), description="what X-API-Key must hold; it may do everything; empty: no such key")
    keys: list[ApiKeySettings] = Field(default_factory=list, description="more keys, each with rights of its own")
    port: int = Field(0, ge=0, le=65535, description="a port of the server API's own; 0: it is served on the public one")

    def ring(self) -> KeyRing:
        """Every key; none where the API is off."""
        if self.disabled:
            return KeyRing([])
        named = [(key.key.get_secret_value(), key.caller()) for key in self.keys]
        return KeyRing([(self.key.get_secret_value(), ApiCaller("key")), *named])


class ConsoleKeySettings(Settings):
    """A key of the console with rights of its own."""

    name: str = Field(min_length=1, description="who has it, as the audit records tell it")
    key: SecretStr = Field(description=f"what is typed into the page, at least {CONSOLE_KEY_MIN} characters")
    read_only: bool = Field(default=False, description="it changes nothing")
    operations: list[str] = Field(default_factory=list, description="the operations it may call; empty: all")

    @field_validator("key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        return _long(value)

    @field_validator("operations")
    @classmethod
    def _operations_that_are(cls, value: list[str]) -> list[str]:
        return _known(value, OPERATIONS, "operation")

    def caller(self) -> ApiCaller:
        """Whoever has this key."""
        allowed = frozenset(self.operations) or OPERATIONS
        if self.read_only:
            allowed -= WRITES
        return ApiCaller(self.name, None if allowed == OPERATIONS else allowed)


class ConsoleSettings(Settings):
    """The operator's console."""

    enabled: bool = Field(default=False, description="serve the operator's console: a page at `/console`, and what it calls")
    address: str = Field("127.0.0.1", description="its address; empty: all of IPv4")
    port: int = Field(8100, ge=0, le=65535, description="its port, which is its own; 0: any free one")
    key: SecretStr = Field(
        SecretStr(""),
        description=f"what opens it, and may do everything; at least {CONSOLE_KEY_MIN} characters; empty: no such key",
    )
    keys: list[ConsoleKeySettings] = Field(default_factory=list, description="more keys, each with rights of its own")
    directory: str = Field("", description="the folder of the built page, read at the start; empty: no page, only what it calls")
    trace_url: str = Field(
        "", description="where a trace is shown, such as `http://jaeger:16686/trace/{trace_id}`; empty: ids without links"
    )

    @field_validator("key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        return _long(value) if value.get_secret_value() else value

    @field_validator("trace_url")
    @classmethod
    def _a_template(cls, value: str) -> str:
        if value and (TRACE_ID not in value or urlsplit(value).scheme not in {"http", "https"}):
            raise ValueError(f"it is an http(s) URL with {TRACE_ID} in it")
        return value

    @model_validator(mode="after")
    def _can_be_opened(self) -> Self:
        if self.enabled and not len(self.ring()):
            raise ValueError("console.enabled needs console.key or console.keys")
        return self

    def ring(self) -> KeyRing:
        """Every key."""
        named = [(each.key.get_secret_value(), each.caller()) for each in self.keys]
        return KeyRing([(self.key.get_secret_value(), ApiCaller("console")), *named])


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < CONSOLE_KEY_MIN:
        raise ValueError(f"it has at least {CONSOLE_KEY_MIN} characters")
    return value


def _known(value: list[str], known: frozenset[str], what: str) -> list[str]:
    if unknown := sorted(set(value) - known):
        raise ValueError(f"no such {what}: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return value
