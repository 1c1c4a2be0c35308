"""The root of a handler's context: who asks, until when, the clock, the ids, the app's entities."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from structlog.stdlib import BoundLogger

from causeway_common.bus import Deadline
from causeway_logic.domain.signatures import Asked
from causeway_logic.domain.values import moment, optional_json
from causeway_logic.handlers.entity import Entity
from causeway_logic.handlers.scope import Scope
from causeway_logic.handlers.threads import wait

M = TypeVar("M")
R = TypeVar("R")


class ContextBase(Asked):
    """What every call has.

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

    def wait(self, answer: Coroutine[Any, Any, R]) -> R:
        """For plain `def` handlers, which cannot await: `account = ctx.wait(ctx.entity(Account, id).edit(change))`.

        Raises:
            RuntimeError: this is an `async def` handler: await instead.
            Exception: what is awaited raises.
        """
        return wait(answer)

    def entity(self, model: type[M], id: str) -> Entity[M]:
        """The entity of this model and id; nothing is read yet.

        Raises:
            TypeError: the model has no usable kind.
        """
        return Entity(self._scope, self._scope.app.entity_type(model), id)
