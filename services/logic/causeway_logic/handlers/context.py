"""What a handler has in its hands: who asks, until when, the clock, the ids, the app's entities and logs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from structlog.stdlib import BoundLogger

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import HistoryRequest
from causeway_logic.domain.shape import Shape
from causeway_logic.domain.values import PublicationPage, moment, optional_json
from causeway_logic.handlers.entity import Entity, Scope

M = TypeVar("M")


class Context:
    """One call. Made by the dispatcher.

    Attributes:
        user: who asks; "" is an anonymous user.
        client: the connection.
        deadline: when the caller stops waiting.
        log: the app's logger; its lines carry the trace id.
    """

    __slots__ = ("_info", "_meta", "_scope", "client", "deadline", "log", "user")

    def __init__(
        self, scope: Scope, client: str, log: BoundLogger, *, info: bytes | None = None, meta: bytes | None = None
    ) -> None:
        self._scope, self._info, self._meta = scope, info, meta
        self.user: str = scope.user
        self.client: str = client
        self.deadline: Deadline = scope.deadline
        self.log: BoundLogger = log

    @property
    def info(self) -> Any:
        """What the client's token or the connect hook says beside the user, decoded; None for nothing."""
        return optional_json(self._info)

    @property
    def meta(self) -> Any:
        """What the connection's hook or token noted for later hooks (refresh, sub_refresh), decoded; None for nothing."""
        return optional_json(self._meta)

    def now(self) -> datetime:
        """The time of day, aware, in UTC. The only clock: tests move it."""
        return moment(self._scope.outside.now_ms())

    def new_id(self) -> str:
        """An id of 32 hex digits, derived from the request: a rerun gets the same ids in the same order."""
        return self._scope.identity.new_id()

    def entity(self, model: type[M], id: str) -> Entity[M]:
        """The entity of this model and id; nothing is read yet.

        Raises:
            TypeError: the model has no usable kind.
        """
        return Entity(self._scope, Shape.of(model), id)

    async def history(self, channel: str, *, limit: int = 100, since: int = 0, reverse: bool = False) -> PublicationPage:
        """A page of the log of one of the app's own channels.

        Args:
            channel: its full name.
            limit: at most so many publications; a page may hold fewer (256 KiB) and then says `more`.
            since: forward, offsets above it (0: from the oldest); reverse, offsets below it (0: from the newest).
            reverse: newest first.

        Raises:
            CausewayError: unavailable, or the channel is not the app's.
        """
        request = HistoryRequest(channel=channel, since=since, limit=limit, reverse=reverse)
        return PublicationPage.of(await self._scope.outside.storage.history(request, self.deadline))
