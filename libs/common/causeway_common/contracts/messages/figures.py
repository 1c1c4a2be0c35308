"""Figures of a process, told by it every few seconds."""

from __future__ import annotations

from causeway_common.contracts.messages.base import Message


class MethodFigures(Message, frozen=True):
    """What a gateway counted of a method since it started: by the version that was asked first ("": the app as a whole).

    `errors`: no answer, or 100; `rejected`: the app said no; `time_ms` of all calls together.
    """

    app: str
    method: str
    version: str
    calls: int
    errors: int
    rejected: int
    time_ms: int


class Figures(Message, frozen=True):
    """How a process is. Service and node stand in the subject.

    Attributes:
        version: of its distribution.
        app_version: of the app that a logic process serves.
        started_ms: when it started.
        totals: what it counted since then, by the names of `telemetry.figures`.
        gauges: what is now, likewise.
        methods: those called since the last time, of a gateway.
        left: it is leaving, nothing follows.
    """

    version: str
    started_ms: int
    totals: dict[str, int]
    gauges: dict[str, float]
    app_version: str = ""
    methods: list[MethodFigures] = []
    left: bool = False
