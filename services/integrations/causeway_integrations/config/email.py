"""`[integrations.email]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import Duration, Settings
from causeway_integrations.config.schedules import RetrySchedule
from causeway_integrations.domain.mail import address_of


class EmailSettings(Settings):
    """How e-mail leaves. Without `host` and `folder` there is no e-mail."""

    host: str = Field("", description="the mail server; empty: none")
    port: int = Field(587, ge=1, le=65535, description="its port")
    tls: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls (from the first byte) or none")
    ca_file: str = Field("", description="certificates to trust instead of the system's")
    username: str = Field("", description="to log in with; empty: no login")
    password: SecretStr = Field(SecretStr(""), description="with it; env:NAME and file:/PATH stand for the secret there")
    sender: str = Field("", description="the From address: ann@example.com or Ann <ann@example.com>")
    templates: Path | None = Field(None, description="folder of NAME.subject.txt, NAME.txt and NAME.html (Jinja2)")
    folder: Path | None = Field(None, description="for development: e-mails are written here instead")
    attachment_hosts: list[str] = Field([], description='hosts whose URLs may be attached; "*": any; none by default')
    attachment_folder: Path | None = Field(None, description="files below it may be attached; empty: none")
    attachment_max: int = Field(5 << 20, ge=1, le=25 << 20, description="bytes of one attachment that is fetched")
    attachments_max: int = Field(10 << 20, ge=1, le=25 << 20, description="bytes of all attachments of an e-mail")
    allow_hosts: list[str] = Field([], description="of attachment_hosts those that may be private or loopback")
    timeout: Duration = Field(15_000, ge=1, description="for one message; and for the attachments that are fetched before it")
    retry_schedule: RetrySchedule = Field(
        [0, 30_000, 300_000, 1_800_000, 7_200_000, 28_800_000, 86_400_000],
        description="the delay before each try, the first one 0s",
    )

    @field_validator("sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        if value:
            try:
                address_of(value)
            except CausewayError as error:
                raise ValueError("must be an e-mail address") from error
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.sender:
            raise ValueError("email.sender is needed where email.host or email.folder is set")
        return self

    @property
    def enabled(self) -> bool:
        """Whether e-mail can be sent."""
        return bool(self.host or self.folder)

    @property
    def domain(self) -> str:
        """Behind the @ of message ids."""
        return address_of(self.sender).domain
