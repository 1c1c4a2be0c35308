"""The part of a handler's context that is about channels and who is there."""

from __future__ import annotations

from causeway_common.contracts.messages import HistoryRequest
from causeway_logic.domain.values import Channel, PublicationPage
from causeway_logic.handlers.asked import ContextBase


class Messaging(ContextBase):
    """Channels of the app's own namespaces."""

    __slots__ = ()

    async def history(self, channel: str | Channel, *, limit: int = 100, since: int = 0, reverse: bool = False) -> PublicationPage:
        """A page of the log of one of the app's own channels.

        Args:
            channel: its full name, or one that a pattern made.
            limit: at most so many publications; a page may hold fewer (256 KiB) and then says `more`.
            since: forward, offsets above it (0: from the oldest); reverse, offsets below it (0: from the newest).
            reverse: newest first.

        Raises:
            CausewayError: unavailable, or the channel is not the app's.
        """
        request = HistoryRequest(channel=str(channel), since=since, limit=limit, reverse=reverse)
        return PublicationPage.of(await self._scope.outside.storage.history(request, self.deadline))
