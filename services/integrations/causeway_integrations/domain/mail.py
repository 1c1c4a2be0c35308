"""An e-mail as it goes over the wire: checked, its headers made by the standard library's policy, which lets no line break through."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from causeway_common.contracts.connectors import Attachment, SendEmail
from causeway_common.contracts.errors import bad_request

RECIPIENTS_MAX: Final = 100
SUBJECT_MAX_CHARS: Final = 500
BODY_MAX_CHARS: Final = 256 * 1024
ATTACHMENTS_MAX: Final = 20
CONTENT_MAX_BYTES: Final = 192 * 1024
"""Of all attachments whose bytes stand in the message itself."""
ANY_TYPE: Final = "application/octet-stream"
_ADDRESS: Final = re.compile(r"(?:(?P<name>[^<>\x00-\x1f\x7f]{0,100})\s)?<(?P<in>[^<>\s]+)>|(?P<plain>[^<>\s]+)")
_SPEC: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_FILE_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\]{1,200}")
_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,100}/[a-z0-9.+-]{1,100}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Subject and bodies; "" where there is none."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope."""

    message: EmailMessage
    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment with its bytes."""

    name: str
    type: str
    content: bytes = field(repr=False)


def address_of(text: str) -> Address:
    """`ann@example.com` or `Ann <ann@example.com>`.

    Raises:
        CausewayError: 107, it is neither; control characters and line breaks are nowhere allowed.
    """
    match = _ADDRESS.fullmatch(text.strip(" "))
    spec = (match["in"] or match["plain"]) if match else ""
    if match is None or _SPEC.fullmatch(spec) is None or ".." in spec:
        raise bad_request(f"not an e-mail address: {text!r:.100}")
    return Address((match["name"] or "").strip(' "'), addr_spec=spec)


def mail_of(request: SendEmail, rendered: Rendered, *, sender: str, message_id: str, date_ms: int) -> Mail:
    """The message, still without its attachments (`attach`), which are checked here.

    Args:
        request: recipients, and what is to be attached.
        rendered: subject and bodies. A subject that a template made is one line; a given one must be.
        sender: the From address.
        message_id: with its angle brackets.
        date_ms: when it was asked for, the same at each try.

    Raises:
        CausewayError: 107, with the place of the fault.
    """
    addresses = {name: [address_of(each) for each in getattr(request, name)] for name in ("to", "cc", "bcc")}
    recipients = tuple(dict.fromkeys(each.addr_spec for found in addresses.values() for each in found))
    if request.only:
        recipients = tuple(each for each in recipients if each in request.only)
    if not 1 <= len(recipients) <= RECIPIENTS_MAX:
        raise bad_request(f"an e-mail has 1 to {RECIPIENTS_MAX} recipients, got {len(recipients)}")
    _check_texts(rendered)
    _check_attachments(request.attachments)
    origin = address_of(sender)
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = origin
        for name in ("to", "cc"):
            if addresses[name]:
                message[name.capitalize()] = addresses[name]
        if request.reply_to:
            message["Reply-To"] = address_of(request.reply_to)
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(date_ms / 1000, UTC))
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(rendered.text or "This message has an HTML part only.\n")
        if rendered.html:
            message.add_alternative(rendered.html, subtype="html")
    except (ValueError, MessageError, UnicodeError) as error:
        raise bad_request(f"the e-mail cannot be written: {error}") from error
    return Mail(message, origin.addr_spec, recipients)


def _check_texts(rendered: Rendered) -> None:
    if not rendered.subject or len(rendered.subject) > SUBJECT_MAX_CHARS or any(map(_breaks, rendered.subject)):
        raise bad_request(f"a subject is one line of 1 to {SUBJECT_MAX_CHARS} characters, none of them a control character")
    if not (rendered.text or rendered.html):
        raise bad_request("an e-mail has a text, an HTML body, or both")
    if len(rendered.text) + len(rendered.html) > BODY_MAX_CHARS:
        raise bad_request(f"the bodies of an e-mail have at most {BODY_MAX_CHARS} characters")


def attach(message: EmailMessage, attached: Sequence[Attached]) -> None:
    """Put files into the message. Raises CausewayError 107: one of them cannot be written."""
    for each in attached:
        main, _, sub = each.type.partition("/")
        try:
            message.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
        except (ValueError, MessageError, UnicodeError) as error:
            raise bad_request(f"the attachment {each.name!r:.80} cannot be written: {error}") from error


def media_type(header: str) -> str:
    """The media type of a Content-Type header, such as `application/pdf`; "" where it is none that may stand in a message."""
    found = header.partition(";")[0].strip().lower()
    return found if _TYPE.fullmatch(found) and not found.startswith(("multipart/", "message/")) else ""


def _check_attachments(attachments: Sequence[Attachment]) -> None:
    if len(attachments) > ATTACHMENTS_MAX:
        raise bad_request(f"an e-mail has at most {ATTACHMENTS_MAX} attachments, got {len(attachments)}")
    if sum(len(each.content) for each in attachments) > CONTENT_MAX_BYTES:
        raise bad_request(f"attachments in the message itself have at most {CONTENT_MAX_BYTES} bytes: name a url or a file instead")
    for each in attachments:
        if not _FILE_NAME.fullmatch(each.name) or media_type(each.type) != each.type:
            raise bad_request(f"an attachment has a file name and a media type, got {each.name!r:.80} and {each.type!r:.80}")
        if sum(map(bool, (each.content, each.url, each.file))) > 1:
            raise bad_request(f"the attachment {each.name!r:.80} has one of content, url and file")


def one_line(text: str) -> str:
    """What a template made of a subject, its line breaks and other white space made single spaces."""
    return " ".join("".join(" " if _breaks(c) else c for c in text).split())


def _breaks(character: str) -> bool:
    """Controls, line and paragraph separators, halves of surrogates; what joins emoji and letters is none of them."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
