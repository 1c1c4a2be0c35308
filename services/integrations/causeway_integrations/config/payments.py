"""`[integrations.payments]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, Settings
from causeway_integrations.config.schedules import RetrySchedule


class PaymentsSettings(Settings):
    """Who takes the money."""

    provider: Literal["", "stripe", "test"] = Field("", description="stripe; test (no money, for development); empty: none")
    api_key: SecretStr = Field(SecretStr(""), description="Stripe's secret key; env:NAME and file:/PATH stand for the secret there")
    base_url: str = Field("", description="of the provider's API; empty: its own")
    allow_hosts: list[str] = Field([], description="host names and addresses of base_url that may be private or loopback")
    timeout: Duration = Field(10_000, ge=1, description="for one request")
    source: str = Field("stripe", description="the source in whose name the test provider sends its webhooks")
    folder: Path | None = Field(None, description="keeps the payments of the test provider; empty: the process's memory does")
    retry_schedule: RetrySchedule = Field(
        [0, 5_000, 60_000, 600_000, 3_600_000, 21_600_000], description="the delay before each try of a job, the first one 0s"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "stripe" and not self.api_key.get_secret_value():
            raise ValueError("payments.api_key is needed for stripe")
        if not is_identifier(self.source):
            raise ValueError(f"payments.source is {IDENTIFIER_RULE}")
        return self
