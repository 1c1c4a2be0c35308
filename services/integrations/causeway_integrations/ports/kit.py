"""What a connector of your own is made of. Everything that it needs of this package can be imported from here.

A distribution declares it as an entry point of the group `causeway.connectors`; the entry point's name is the connector's:

    [project.entry-points."causeway.connectors"]
    fax = "causeway_connector_fax:connector"

It is made where the configuration has a section `[integrations.connectors.fax]`, by calling that function with the section and a `Kit`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from causeway_common.contracts.errors import CausewayError, bad_request
from causeway_common.contracts.messages import JsonMap
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached, Outgoing
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Connector, Operation, Outside, Schedule
from causeway_integrations.ports.attempt import attempt

GROUP: Final = "causeway.connectors"
ATTEMPT_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class Kit:
    """What the process offers a connector.

    Attributes:
        http: sends requests: addresses checked and pinned, no redirects, bounded. Private hosts only where the section's `allow_hosts` names them.
        reveal: the secret that a setting is or refers to (`env:NAME`, `file:/PATH`); ask each time, it may change.
        schedule: a retry schedule of the delays in ms before each try, the first one 0.
        now_ms: the time of day.
        add: gives the process something to start and to stop, in this order.
    """

    http: Outside
    reveal: Reveal
    schedule: Callable[[Sequence[int]], Schedule]
    now_ms: Callable[[], int]
    add: Callable[[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]], None]


Factory = Callable[[Mapping[str, Any], Kit], Connector]
"""Makes a connector of its section of the configuration. Raises ValueError where a setting is wrong; one line says which and what is allowed."""


def nowhere(_work: Work) -> str:
    """A `destination` for a connector that talks to one place."""
    return ""


async def tried(
    connector: Connector, op: str, payload: JsonMap, *, key: str = "key-1", app: str = "test", waits: bool = False
) -> Outcome:
    """For tests: one attempt as the service makes it, its time limit and the classification of what is raised included.

    Args:
        connector: under test.
        op: of its operations. Raises KeyError where it has none of this name.
        payload: as an app sends it.
        key: the same at every try of one job.
        app: on whose behalf.
        waits: a call; else a try of a job.
    """
    work = Work(app, connector.name, op, payload, key, f"id-{key}", 0, waits=waits)
    return await attempt(connector.operations[op], work, connector.limit_ms(op))


__all__ = [
    "ATTEMPT_MS",
    "GROUP",
    "AddressRefused",
    "Answer",
    "Answered",
    "CausewayError",
    "Connector",
    "Done",
    "Factory",
    "Failed",
    "GivenUp",
    "JsonMap",
    "Kit",
    "NotReached",
    "Operation",
    "Outcome",
    "Outgoing",
    "Outside",
    "Postponed",
    "Schedule",
    "Work",
    "attempt",
    "bad_request",
    "nowhere",
    "tried",
]
