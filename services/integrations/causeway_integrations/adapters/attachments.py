"""What e-mails attach by reference: URLs of allowed hosts under the rules of all outside requests, and files below one folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final
from urllib.parse import urlsplit

from causeway_common.contracts.connectors import Attachment
from causeway_common.contracts.errors import bad_request
from causeway_integrations.domain.endpoints import check_url
from causeway_integrations.domain.mail import ANY_TYPE, Attached, media_type
from causeway_integrations.domain.outcome import of_api
from causeway_integrations.domain.outside import AddressRefused, Answered, NotReached, Outgoing
from causeway_integrations.ports import Outside
from causeway_integrations.ports.mail import AttachmentAwayError, AttachmentGoneError

ANY_HOST: Final = "*"
IDENTITY: Final = ("", "identity")


class FetchedAttachments:
    """`ports.mail.Attachments`.

    Args:
        outside: fetches URLs.
        hosts: that URLs may name, in lower case; `*`: any.
        folder: of files; None: there is none.
        each_max: bytes of one attachment.
        all_max: bytes of all attachments of an e-mail.
        timeout_s: for all of them.
        now_ms: the time of day.
    """

    def __init__(
        self,
        outside: Outside,
        *,
        hosts: frozenset[str],
        folder: Path | None,
        each_max: int,
        all_max: int,
        timeout_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._outside, self._hosts, self._folder = outside, hosts, folder
        self._each_max, self._all_max, self._timeout_s, self._now_ms = each_max, all_max, timeout_s, now_ms

    async def fetch(self, attachments: Sequence[Attachment]) -> list[Attached]:
        """As the port says."""
        for each in attachments:
            self._check(each)
        found: list[Attached] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                for each in attachments:
                    left = self._all_max - sum(len(other.content) for other in found)
                    found.append(await self._one(each, min(self._each_max, left)))
        except TimeoutError as error:
            raise AttachmentAwayError(f"the attachments did not come within {self._timeout_s:g} s") from error
        return found

    def _check(self, each: Attachment) -> None:
        if each.url:
            try:
                check_url(each.url)
            except ValueError as error:
                raise bad_request(f"the url of the attachment {each.name!r:.80} {error}") from error
            host = (urlsplit(each.url).hostname or "").lower()
            if not {host, ANY_HOST} & self._hosts:
                raise bad_request(f"no attachment may come from {host}: integrations.email.attachment_hosts names the hosts")
        if each.file and self._folder is None:
            raise bad_request("no attachment may be a file: integrations.email.attachment_folder names their folder")

    async def _one(self, each: Attachment, limit: int) -> Attached:
        if each.url:
            return await self._from_url(each, limit)
        content = await asyncio.to_thread(self._read, each, limit) if each.file else each.content
        if len(content) > limit:
            raise self._too_large(each)
        return Attached(each.name, each.type, content)

    async def _from_url(self, each: Attachment, limit: int) -> Attached:
        answer = await self._outside.send(Outgoing("GET", each.url, timeout_s=self._timeout_s, max_bytes=limit))
        match answer:
            case AddressRefused(why):
                raise AttachmentGoneError(f"{each.name}: {why}")
            case NotReached(why):
                raise AttachmentAwayError(f"{each.name}: {why}")
            case Answered():
                return self._answered(each, answer, limit)

    def _answered(self, each: Attachment, answer: Answered, limit: int) -> Attached:
        if (verdict := of_api(answer.status)) != "done":
            why = f"{each.name}: its source answered {answer.status}"
            if verdict == "retry":
                raise AttachmentAwayError(why, answer.status, answer.retry_after_ms(self._now_ms()))
            raise AttachmentGoneError(why, answer.status)
        if len(answer.body) > limit:
            raise self._too_large(each)
        if answer.cut:
            raise AttachmentAwayError(f"{each.name}: its source broke off", answer.status)
        if answer.headers.get("content-encoding", "").strip().lower() not in IDENTITY:
            raise AttachmentGoneError(f"{each.name}: its source packs it, which was not asked for", answer.status)
        told = media_type(answer.headers.get("content-type", ""))
        if each.type not in (ANY_TYPE, told):
            raise AttachmentGoneError(f"{each.name}: its source sends {told or 'no media type'}, not {each.type}", answer.status)
        return Attached(each.name, told or each.type, answer.body)

    def _read(self, each: Attachment, limit: int) -> bytes:
        if self._folder is None:
            raise AssertionError("unreachable: it was checked")
        try:
            folder = self._folder.resolve(strict=True)
        except OSError as error:
            raise AttachmentAwayError(f"the folder of attachments cannot be read: {error.strerror}") from error
        try:
            path = (folder / each.file).resolve()
            if not path.is_relative_to(folder):
                raise bad_request(f"the file of the attachment {each.name!r:.80} is not below the folder of attachments")
            if not S_ISREG(path.stat().st_mode):
                raise AttachmentGoneError(f"{each.name}: it is no file")
            with path.open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise AttachmentGoneError(f"{each.name}: there is no such file") from error
        except OSError as error:
            raise AttachmentAwayError(f"{each.name}: it cannot be read: {error.strerror}") from error

    def _too_large(self, each: Attachment) -> AttachmentGoneError:
        return AttachmentGoneError(f"{each.name}: an attachment has at most {self._each_max} bytes, all together {self._all_max}")
