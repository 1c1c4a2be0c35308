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
