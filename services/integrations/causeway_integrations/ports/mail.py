"""What the `email` connector needs from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from causeway_common.contracts.messages import JsonMap
from causeway_integrations.domain.mail import Mail, Rendered


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


class Mailer(Protocol):
    """Hands messages to a mail server."""

    async def send(self, mail: Mail) -> Mapping[str, str]:
        """Send to those recipients that the server takes; the others with its reasons.

        Raises:
            MailRefusedError, MailFailedError: it took none.
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
