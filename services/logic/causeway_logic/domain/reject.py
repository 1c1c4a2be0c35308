"""An app's own refusal."""

from __future__ import annotations

from causeway_common.contracts.errors import CausewayError, ErrorName


class Reject(CausewayError):  # noqa: N818 - an app says `raise Reject(409, "...")`
    """Refuse a call: the client gets this code and message as they are.

    Args:
        code: 400 to 1999; the numbers of HTTP are a good choice.
        message: for the client.
        temporary: whether the same call may succeed later.

    Raises:
        ValueError: a code outside the applications' range.
    """

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(ErrorName.REJECTED, message, code=code, temporary=temporary)


class Deleted(Reject):
    """404 of an edit that was committed by an earlier run, of an entity that was deleted since: there is no state to return.

    To change an entity and delete it in one commit, give the change to `delete`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(404, f"this {kind} was deleted")
