"""Requests under way on one connection, and how each of them ends: by an answer, by its deadline, or because the connection was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from causeway_common.bus.client import parse_headers
from causeway_common.bus.envelope import ERROR_HEADER
from causeway_common.contracts.codec import decode, from_fault
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.messages import Fault
from causeway_common.contracts.verbs import Verb
from causeway_common.telemetry import AttributeValue, Counters, OpenSpan, names

requests: Final = Counters("bus").counter("requests", "requests sent, by outcome")
NO_RESPONDERS: Final = "503"
UNKNOWN: Final = "no answer before the deadline, the outcome is unknown"


@dataclass(frozen=True, slots=True)
class RawReply:
    """An answer as it came: headers (a status stands under "") and body."""

    headers: Mapping[str, str]
    body: bytes


class LostError(CausewayError):
    """100 unavailable: the connection was lost after the question was sent, so that nobody knows whether it was taken."""


class NoRespondersError(CausewayError):
    """100 unavailable: nobody serves this subject right now, nothing was asked."""


class Question(Protocol):
    """A request under way; one of its three ends comes, once. None of them raises."""

    at: float

    def answered(self, block: bytes, body: bytes) -> None:
        """The answer: raw header block and body."""

    def expire(self) -> None:
        """The deadline has passed."""

    def lost(self, error: LostError) -> None:
        """Nobody knows."""


class Awaited:
    """A question that a coroutine waits for."""

    __slots__ = ("at", "future")

    def __init__(self, at: float) -> None:
        self.at = at
        self.future: asyncio.Future[RawReply] = asyncio.get_running_loop().create_future()

    def answered(self, block: bytes, body: bytes) -> None:
        """As `Question`."""
        if not self.future.done():
            self.future.set_result(RawReply(parse_headers(block) if block else {}, body))

    def expire(self) -> None:
        """As `Question`: TimeoutError."""
        self._fail(TimeoutError())

    def lost(self, error: LostError) -> None:
        """As `Question`."""
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Begun:
    """A question whose end is told to a function (`Bus.begin`)."""

    __slots__ = ("_done", "_trace", "_verb", "at")

    def __init__(self, at: float, verb: Verb[Any, Any], done: Callable[[Any], None], trace: OpenSpan) -> None:
        self.at, self._verb, self._done, self._trace = at, verb, done, trace

    def answered(self, block: bytes, body: bytes) -> None:
        """As `Question`."""
        try:
            reply = decode(body, self._verb.reply) if not block else answer_of(parse_headers(block), body, self._verb)
        except CausewayError as error:
            self.lost(error)
            return
        requests.add(1, "ok")
        self._trace.finish()
        self._done(reply)

    def expire(self) -> None:
        """As `Question`."""
        self.lost(unavailable(UNKNOWN))

    def lost(self, error: CausewayError) -> None:
        """As `Question`; any other error too."""
        requests.add(1, error.name.value)
        self._trace.finish(error)
        self._done(error)


def require_responder(headers: Mapping[str, str]) -> None:
    """Raises NoRespondersError where it is NATS that answers, because nobody serves the subject."""
    if headers.get("", "").startswith(NO_RESPONDERS):
        raise NoRespondersError(ErrorName.UNAVAILABLE, "unavailable: nobody answers this right now, try again")


def answer_of(headers: Mapping[str, str], body: bytes, verb: Verb[Any, Any]) -> Any:
    """The reply that an answer holds.

    Raises:
        NoRespondersError: it is NATS that answers, because nobody serves the subject.
        CausewayError: the peer's own error; 107, the body is no reply of this verb.
    """
    require_responder(headers)
    if ERROR_HEADER in headers:
        raise from_fault(decode(body, Fault))
    return decode(body, verb.reply)


@cache
def sending(verb: Verb[Any, Any]) -> tuple[str, Mapping[str, AttributeValue]]:
    """The name and the attributes of a request's span."""
    template = verb.subject.template
    return f"request {template}", {
        names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
        names.MESSAGING_OPERATION_NAME: "request",
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_DESTINATION_TEMPLATE: template,
    }
