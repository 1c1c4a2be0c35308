"""`[integrations.webhook]`: signed requests to the configured endpoints."""

from __future__ import annotations

import base64
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, Settings
from causeway_integrations.config.schedules import RetrySchedule
from causeway_integrations.domain.endpoints import check_url
from causeway_integrations.domain.secrets import is_reference
from causeway_integrations.domain.webhook import Endpoint

_SECRET_RULE = "must be whsec_ and base64 (Standard Webhooks recommends 24 to 64 bytes), or whsk_ and an ed25519 key"  # noqa: S105 - a rule, no secret


class EndpointSettings(Settings):
    """One `[[integrations.webhook.endpoints]]`."""

    app: str = Field(description="the logic app whose events it gets")
    event: str = Field(min_length=1, max_length=200, description="the event's type, such as chat.message.created")
    url: str = Field(max_length=2048, description="http or https, without user and password")
    secret: SecretStr = Field(
        description="signs: whsec_ and base64 (24 to 64 bytes recommended), or whsk_ for ed25519; env:NAME and file:/PATH too"
    )
    previous_secret: SecretStr = Field(SecretStr(""), description="the one before it, signs too while the receiver changes over")
    rate_limit: float = Field(0, ge=0, description="requests a second, of all processes together; 0: no limit")
    ordered: bool = Field(False, description="it gets the events of one key (the entity, or the one given) one after the other")

    @field_validator("app")
    @classmethod
    def _app(cls, value: str) -> str:
        if not is_identifier(value):
            raise ValueError(f"an app's name is {IDENTIFIER_RULE}")
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return check_url(value)

    @field_validator("secret", "previous_secret")
    @classmethod
    def _secret(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not is_reference(text):
            _check_secret(text)
        return value

    def endpoint(self) -> Endpoint:
        """As the domain knows it."""
        secret, previous = self.secret.get_secret_value(), self.previous_secret.get_secret_value()
        return Endpoint(self.app, self.event, self.url, secret, previous, self.rate_limit, ordered=self.ordered)


def _check_secret(text: str) -> None:
    prefix, _, encoded = text.partition("_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError as error:
        raise ValueError(_SECRET_RULE) from error
    if not key or prefix not in {"whsec", "whsk"} or (prefix == "whsk" and len(key) not in {32, 64}):
        raise ValueError(_SECRET_RULE)


class WebhookSettings(Settings):
    """`[integrations.webhook]`."""

    endpoints: list[EndpointSettings] = Field([], description="the receivers")
    retry_schedule: RetrySchedule = Field(
        [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000],
        description="the delay before each try of a delivery, the first one 0s; up to a tenth is added at random; after the last it is dead",
    )
    disable_after: Duration = Field(
        5 * 86_400_000, ge=1, description="an endpoint that did nothing but fail for so long is disabled"
    )
    timeout: Duration = Field(15_000, ge=1, description="for one request, its answer included")
    max_payload: int = Field(200 * 1024, ge=1, le=240 * 1024, description="bytes of an event's body; a larger one is dead at once")
    allow_hosts: list[str] = Field([], description="host names and addresses that may be private or loopback")
    secrets_key: SecretStr = Field(
        SecretStr(""),
        description="encrypts in the database the secrets of endpoints that are added: base64 of 32 bytes; env:NAME and file:/PATH too",
    )
    previous_secrets_key: SecretStr = Field(SecretStr(""), description="the one before it, while it is changed")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [endpoint.endpoint().id for endpoint in self.endpoints]
        if len(set(ids)) < len(ids):
            raise ValueError("two endpoints have the same app, event and url")
        return self
