"""What happens where no instance of an app is there: per hook deny, allow or a temporary error, per method an error or a record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.telemetry import span
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.handlers.calling import Calling
from causeway_gateway.handlers.hooks import ASK_AGAIN_MS, Hooks
from causeway_gateway.ports import NobodyError
from unit.gateway.fakes import FakeBus, catalogue

SOON = Deadline(float("inf"))
REQUEST = m.RpcRequest(user="ann", client="c1", data=b'{"a": [1, 2]}', info=b'"i"')


class Away:
    """`ports.Apps` of which nobody is there, or which fail otherwise."""

    def __init__(self, error: CausewayError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        async def ask(*_: Any) -> Any:
            raise self.error

        return ask

    def begin_call(self, *_: Any, done: Callable[[Any], None], **__: Any) -> None:
        asyncio.get_running_loop().call_soon(done, self.error)


NOBODY = NobodyError(ErrorName.UNAVAILABLE, "unavailable: nobody")


def declared(**fallbacks: str) -> tuple[Hooks, m.NamespaceSpec, WheelTimers]:
    timers, known = WheelTimers(), catalogue()
    choices = m.HookFallbacks(**fallbacks)
    spec = m.NamespaceSpec(name="chat", subscribe_hook=True, sub_refresh_hook=True, publish_hook=True, fallbacks=choices)
    known.update({"chat": m.Manifest(app="chat", version="1", methods=[], fallbacks=choices)}, {}, lambda *_: None)
    return Hooks(Away(NOBODY), known, timers), spec, timers


async def ask_all(hooks: Hooks, spec: m.NamespaceSpec) -> dict[str, Any]:
    async def answer(question: Any) -> Any:
        try:
            return await question
        except CausewayError as error:
            return error.name

    who: dict[str, Any] = {"user": "ann", "client": "c"}
    return {
        "connect": await answer(hooks.connect("chat", m.ConnectHookRequest(client="c"), SOON)),
        "refresh": await answer(hooks.refresh("chat", m.RefreshHookRequest(**who), SOON)),
        "subscribe": await answer(hooks.subscribe("chat", spec, m.SubscribeHookRequest(channel="chat:1", **who), SOON)),
        "sub_refresh": await answer(hooks.sub_refresh("chat", spec, m.SubRefreshHookRequest(channel="chat:1", **who), SOON)),
        "publish": await answer(hooks.publish("chat", spec, m.PublishHookRequest(channel="chat:1", data=b"1", **who), SOON)),
    }


HOOKS = ("connect", "refresh", "subscribe", "sub_refresh", "publish")


async def test_without_a_word_nobody_means_a_temporary_error() -> None:
    hooks, spec, _ = declared()

    assert await ask_all(hooks, spec) == dict.fromkeys(HOOKS, ErrorName.UNAVAILABLE)


async def test_a_choice_of_a_later_version_is_an_error() -> None:
    hooks, spec, _ = declared(**dict.fromkeys(HOOKS, "ask_a_friend"))

    assert await ask_all(hooks, spec) == dict.fromkeys(HOOKS, ErrorName.UNAVAILABLE)


async def test_nobody_may_mean_no() -> None:
    hooks, spec, _ = declared(**dict.fromkeys(HOOKS, "deny"))
    ended = m.RefreshHookReply(expired=True)
    denied = ErrorName.PERMISSION_DENIED

    assert await ask_all(hooks, spec) == dict(zip(HOOKS, (denied, ended, denied, ended, denied), strict=True))


async def test_nobody_may_mean_yes_and_what_stays_by_that_is_asked_about_again() -> None:
    hooks, spec, timers = declared(**dict.fromkeys(HOOKS, "allow"))
    found = await ask_all(hooks, spec)

    assert found["connect"] == m.ConnectHookReply()
    assert found["publish"] == m.PublishHookReply()
    for stays in ("refresh", "subscribe", "sub_refresh"):
        assert abs(found[stays].expire_at_ms - timers.wall() - ASK_AGAIN_MS) < 5_000


async def test_an_instance_that_fails_has_not_said_what_nobody_says() -> None:
    """Only where nobody is there: an app whose storage is away has answered, with its error."""
    hooks, spec, _ = declared(**dict.fromkeys(HOOKS, "allow"))
    hooks._apps = Away(unavailable("storage is away"))

    assert await ask_all(hooks, spec) == dict.fromkeys(HOOKS, ErrorName.UNAVAILABLE)


@pytest.fixture
async def kept() -> AsyncIterator[tuple[Calling, FakeBus, Callable[[m.RpcRequest], Any]]]:
    known, records, tasks = catalogue(), FakeBus(), TaskGroup()
    methods = [m.MethodSpec(name="pay", when_unavailable="queue"), m.MethodSpec(name="send"), m.MethodSpec(name="odd")]
    known.update({"chat": m.Manifest(app="chat", version="1", methods=methods)}, {}, lambda *_: None)
    calling = Calling(Away(NOBODY), known, records, tasks)

    async def begun(request: m.RpcRequest, method: str = "pay") -> Any:
        answer = asyncio.get_running_loop().create_future()
        trace = span("test", parent=None)
        calling.begin("chat", method, request, Deadline.after(1), record_id="c:c1:7", done=answer.set_result, parent=trace)
        return await answer

    yield calling, records, begun
    await tasks.stop()


async def test_a_call_that_nobody_is_there_for_becomes_a_record_of_the_app(kept: tuple[Calling, FakeBus, Any]) -> None:
    calling, records, begun = kept
    answer = await begun(REQUEST)
    again = await calling.call("chat", "pay", REQUEST, SOON, "c:c1:7")

    assert json.loads(answer.data) == json.loads(again) == {"queued": "c:c1:7"}
    payload = {"method": "pay", "user": "ann", "client": "c1", "data": {"a": [1, 2]}, "info": "i"}
    assert records.records == {"c:c1:7": m.NewRecord(id="c:c1:7", app="chat", connector="", op="on_queued_call", payload=payload)}


async def test_a_call_of_a_method_that_does_not_queue_is_a_temporary_error(kept: tuple[Calling, FakeBus, Any]) -> None:
    calling, records, begun = kept
    answer = await begun(REQUEST, "send")
    with pytest.raises(NobodyError):
        await calling.call("chat", "send", REQUEST, SOON, "id")

    assert (answer, records.records) == (NOBODY, {})


async def test_a_call_that_could_not_be_kept_is_not_said_to_be(kept: tuple[Calling, FakeBus, Any]) -> None:
    _, records, begun = kept
    records.away = True

    assert (await begun(REQUEST)).name is ErrorName.UNAVAILABLE


async def test_a_call_that_may_have_run_is_never_kept_too(kept: tuple[Calling, FakeBus, Any]) -> None:
    calling, records, begun = kept
    calling._apps = Away(unavailable("no answer before the deadline, the outcome is unknown"))

    assert (await begun(REQUEST)).name is ErrorName.UNAVAILABLE
    assert records.records == {}


async def test_numbers_that_no_record_can_hold_are_the_callers_error(kept: tuple[Calling, FakeBus, Any]) -> None:
    *_, begun = kept
    answer = await begun(m.RpcRequest(user="ann", client="c1", data=b"123456789012345678901234567890"))

    assert isinstance(answer, m.RpcReply) or answer.name is ErrorName.BAD_REQUEST
