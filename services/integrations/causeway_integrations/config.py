"""The settings of integrations: section `[integrations]`, `CAUSEWAY_INTEGRATIONS_…`."""

from __future__ import annotations

import base64
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, ServiceSettings, Settings
from causeway_integrations.domain.webhook import Endpoint

_SECRET_RULE = "must be whsec_ and base64 (Standard Webhooks recommends 24 to 64 bytes)"  # noqa: S105 - a rule, no secret


class EndpointSettings(Settings):
    """One `[[integrations.webhook.endpoints]]`."""

    app: str = Field(description="the logic app whose events it gets")
    event: str = Field(min_length=1, max_length=200, description="the event's type, such as chat.message.created")
    url: str = Field(max_length=2048, description="http or https, without user and password")
    secret: SecretStr = Field(description="signing secret: whsec_ and base64, 24 to 64 bytes recommended")

    @field_validator("app")
    @classmethod
    def _app(cls, value: str) -> str:
        if not is_identifier(value):
            raise ValueError(f"an app's name is {IDENTIFIER_RULE}")
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a URL: http:// or https:// and a host")
        if "@" in parts.netloc or parts.fragment or not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
            raise ValueError("must have no user, password, fragment, space or non-ASCII character")
        if parts.port == 0:
            raise ValueError("must have a port from 1 to 65535")
        return value

    @field_validator("secret")
    @classmethod
    def _secret(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        encoded = text.removeprefix("whsec_")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except ValueError as error:
            raise ValueError(_SECRET_RULE) from error
        if encoded == text or not key:
            raise ValueError(_SECRET_RULE)
        return value

    def endpoint(self) -> Endpoint:
        """As the domain knows it."""
        return Endpoint(self.app, self.event, self.url, self.secret.get_secret_value())


class WebhookSettings(Settings):
    """`[integrations.webhook]`."""

    endpoints: list[EndpointSettings] = Field([], description="the receivers")
    max_attempts: int = Field(5, ge=1, le=100, description="tries of one delivery before it is dead")
    retry_initial: Duration = Field(1000, ge=1, description="delay after the first failure; each further one is four times as long")
    retry_max: Duration = Field(3_600_000, ge=1, description="no delay is longer")
    timeout: Duration = Field(10_000, ge=1, description="for one request, its answer included")
    allow_hosts: list[str] = Field([], description="host names and addresses that may be private or loopback")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [endpoint.endpoint().id for endpoint in self.endpoints]
        if len(set(ids)) < len(ids):
            raise ValueError("two endpoints have the same app, event and url")
        return self


class JwksSettings(Settings):
    """`[integrations.jwks]`: key sets that the gateway asks for."""

    urls: list[str] = Field([], description="the URLs that may be fetched; empty: any https URL of a public address")


class IntegrationsSettings(ServiceSettings):
    """What an integrations process may be told."""

    concurrency: int = Field(32, ge=1, le=1000, description="attempts at once")
    webhook: WebhookSettings = WebhookSettings()
    jwks: JwksSettings = JwksSettings()
