"""What a handler has in its hands."""

from __future__ import annotations

from causeway_logic.handlers.calling import Calling
from causeway_logic.handlers.durability import Durability
from causeway_logic.handlers.messaging import Messaging


class Context(Messaging, Calling, Durability):
    """One call. Made by the dispatcher; its parts are in `asked`, `messaging`, `calling` and `durability`.

    Attributes:
        user: who asks; "" is an anonymous user.
        client: the connection.
        deadline: when the caller stops waiting.
        log: the app's logger; its lines carry the trace id.
    """

    __slots__ = ()
