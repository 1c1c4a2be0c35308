"""What the `email` connector needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from causeway_common.contracts.connectors import Attachment
from causeway_common.contracts.messages import JsonMap
from causeway_integrations.domain.mail import Attached, Mail, Rendered


class MailRefusedError(Exception):
    """The server will never take it. `code`: SMTP's."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


class MailFailedError(Exception):
    """The server did not take it and may later. `code`: SMTP's, 0 where there was no answer."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


class AttachmentGoneError(Exception):
    """What an attachment names will never come: gone, refused, too large, of another type. `status`: HTTP's, or 0."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class AttachmentAwayError(Exception):
    """What an attachment names did not come and may later. `status`: HTTP's, or 0; `retry_after_ms`: what its source asked for."""

    def __init__(self, why: str, status: int = 0, retry_after_ms: int = 0) -> None:
        super().__init__(why)
        self.status, self.retry_after_ms = status, retry_after_ms


class Mailer(Protocol):
    """Hands messages to a mail server."""

    async def send(self, mail: Mail) -> Mapping[str, str]:
        """Send to those recipients that the server takes; the others with its reasons.

        Raises:
            MailRefusedError, MailFailedError: it took none.
        """
        ...


class Attachments(Protocol):
    """Fetches what attachments name."""

    async def fetch(self, attachments: Sequence[Attachment]) -> list[Attached]:
        """All of them with their bytes, in order.

        Raises:
            AttachmentGoneError, AttachmentAwayError: as they say.
            CausewayError: 107, one names what no attachment may.
        """
        ...


class Templates(Protocol):
    """Makes texts of templates."""

    async def render(self, name: str, data: JsonMap) -> Rendered:
        """Subject and bodies.

        Raises:
            CausewayError: 107, there is no such template, or it fails on this data.
        """
        ...
