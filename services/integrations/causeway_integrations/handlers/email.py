"""The `email` connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from causeway_common.contracts.connectors import EMAIL_SEND, EmailSent, SendEmail
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import NewRecord
from causeway_common.contracts.names import is_identifier
from causeway_integrations.domain.mail import Rendered, attach, mail_of
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed, of_smtp
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Operation, Records
from causeway_integrations.ports.mail import (
    AttachmentAwayError,
    AttachmentGoneError,
    Attachments,
    Mailer,
    MailFailedError,
    MailRefusedError,
    Templates,
)

REFUSED_CODE: Final = 422
FETCHING_MAX: Final = 4
"""So many e-mails with attachments by reference are in memory at once; the others wait in their records."""
FETCHING_PAUSE_MS: Final = 500


class EmailConnector:
    """Sends e-mail.

    Args:
        mailer: the server's.
        templates: by name.
        attachments: fetches what e-mails attach by reference.
        records: where a job is made for recipients whom the server did not take right now.
        sender: the From address.
        domain: behind the `@` of message ids.
    """

    def __init__(
        self, mailer: Mailer, templates: Templates, attachments: Attachments, records: Records, *, sender: str, domain: str
    ) -> None:
        self._mailer, self._templates, self._attachments, self._records = mailer, templates, attachments, records
        self._sender, self._domain = sender, domain
        self._fetching = 0

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {EMAIL_SEND.op: self.send}

    async def send(self, work: Work) -> Outcome:
        """Send it. A repeat has the same Message-ID, by which the receivers' side drops it.

        Raises:
            CausewayError: 107, the message or its template is wrong.
        """
        request = EMAIL_SEND.read_request(work.payload)
        if not any(each.url or each.file for each in request.attachments):
            return await self._sent(work, request)
        if self._fetching >= FETCHING_MAX:
            return Postponed("others' attachments are being fetched", FETCHING_PAUSE_MS)
        self._fetching += 1
        try:
            return await self._sent(work, request)
        finally:
            self._fetching -= 1

    async def _sent(self, work: Work, request: SendEmail) -> Outcome:
        if request.template:
            if not is_identifier(request.template):
                raise bad_request(f"a template's name is an identifier, got {request.template!r:.80}")
            rendered = await self._templates.render(request.template, request.data)
        else:
            rendered = Rendered(request.subject, request.text, request.html)
        message_id = f"<{work.key}@{self._domain}>"
        mail = mail_of(request, rendered, sender=self._sender, message_id=message_id, date_ms=work.created_ms)
        try:
            attach(mail.message, await self._attachments.fetch(request.attachments))
            refused = await self._mailer.send(mail)
        except AttachmentGoneError as error:
            return GivenUp(str(error), error.status, code=REFUSED_CODE)
        except AttachmentAwayError as error:
            return Failed(str(error), error.status, error.retry_after_ms)
        except MailRefusedError as error:
            return GivenUp(str(error), error.code, code=REFUSED_CODE)
        except MailFailedError as error:
            return Failed(str(error), error.code)
        await self._again(work, [address for address, told in refused.items() if of_smtp(int(told[:3])) == "retry"])
        note = f"sent {message_id}" + (f", refused: {', '.join(sorted(refused))}" if refused else "")
        return Done(note, 250, EMAIL_SEND.result(EmailSent(message_id=message_id, refused=dict(refused))))

    async def _again(self, work: Work, recipients: list[str]) -> None:
        """A job for those whom the server may take later: the others have the message already. Who calls is told, and asks again."""
        if work.waits or not recipients:
            return
        name = "mail_" + derived_id(work.id, *sorted(recipients))
        payload = {**work.payload, "only": sorted(recipients)}
        job = NewRecord(id=name, app=work.app, connector=work.connector, op=work.op, payload=payload, traceparent=work.traceparent)
        await self._records.enqueue([job], message_id=name)
