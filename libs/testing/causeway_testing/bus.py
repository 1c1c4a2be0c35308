"""The bus in this process: a question goes straight to whoever answers it, unless it is to be lost, doubled or late on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.messages import Message
from causeway_common.contracts.verbs import Verb
from causeway_testing.steps import Steps
from causeway_testing.storage import Handler

REPEAT_AFTER_SECONDS: Final = 1.0


class LocalBus:
    """As much of `causeway_common.bus.Bus` as the SDK's own adapters ask for.

    Args:
        steps: before and after each question.
        sent: takes what is published without an answer: subject and body.
    """

    def __init__(self, steps: Steps, sent: Callable[[str, bytes], None]) -> None:
        self._steps, self._sent = steps, sent
        self._served: dict[str, Handler] = {}

    def serve(self, served: dict[str, Handler]) -> None:
        """Answer these questions, by the names of their verbs."""
        self._served |= served

    async def request(
        self, verb: Verb[Any, Any], request: Any, deadline: Deadline, *, message_id: str = "", first: str = "", **fields: str
    ) -> Any:
        """As `Bus.request`."""
        del first
        handler = self._served.get(verb.name)
        if handler is None:
            raise unavailable(f"nobody answers {verb.name} in this test")
        call = Call(fields, message_id, deadline)
        if self._steps.chance is None:
            return await handler(request, call)
        return await self._stepping(verb, handler, request, call)

    async def publish(self, subject: str, message: Message, *, headers: object = None) -> None:
        """As `Bus.publish`."""
        del headers
        self.send_raw(subject, encode(message))

    def send_raw(self, subject: str, body: bytes, *, reply: str = "", headers: object = None) -> None:
        """As `Bus.send_raw`."""
        del reply, headers
        self._sent(subject, body)

    async def flush(self) -> None:
        """As `Bus.flush`."""

    async def _stepping(self, verb: Verb[Any, Any], handler: Handler, request: Any, call: Call) -> Any:
        """As the real one does it: what is repeatable is sent again while no answer comes, until the deadline."""
        chance, what = self._steps.chance, described(verb, request, call)
        while chance is not None:
            await self._steps.take(what)
            fate = chance.fate()
            if fate == "late":
                await asyncio.sleep(chance.delay())
            if fate == "lost":
                self._steps.tell(f"  lost on its way: {what}")
            else:
                if fate == "twice":
                    self._steps.tell(f"  arrives twice: {what}")
                    await _ignored(handler, request, call)
                answer = await _outcome(handler, request, call)
                if fate != "answer lost":
                    await self._steps.take(f"… {what}")
                    return _told(answer)
                self._steps.tell(f"  its answer is lost: {what}")
            left = call.deadline.remaining()
            await asyncio.sleep(min(REPEAT_AFTER_SECONDS, left) if verb.repeatable else left)
            if call.deadline.remaining() <= 0:
                break
        raise unavailable("no answer before the deadline, the outcome is unknown")


def described(verb: Verb[Any, Any], request: Any, call: Call) -> str:
    """A question in a few words."""
    if connector := call.fields.get("connector"):
        return f"calls {connector}.{call.fields.get('op', '')}"
    names = [getattr(request, field, "") for field in ("kind", "id", "channel") if isinstance(getattr(request, field, None), str)]
    return " ".join([verb.name, "/".join(filter(None, names))]).strip()


async def _outcome(handler: Handler, request: Any, call: Call) -> Any:
    try:
        return await handler(request, call)
    except CausewayError as error:
        return error


async def _ignored(handler: Handler, request: Any, call: Call) -> None:
    await _outcome(handler, request, call)


def _told(answer: Any) -> Any:
    if isinstance(answer, CausewayError):
        raise answer
    return answer
