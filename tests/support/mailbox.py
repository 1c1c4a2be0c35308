"""A real mail server on loopback (aiosmtpd), in the test's own event loop, that keeps what it takes and refuses what it is told to."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from support.nats import free_port


@dataclass
class Received:
    """A message and its envelope."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes
    user: str


@dataclass
class Mailbox:
    """The server. `refuse` gives the answer to a recipient, `answers` those to the next messages; "" takes it. `hangs`: never answers this one."""

    context: ssl.SSLContext | None = None
    tls: str = "none"
    password: str = ""
    hangs: str = ""
    refuse: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _open: set[asyncio.BaseTransport] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        direct = self.context if self.tls == "tls" else None
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", self.port, ssl=direct)

    async def stop(self) -> None:
        """Listen no more."""
        self.released.set()
        if self._server is not None:
            self._server.close()
            for transport in self._open:
                transport.close()
            await self._server.wait_closed()

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of logins without TLS, which a test of them needs
            return self._made()

    def _made(self) -> SMTP:
        return SMTP(
            self,
            hostname="mail.test",
            tls_context=self.context if self.tls == "starttls" else None,
            require_starttls=self.tls == "starttls",
            authenticator=self._authenticated if self.password else None,
            auth_required=bool(self.password),
            auth_require_tls=False,
            enable_SMTPUTF8=False,
        )

    def _authenticated(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == self.password.encode()
        return AuthResult(success=good, handled=False, auth_data=data)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient."""
        if address == self.hangs:
            await self.released.wait()
        if answer := self.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """A message."""
        if self.answers and (answer := self.answers.pop(0)):
            return answer
        raw = cast("bytes", envelope.original_content)
        message = BytesParser(policy=default).parsebytes(raw)
        login: Any = session.auth_data
        user = login.login.decode() if isinstance(login, LoginPassword) else ""
        self.received.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), message, raw, user))
        return "250 OK"
