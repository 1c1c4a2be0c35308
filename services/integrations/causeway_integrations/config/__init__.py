"""The settings of integrations: section `[integrations]`, `CAUSEWAY_INTEGRATIONS_…`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from causeway_common.contracts.names import is_identifier
from causeway_common.runtime import ServiceSettings, Settings
from causeway_integrations.config.apis import ApiSettings, HttpSettings
from causeway_integrations.config.email import EmailSettings
from causeway_integrations.config.hooks import HooksSettings, SourceSettings
from causeway_integrations.config.payments import PaymentsSettings
from causeway_integrations.config.webhook import EndpointSettings, WebhookSettings


class JwksSettings(Settings):
    """`[integrations.jwks]`: key sets that the gateway asks for."""

    urls: list[str] = Field([], description="the URLs that may be fetched; empty: any https URL of a public address")


class IntegrationsSettings(ServiceSettings):
    """What an integrations process may be told."""

    concurrency: int = Field(64, ge=1, le=1000, description="attempts of jobs at once")
    per_destination: int = Field(16, ge=1, le=1000, description="of these, attempts at one destination")
    calls_per_destination: int = Field(
        32, ge=1, le=1000, description="calls under way to one destination; beyond it the answer is 111"
    )
    permissions: dict[str, list[str]] = Field(
        {}, description='by app ("*": every one) the operations that it may use: connector.op, connector.* or *'
    )
    connectors: dict[str, dict[str, Any]] = Field(
        {},
        repr=False,
        description="sections of connectors from other distributions, by name; allow_hosts in one names hosts that may be private",
    )
    webhook: WebhookSettings = WebhookSettings()
    apis: list[ApiSettings] = Field([], description="declared outside APIs")
    http: HttpSettings = HttpSettings()
    email: EmailSettings = EmailSettings()
    payments: PaymentsSettings = PaymentsSettings()
    hooks: HooksSettings = HooksSettings()
    sources: list[SourceSettings] = Field([], description="senders of inbound webhooks")
    jwks: JwksSettings = JwksSettings()

    @field_validator("permissions")
    @classmethod
    def _permissions(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for app, operations in value.items():
            if app != "*" and not is_identifier(app):
                raise ValueError(f"{app!r:.80} is no app's name")
            for operation in operations:
                connector, _, op = operation.partition(".")
                if operation != "*" and not (is_identifier(connector) and (op == "*" or is_identifier(op))):
                    raise ValueError(f"{operation!r:.80} is no operation: connector.op, connector.* or *")
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _once("apis", (api.name for api in self.apis))
        _once("sources", (source.name for source in self.sources))
        return self


def _once(what: str, names: Iterable[str]) -> None:
    found = list(names)
    if len(set(found)) < len(found):
        raise ValueError(f"two of {what} have the same name")


__all__ = ["EndpointSettings", "IntegrationsSettings", "WebhookSettings"]
