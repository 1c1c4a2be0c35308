"""Mail servers by aiosmtplib, the outbox folder of development, and templates by Jinja2's sandbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import aiosmtplib
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import JsonMap
from causeway_common.telemetry import get_logger
from causeway_integrations.domain.mail import Mail, Rendered, one_line
from causeway_integrations.domain.outcome import of_smtp
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.ports.mail import MailFailedError, MailRefusedError

log = get_logger("integrations")
Tls = Literal["none", "starttls", "tls"]
AUTH_CODES: Final = frozenset({530, 534, 535, 538})
"""Our own credentials are wrong: nothing that the message is to blame for, so it waits until they are right."""


class SmtpMailer:
    """`ports.mail.Mailer`, a connection for each message.

    Args:
        host: of the server.
        port: of the server.
        tls: `none`; `starttls`: refused where the server does not offer it; `tls` from the first byte.
        username: to log in with; "" does not.
        password: with it, or a reference.
        timeout_s: for each step.
        reveal: secrets by reference.
        ca_file: trusted beside the system's; "" none.
    """

    def __init__(
        self, *, host: str, port: int, tls: Tls, username: str, password: str, timeout_s: float, reveal: Reveal, ca_file: str = ""
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._username, self._password, self._timeout_s, self._reveal, self._ca_file = (
            username,
            password,
            timeout_s,
            reveal,
            ca_file,
        )

    async def send(self, mail: Mail) -> Mapping[str, str]:
        """As the port says."""
        try:
            refused, _ = await aiosmtplib.send(
                mail.message,
                sender=mail.sender,
                recipients=list(mail.recipients),
                hostname=self._host,
                port=self._port,
                username=self._username or None,
                password=self._reveal(self._password) if self._username else None,
                use_tls=self._tls == "tls",
                start_tls=self._tls == "starttls",
                cert_bundle=self._ca_file or None,
                timeout=self._timeout_s,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _of_recipients(error) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _of_code(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailFailedError(f"no mail server: {type(error).__name__}: {error}") from error
        return {address: f"{response.code} {response.message}" for address, response in refused.items()}


class FolderMailer:
    """`ports.mail.Mailer` that writes messages to a folder, for development: `<message id>.eml`, so that a repeat is the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> Mapping[str, str]:
        """Write it."""
        name = str(mail.message["Message-ID"]).strip("<>").partition("@")[0]
        try:
            await asyncio.to_thread(self._write, name, bytes(mail.message))
        except OSError as error:
            raise MailFailedError(f"{self._folder} cannot be written: {error.strerror}") from error
        log.info("an e-mail was written to the folder", file=f"{name}.eml", recipients=len(mail.recipients))
        return {}

    def _write(self, name: str, message: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes(message)
        os.replace(unfinished, self._folder / f"{name}.eml")  # noqa: PTH105 - atomic, said by its name


class JinjaTemplates:
    """`ports.mail.Templates` in a folder: `<name>.subject.txt` and `<name>.txt`, `<name>.html` or both.

    The sandbox lets a template reach nothing but its data; HTML is escaped; a name that the data has not is an error.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder), autoescape=select_autoescape(("html",)), undefined=StrictUndefined, auto_reload=True
        )

    async def render(self, name: str, data: JsonMap) -> Rendered:
        """As the port says."""
        return await asyncio.to_thread(self._render, name, data)

    def _render(self, name: str, data: JsonMap) -> Rendered:
        subject = self._part(f"{name}.subject.txt", data)
        text, html = self._part(f"{name}.txt", data), self._part(f"{name}.html", data)
        if subject is None or (text is None and html is None):
            raise bad_request(f"there is no e-mail template {name}: it is {name}.subject.txt and {name}.txt or {name}.html")
        return Rendered(one_line(subject), text or "", html or "")

    def _part(self, file: str, data: JsonMap) -> str | None:
        try:
            return self._environment.get_template(file).render(data)
        except TemplateNotFound:
            return None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
            raise bad_request(f"the template {file} fails: {type(error).__name__}: {error}") from error


class NoTemplates:
    """`ports.mail.Templates` where none are configured."""

    async def render(self, name: str, data: JsonMap) -> Rendered:
        """There is none."""
        raise bad_request(
            f"there is no e-mail template {name}: integrations.email.templates names no folder ({len(data)} fields given)"
        )


def _of_code(code: int, message: str) -> MailRefusedError | MailFailedError:
    told = f"{code} {message}"
    return MailRefusedError(told, code) if of_smtp(code) == "give_up" and code not in AUTH_CODES else MailFailedError(told, code)


def _of_recipients(error: aiosmtplib.SMTPRecipientsRefused) -> MailRefusedError | MailFailedError:
    """All were refused: for good only where each was."""
    told = "; ".join(f"{each.recipient}: {each.code} {each.message}" for each in error.recipients)
    passing = [each.code for each in error.recipients if of_smtp(each.code) != "give_up"]
    return MailFailedError(told, passing[0]) if passing else MailRefusedError(told, error.recipients[0].code)
