"""`[[integrations.apis]]` and `[integrations.http]`: declared outside APIs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, Settings
from causeway_integrations.config.schedules import RetrySchedule
from causeway_integrations.domain.api import Api

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection", "traceparent", "content-type", "if-none-match"})


class ApiSettings(Settings):
    """One `[[integrations.apis]]`."""

    name: str = Field(description="http.NAME is its operation")
    base_url: str = Field(max_length=2048, description="http or https; all its requests begin with it")
    methods: list[str] = Field(["GET"], description="methods that may be used")
    headers: dict[str, SecretStr] = Field({}, description="of every request; env:NAME and file:/PATH stand for the secret there")
    timeout: Duration = Field(3_000, ge=1, description="for one request, its answer included")
    retries: RetrySchedule = Field([0, 100, 500], description="before each request of one call, as far as its time reaches")
    retry_schedule: RetrySchedule = Field([0, 5_000, 60_000, 600_000, 3_600_000], description="before each try of a job")
    rate_limit: float = Field(0, ge=0, description="requests a second of one process; 0: no limit")
    cache: Duration = Field(0, description="how long an answer to GET is fresh that says nothing itself")
    stale_if_error: Duration = Field(0, description="how long after that it still serves while the API fails")
    breaker_failures: int = Field(5, ge=1, description="failures in a row that open the breaker, for all processes")
    breaker_pause: Duration = Field(5_000, ge=1, description="how long it stays open at first; each further time twice as long")
    max_bytes: int = Field(256 * 1024, ge=1, le=512 * 1024, description="of an answer")
    idempotency_header: str = Field(
        "", description="carries the key of what is asked, where the API takes one: then any method is retried"
    )

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not is_identifier(value):
            raise ValueError(f"an API's name is {IDENTIFIER_RULE}")
        return value

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be a URL: http:// or https:// and a host, no user, query or fragment")
        if not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
            raise ValueError("must have no space or non-ASCII character")
        return value

    @field_validator("methods")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if not value or not _METHODS.issuperset(value):
            raise ValueError(f"are some of {', '.join(sorted(_METHODS))}")
        return value

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            text = secret.get_secret_value()
            if not _HEADER.fullmatch(name) or name.lower() in _RESERVED or any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
                raise ValueError(f"{name!r:.40} is no header that can be set, or its value has a control character")
        return value

    def api(self) -> Api:
        """As the domain knows it."""
        return Api(
            name=self.name,
            base_url=self.base_url,
            methods=frozenset(self.methods),
            headers={name.lower(): value.get_secret_value() for name, value in self.headers.items()},
            timeout_ms=self.timeout,
            max_bytes=self.max_bytes,
            rate_limit=self.rate_limit,
            cache_ms=self.cache,
            stale_ms=self.stale_if_error,
            idempotency_header=self.idempotency_header.lower(),
        )


class HttpSettings(Settings):
    """`[integrations.http]`."""

    allow_hosts: list[str] = Field([], description="host names and addresses of APIs that may be private or loopback")
