"""What a test is told."""

from __future__ import annotations

from causeway_common.contracts.errors import CausewayError, ErrorName


class HarnessError(Exception):
    """The test asks for what there is not, or waits for what will not come; the sentence says what to do."""


class NothingCameError(HarnessError):
    """`next` waits for a message, and the app is at rest."""


class CallError(Exception):
    """A user was answered with an error: what the app rejected with, or a row of the error table.

    Attributes:
        code: 400 to 1999 are the app's own, 100 to 112 the system's.
        message: as the client gets it.
        temporary: whether the client may try again.
        name: the row of the error table.
    """

    def __init__(self, code: int, message: str, *, temporary: bool = False, name: ErrorName = ErrorName.REJECTED) -> None:
        self.code, self.message, self.temporary, self.name = code, message, temporary, name
        super().__init__(code, message)

    def __str__(self) -> str:
        """`code: message`."""
        return f"{self.code}: {self.message}"

    @classmethod
    def of(cls, error: CausewayError) -> CallError:
        """The same error as a client sees it."""
        return cls(error.code, error.message, temporary=error.temporary, name=error.name)


class BrokenInvariantError(AssertionError):
    """`explore` found a schedule in which the app does what it must not.

    Attributes:
        seed: replays it: `explore(…, seed=this, schedules=1)`.
        steps: what happened, in order.
    """

    def __init__(self, message: str, seed: int, steps: tuple[str, ...]) -> None:
        super().__init__(message)
        self.seed, self.steps = seed, steps
