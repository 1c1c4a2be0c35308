"""What the console's page asks first: where it is, and what its key may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from causeway_common.bus import Deadline
from causeway_gateway.domain.figures import STEP_MS, WINDOW_MS
from causeway_gateway.domain.keyring import OPERATIONS, ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body


class AboutConsole(Body, frozen=True):
    """Where am I?"""


class ConsoleShown(Body, frozen=True, omit_defaults=False):
    """The gateway that answers, who asks, and which operations they may call.

    `trace_url` has `{trace_id}` in it, "": traces are shown nowhere. `step_ms` and `window_ms`: how often figures are taken, and for how
    long they are kept.
    """

    version: str
    node: str
    caller: str
    operations: list[str]
    trace_url: str
    storage: str
    now_ms: int
    step_ms: int = STEP_MS
    window_ms: int = WINDOW_MS


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while this gateway runs."""

    version: str
    node: str
    trace_url: str = ""


class ConsoleOperations:
    """Answers the page.

    Args:
        about: this gateway.
        database: what storage keeps its data in, "" while that is not known.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(self, about: About, database: Callable[[], str], wall: Callable[[], int]) -> None:
        self._about, self._database, self._wall = about, database, wall

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {"console.info": (AboutConsole, ConsoleShown, self.info)}

    async def info(self, _request: AboutConsole, caller: ApiCaller, _deadline: Deadline) -> Body:
        """Never fails."""
        return ConsoleShown(
            version=self._about.version,
            node=self._about.node,
            caller=caller.name,
            operations=sorted(filter(caller.may_operate, OPERATIONS)),
            trace_url=self._about.trace_url,
            storage=self._database(),
            now_ms=self._wall(),
        )
