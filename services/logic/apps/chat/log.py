"""The messages of a room's channel log, as they were sent."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from apps.chat.base import room_channel
from apps.chat.models import Message, MessagePublished
from causeway_logic import Context, PublicationPage, Reject

PAGE: Final = 200
PAGES_MAX: Final = 20


def sent_messages(page: PublicationPage) -> list[Message]:
    """The messages of a page. Edits, deletions and what else was published to the channel are none."""
    found: list[Message] = []
    for publication in page.publications:
        try:
            found.append(MessagePublished.model_validate(publication.data))
        except ValidationError:
            continue
    return found


async def sent_message(ctx: Context, room: str, id: str) -> Message:
    """One message. Its offset is its number or, behind edits and deletions, a larger one. Raises Reject 404 where the log has it not."""
    since = int(id) - 1
    for _ in range(PAGES_MAX):
        page = await ctx.history(room_channel(room=room), since=since, limit=PAGE)
        for message in sent_messages(page):
            if message.id == id:
                return plain(message)
        if not page.more or not page.publications:
            break
        since = page.publications[-1].offset
    raise Reject(404, "no such message")


def plain(message: Message) -> Message:
    """The message alone, without what it was published with."""
    return Message(**{name: getattr(message, name) for name in Message.model_fields})
