"""`[[integrations.sources]]` and `[integrations.hooks]`: webhooks that come in."""

from __future__ import annotations

import base64
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, Settings
from causeway_integrations.config.schedules import RetrySchedule
from causeway_integrations.domain.inbound import Source
from causeway_integrations.domain.secrets import is_reference


class SourceSettings(Settings):
    """One `[[integrations.sources]]`."""

    name: str = Field(description="/hooks/NAME; apps handle its events by on_event(NAME, …)")
    scheme: Literal["standard-webhooks", "stripe", "github"] = Field(description="standard-webhooks, stripe or github")
    secret: SecretStr = Field(description="of the sender's signatures; env:NAME and file:/PATH stand for the secret there")
    previous_secret: SecretStr = Field(SecretStr(""), description="the one before it, valid too while the sender changes")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not is_identifier(value):
            raise ValueError(f"a source's name is {IDENTIFIER_RULE}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for secret in (self.secret, self.previous_secret):
            text = secret.get_secret_value()
            if not text and secret is self.secret:
                raise ValueError("secret is needed")
            if text and self.scheme == "standard-webhooks" and not is_reference(text):
                _check_standard(text)
        return self

    def source(self, tolerance_ms: int) -> Source:
        """As the domain knows it."""
        secrets = [each.get_secret_value() for each in (self.secret, self.previous_secret)]
        return Source(self.name, self.scheme, [secret for secret in secrets if secret], tolerance_ms)


class HooksSettings(Settings):
    """The listener."""

    host: str = Field("127.0.0.1", description="address of the listener of /hooks")
    port: int = Field(0, ge=0, le=65535, description="its port; 0: there is none")
    max_body: int = Field(200 * 1024, ge=1024, le=240 * 1024, description="bytes of a body; a larger one is answered 413")
    tolerance: Duration = Field(300_000, ge=1000, description="how far a signature's time may be off")
    unclaimed_schedule: RetrySchedule = Field(
        [0, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 86_400_000],
        description="when an event that no app handled looks for one again; after the last it is kept as dead",
    )


def _check_standard(text: str) -> None:
    prefix, _, encoded = text.partition("_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if prefix not in {"whsec", "whpk"} or not key or (prefix == "whpk" and len(key) != 32):
        raise ValueError("secret must be whsec_ (or whpk_ for ed25519) and base64")
