"""Calls that wait: answered within the caller's deadline, or an error of the table that says why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.connectors import (
    EMAIL_SEND,
    OPERATIONS,
    PAYMENTS_CREATE,
    Attachment,
    CreatePayment,
    HttpReply,
    HttpRequest,
    Payment,
    SendEmail,
    http,
    split_operation,
)
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import CallRequest
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.domain.permissions import Permissions
from causeway_integrations.domain.slots import Slots
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.calls import Calls
from causeway_integrations.ports import Connector
from unit.integrations.fakes import FakeClock


class Peer:
    """An operation that ends as told, or hangs."""

    def __init__(self, outcome: Outcome | Exception | None = None) -> None:
        self.outcome = outcome
        self.asked: list[Work] = []

    async def run(self, work: Work) -> Outcome:
        self.asked.append(work)
        if self.outcome is None:
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


def calls_of(peer: Peer, permissions: Permissions | None = None, slots: Slots | None = None, attempt_ms: int = 10_000) -> Calls:
    connector = Connector(
        "fax", {"send": peer.run}, TenacitySchedule([0]), attempt_ms, lambda work: str(work.payload.get("to", ""))
    )
    return Calls({"fax": connector}, permissions or Permissions({"*": ["*"]}), slots or Slots(4), FakeClock())


async def ask(
    calls: Calls,
    *,
    caller: str = "chat",
    connector: str = "fax",
    op: str = "send",
    seconds: float = 5,
    key: str = "",
    id: str = "m-1",
    **payload: Any,
) -> dict[str, Any]:
    call = Call({"caller": caller, "connector": connector, "op": op}, id, Deadline.after(seconds))
    return (await calls.call(CallRequest(payload=payload, idempotency_key=key), call)).payload


async def error(calls: Calls, **asked: Any) -> CausewayError:
    with pytest.raises(CausewayError) as caught:
        await ask(calls, **asked)
    return caught.value


async def test_the_operations_reply_comes_back() -> None:
    peer = Peer(Done(reply={"pages": 2}))

    assert await ask(calls_of(peer), to="x") == {"pages": 2}
    assert (peer.asked[0].app, peer.asked[0].payload, peer.asked[0].waits) == ("chat", {"to": "x"}, True)


async def test_a_repeat_has_the_same_key_and_another_app_operation_or_request_never() -> None:
    """P3: the key goes along to the peer."""
    peer = Peer(Done())
    calls = calls_of(peer)
    for caller, key, asked in (
        ("chat", "k", "1"),
        ("chat", "k", "2"),
        ("chat", "", "3"),
        ("chat", "", "3"),
        ("chat", "", "4"),
        ("auctions", "k", "1"),
    ):
        await ask(calls, caller=caller, key=key, id=asked)
    keys = [work.key for work in peer.asked]

    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert len(set(keys)) == 4
    assert all(len(key) <= 64 and key.isalnum() for key in keys)


@pytest.mark.parametrize(
    ("outcome", "code", "temporary", "told"),
    [
        (Failed("503: busy", 503), 100, True, "fax.send: 503: busy"),
        (Postponed("the breaker is open", 5), 100, True, "the breaker is open"),
        (GivenUp("404: nothing", 404, code=404), 404, False, "404: nothing"),
        (GivenUp("the payload is wrong"), 107, False, "the payload is wrong"),
        (bad_request("amount"), 107, False, "amount"),
    ],
)
async def test_every_other_end_is_an_error_of_the_table(
    outcome: Outcome | Exception, code: int, temporary: bool, told: str
) -> None:
    found = await error(calls_of(Peer(outcome)))

    assert (found.code, found.temporary) == (code, temporary)
    assert told in found.message


async def test_an_unknown_connector_or_operation_says_what_there_is() -> None:
    peer = Peer(Done())
    connector = await error(calls_of(peer), connector="pigeon")
    operation = await error(calls_of(peer), op="fold")

    assert (connector.name, operation.name) == (ErrorName.METHOD_NOT_FOUND, ErrorName.METHOD_NOT_FOUND)
    assert "pigeon" in connector.message
    assert "fax" in connector.message
    assert "send" in operation.message


@pytest.mark.parametrize(
    ("allowed", "may"),
    [
        ({}, False),
        ({"chat": []}, False),
        ({"auctions": ["*"]}, False),
        ({"chat": ["fax.receive"]}, False),
        ({"chat": ["fax.send"]}, True),
        ({"chat": ["fax.*"]}, True),
        ({"*": ["*"]}, True),
        ({"*": ["fax.send"], "chat": []}, True),
    ],
)
async def test_an_app_uses_what_the_configuration_gives_it(allowed: dict[str, list[str]], may: bool) -> None:
    """P6."""
    peer = Peer(Done())
    if may:
        await ask(calls_of(peer, Permissions(allowed)))
    else:
        assert (await error(calls_of(peer, Permissions(allowed)))).code == 103
    assert bool(peer.asked) == may


@pytest.mark.parametrize("caller", ["gateway", "storage", "operator", "integrations"])
async def test_no_service_calls_as_if_it_were_an_app(caller: str) -> None:
    assert (await error(calls_of(Peer(Done())), caller=caller)).code == 103


def test_what_integrations_make_for_themselves_is_nobodys_to_call() -> None:
    permissions = Permissions({"*": ["*"]})

    assert not permissions.may("chat", "webhook", "deliver")
    assert not permissions.may("chat", "inbound", "unclaimed")
    assert Permissions({}).may("chat", "webhook", "event")


@pytest.mark.parametrize(("seconds", "attempt_ms"), [(0.15, 10_000), (5, 50)])
async def test_a_peer_that_hangs_is_left_before_the_callers_deadline_and_its_slot_is_free(seconds: float, attempt_ms: int) -> None:
    peer, slots = Peer(), Slots(1)
    calls = calls_of(peer, slots=slots, attempt_ms=attempt_ms)
    for _ in range(2):
        found = await error(calls, seconds=seconds)
        assert found.temporary
        assert "unknown" in found.message, "the caller learns that it may have happened"


async def test_a_destination_that_is_busy_refuses_at_once_and_the_others_go_on() -> None:
    peer, slots = Peer(), Slots(1)
    calls = calls_of(peer, slots=slots)
    hanging = asyncio.create_task(ask(calls, to="slow"))
    while not peer.asked:
        await asyncio.sleep(0)
    peer.outcome = Done()

    assert (await error(calls, to="slow")).name is ErrorName.OVERLOADED
    assert await ask(calls, to="fast") == {}
    hanging.cancel()


def test_typed_operations_survive_their_way_as_maps() -> None:
    payload = PAYMENTS_CREATE.payload(CreatePayment(amount=5, currency="EUR"))
    assert payload == {"amount": 5, "currency": "EUR"}
    assert PAYMENTS_CREATE.read_request(payload) == CreatePayment(amount=5, currency="EUR")
    reply = Payment(id="p", state="open", amount=5, currency="EUR")
    assert PAYMENTS_CREATE.read_reply(PAYMENTS_CREATE.result(reply)) == reply
    assert http("rates").read_request({}) == HttpRequest()
    assert http("rates").read_reply(http("rates").result(HttpReply(status=200, data=[1.5]))) == HttpReply(status=200, data=[1.5])
    email = SendEmail(to=["a@b.example"], attachments=[Attachment(name="a", content=b"\xff")])
    assert EMAIL_SEND.read_request(EMAIL_SEND.payload(email)) == email
    for row in OPERATIONS.values():
        assert split_operation(row.name) == (row.connector, row.op)


@pytest.mark.parametrize("name", ["email", "email.", ".send", "Email.send", "a.b.c", "email.>", ""])
def test_what_names_no_operation_is_refused(name: str) -> None:
    with pytest.raises(CausewayError) as caught:
        split_operation(name)
    assert caught.value.name is ErrorName.METHOD_NOT_FOUND
    with pytest.raises(ValueError, match="no API"):
        http("../x")
