"""What everything that one call does shares."""

from __future__ import annotations

import msgspec

from causeway_common.bus import Deadline
from causeway_logic.domain.declare import App
from causeway_logic.domain.identity import Identity
from causeway_logic.handlers.documents import Documents
from causeway_logic.handlers.locks import EntityLocks
from causeway_logic.ports import Outside


class Scope(msgspec.Struct, frozen=True):
    """One call, as what it does sees it.

    Attributes:
        outside: what it may reach.
        locks: of entities under edit in this process.
        documents: what was committed in this process lately.
        app: whose call it is.
        identity: the ids that a rerun makes again.
        user: who asks; "" is nobody.
        deadline: when the caller stops waiting.
        rerun: an earlier run with the same identity may have done some of this already. A change then runs only where its commit is
            not there yet: on the state that the earlier run left it might refuse what was done.
        remember_ms: a rerun may come for so long; 0: as long as a request may be sent again.
    """

    outside: Outside
    locks: EntityLocks
    documents: Documents
    app: App
    identity: Identity
    user: str
    deadline: Deadline
    rerun: bool = False
    remember_ms: int = 0
