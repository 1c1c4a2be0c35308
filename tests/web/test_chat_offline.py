"""Chat in the page when things go wrong: what is written is sent once, what was missed is caught up, and the page says how it stands."""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import Any

import pytest
from cent import RefreshRequest
from playwright.async_api import Locator, expect

from support.browser import MISSING, Visitor, Visits
from support.stack import Stack
from support.wire import Answer, Wire

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

RECOVERED_MAX = 8
STACK = {
    "config": f"""
[client]
ping_interval = "2s"
pong_timeout = "1900ms"
expired_close_delay = "0s"
recovery_max_publication_limit = {RECOVERED_MAX}
"""
}
LONG = 45_000
numbers = itertools.count(1)


def connection(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("status", name="Connection", exact=True)


def room(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("status", name="Room", exact=True)


async def wired(visit: Visits, name: str, answer: Answer | None = None) -> tuple[Visitor, Wire]:
    """A visitor whose connection is in our hands."""
    visitor, wire = await visit(), Wire(answer)
    await wire.through(visitor.page)
    await visitor.enter(name)
    await expect(connection(visitor)).to_have_text("Connected")
    await expect(visitor.page.get_by_role("list", name="People here").get_by_text(name, exact=True)).to_be_visible()
    return visitor, wire


async def said(visitor: Visitor, mark: str) -> list[str]:
    """The texts in the page that have the mark, in their order."""
    return [text for text in await visitor.items.locator('p[dir="auto"]').all_inner_texts() if mark in text]


async def test_a_gateway_killed_while_typing_loses_nothing_and_the_page_says_how_much_it_caught_up(
    visit: Visits, stack: Stack
) -> None:
    (ann, wire), bob = await wired(visit, "Ann"), await visit("Bob")
    mark = f"kill {next(numbers)}"
    await ann.say(f"{mark} before")
    await expect(bob.page.get_by_text(f"{mark} before")).to_have_count(1)
    await ann.message.press_sequentially(f"{mark} half a")
    wire.is_cut = True  # she comes back after the others have spoken
    stack.kill("gateway-1")
    await expect(connection(ann)).to_contain_text("Reconnecting")
    await ann.message.press_sequentially(" sentence")
    for number in range(3):
        await bob.say(f"{mark} missed {number}")
    await expect(connection(bob)).to_have_text("Connected", timeout=LONG)
    await expect(bob.page.get_by_text("Discard")).to_have_count(0, timeout=LONG)
    await ann.screenshot("reconnecting")
    wire.mend()
    await expect(room(ann)).to_have_text("Connected again, 3 messages caught up", timeout=LONG)
    await expect(room(bob)).to_contain_text("Connected again")
    await expect(ann.message).to_have_value(f"{mark} half a sentence")
    await ann.button("Send").click()
    await expect(bob.page.get_by_text(f"{mark} half a sentence")).to_have_count(1)
    for each in (ann, bob):
        assert await said(each, mark) == [f"{mark} before", *(f"{mark} missed {n}" for n in range(3)), f"{mark} half a sentence"]
        each.forgive_lost_connections()
    await ann.screenshot("caught-up")


async def test_messages_written_offline_wait_outlive_a_reload_and_are_sent_once_in_order(visit: Visits) -> None:
    (ann, wire), bob = await wired(visit, "Ann"), await visit("Bob")
    mark = f"offline {next(numbers)}"
    await wire.cut()
    await expect(connection(ann)).to_contain_text("Reconnecting")
    for number in range(3):
        await ann.say(f"{mark} {number}")
    await ann.message.fill("and not yet sent")
    await expect(ann.page.get_by_text("3 messages wait to be sent.")).to_be_visible()
    await ann.screenshot("offline")
    assert await ann.faults() == []
    await ann.page.reload()
    await expect(ann.page.get_by_text("waits to be sent", exact=True)).to_have_count(3)
    await ann.button("Discard unsent message 2").click()
    wire.mend()
    await expect(bob.page.get_by_text(f"{mark} 2")).to_have_count(1, timeout=LONG)
    await expect(ann.page.get_by_text("waits to be sent", exact=True)).to_have_count(0)
    await expect(ann.message).to_have_value("and not yet sent")
    for each in (ann, bob):
        assert await said(each, mark) == [f"{mark} 0", f"{mark} 2"]
    assert len({call["key"] for call in wire.calls("chat.send")}) == 2
    ann.forgive_lost_connections()


@pytest.mark.timeout(240)
async def test_after_a_minute_offline_everything_is_there_once_and_in_order_and_the_page_says_how_much(visit: Visits) -> None:
    """Really a minute: every time-out of page and server has passed. The browser's word that it is over is enough to come back."""
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = f"airplane {next(numbers)}"
    await ann.say(f"{mark} boarding")
    await expect(bob.page.get_by_text(f"{mark} boarding")).to_have_count(1)
    await ann.page.context.set_offline(True)
    await expect(connection(ann)).to_contain_text("Reconnecting", timeout=LONG)
    for number in range(2):
        await ann.say(f"{mark} air {number}")
        await bob.say(f"{mark} ground {number}")
        await asyncio.sleep(30)
    await expect(connection(ann)).to_contain_text("Reconnecting")
    await expect(ann.page.get_by_text("waits to be sent", exact=True)).to_have_count(2)
    await expect(bob.page.get_by_text("sending …")).to_have_count(0)
    await ann.page.context.set_offline(False)
    await expect(connection(ann)).to_have_text("Connected")
    await expect(room(ann)).to_have_text("Connected again, 2 messages caught up", timeout=LONG)
    await expect(bob.page.get_by_text(f"{mark} air 1")).to_have_count(1, timeout=LONG)
    await expect(ann.page.get_by_text("waits to be sent", exact=True)).to_have_count(0)
    for each in (ann, bob):
        assert await said(each, mark) == [
            f"{mark} boarding",
            *(f"{mark} {where} {n}" for where in ("ground", "air") for n in range(2)),
        ]
    ann.forgive_lost_connections()


async def test_a_line_that_is_silent_is_seen_dead_and_what_was_sent_into_it_is_sent_once(visit: Visits) -> None:
    (ann, wire), bob = await wired(visit, "Ann"), await visit("Bob")
    mark = f"silence {next(numbers)}"
    wire.is_silent = True  # nothing comes and nothing goes, not even the end of the connection
    await ann.say(f"{mark} into the void")
    await expect(connection(ann)).to_contain_text("Reconnecting", timeout=LONG)
    wire.mend()
    await expect(bob.page.get_by_text(f"{mark} into the void")).to_have_count(1, timeout=LONG)
    await expect(ann.page.get_by_text("No answer yet")).to_have_count(0)
    assert await said(ann, mark) == await said(bob, mark) == [f"{mark} into the void"]
    ann.forgive_lost_connections()


async def test_answers_that_are_lost_or_wrong_double_nothing_and_the_page_stays_usable(visit: Visits) -> None:
    """The first answer never comes, the second is nonsense: the same message goes again under its key until it is answered."""
    (ann, wire), bob = await wired(visit, "Ann"), await visit("Bob")
    mark = f"answers {next(numbers)}"
    answers: list[Any] = [None, {"surprise": True}, {"id": {"not": "a number"}}]

    def answer(method: str, reply: dict[str, Any]) -> dict[str, Any] | None:
        if method != "chat.send" or not answers or "rpc" not in reply:
            return reply
        wrong = answers.pop(0)
        return None if wrong is None else {"id": reply["id"], "rpc": {"data": wrong}}

    wire.answer = answer
    await ann.say(f"{mark} once")
    await expect(bob.page.get_by_text(f"{mark} once")).to_have_count(1)
    await ann.say(f"{mark} twice")
    await expect(bob.page.get_by_text(f"{mark} twice")).to_have_count(1, timeout=LONG)
    assert await said(ann, mark) == await said(bob, mark) == [f"{mark} once", f"{mark} twice"]
    keys = [call["key"] for call in wire.calls("chat.send")]
    assert (len(keys), len(set(keys))) == (5, 2)


async def test_a_room_that_is_answered_wrongly_is_asked_for_again_and_what_is_typed_meanwhile_stays(visit: Visits) -> None:
    nonsense: list[Any] = [{"messages": "none", "offset": 0, "epoch": "e"}, None, 7, {}]
    wrong = {"chat.snapshot": [*nonsense], "chat.rooms": [*nonsense], "chat.room": [{"members": 7}]}

    def answer(method: str, reply: dict[str, Any]) -> dict[str, Any] | None:
        waits = wrong.get(method, [])
        return {"id": reply["id"], "rpc": {"data": waits.pop(0)}} if waits else reply

    ann, wire = await visit(), Wire(answer)
    await wire.through(ann.page)
    await ann.enter("Ann")
    await expect(ann.page.get_by_role("alert").first).to_contain_text("The page keeps trying")
    mark = f"nonsense {next(numbers)}"
    await ann.say(mark)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    await expect(ann.page.get_by_role("alert")).to_have_count(0, timeout=LONG)
    await expect(ann.page.get_by_role("link", name="Room Lobby", exact=True)).to_be_visible(timeout=LONG)
    assert await said(ann, mark) == [mark]


async def test_where_too_much_was_missed_the_room_is_loaded_anew_and_the_page_says_so(visit: Visits, stack: Stack) -> None:
    ann, wire = await wired(visit, "Ann")
    mark = f"much {next(numbers)}"
    await wire.cut()
    client = stack.client("Talker")
    await client.connect()
    await client.rpc("chat.join", {"room": "lobby"})
    for number in range(RECOVERED_MAX + 4):
        await client.rpc("chat.send", {"room": "lobby", "text": f"{mark} {number}"})
    await client.disconnect()
    wire.mend()
    await expect(room(ann)).to_have_text("Connected again, everything was loaded anew", timeout=LONG)
    assert await said(ann, mark) == [f"{mark} {number}" for number in range(RECOVERED_MAX + 4)]
    await ann.say(f"{mark} and on")
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    ann.forgive_lost_connections()


async def test_storage_that_is_down_is_told_calmly_and_what_was_written_is_sent_when_it_is_back(
    visit: Visits, stack: Stack
) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = f"storage {next(numbers)}"
    pid = stack.kill("storage", signal.SIGSTOP)
    try:
        await ann.say(f"{mark} patience")
        await expect(ann.page.get_by_text("The page tries again until there is one; it is sent once.")).to_be_visible(timeout=LONG)
        await expect(connection(ann)).to_have_text("Connected")
        await ann.screenshot("storage-down")
    finally:
        if stack.pid("storage") == pid:
            stack.kill("storage", signal.SIGCONT)
    await expect(bob.page.get_by_text(f"{mark} patience")).to_have_count(1, timeout=LONG)
    await expect(ann.page.get_by_text("The page tries again")).to_have_count(0, timeout=LONG)
    assert await said(ann, mark) == await said(bob, mark) == [f"{mark} patience"]


async def test_a_session_that_expires_is_renewed_and_the_page_goes_on(visit: Visits, stack: Stack) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = f"expired {next(numbers)}"
    await ann.message.fill(f"{mark} typed before")
    async with stack.api() as api:
        await api.refresh(RefreshRequest(user="Ann", expired=True))
    await expect(room(ann)).to_contain_text("Connected again", timeout=LONG)
    await expect(connection(ann)).to_have_text("Connected")
    await ann.button("Send").click()
    await expect(bob.page.get_by_text(f"{mark} typed before")).to_have_count(1)
    await expect(ann.page.get_by_role("alert")).to_have_count(0)


async def test_a_refused_message_stays_with_its_reason_and_goes_again_when_it_may(visit: Visits, stack: Stack) -> None:
    """The room is left behind the page's back: nobody is let in, what was written stays."""
    ann, bob = await visit("Ann"), await visit("Bob")
    name = f"Strict {next(numbers)}"
    await bob.page.get_by_role("textbox", name="Name of a new room", exact=True).fill(name)
    await bob.button("Create room").click()
    await expect(bob.page.get_by_role("heading", level=1)).to_have_text(name)
    path = bob.page.url.split("/chat/")[1]
    await ann.page.goto(f"/chat/{path}")
    await ann.button("Join this room").click()
    await expect(ann.message).to_be_visible()
    client = stack.client("Bob")
    await client.connect()
    await client.rpc("chat.mute", {"room": path, "user": "Ann", "seconds": 3600})
    await ann.say("may I?")
    await expect(ann.page.get_by_role("alert")).to_have_text("Not sent: you are muted in this room.")
    await ann.screenshot("refused")
    assert await ann.faults() == []
    await client.rpc("chat.mute", {"room": path, "user": "Ann", "seconds": 0})
    await client.disconnect()
    await ann.button("Send again, unsent message 1").click()
    await expect(bob.items).to_have_count(1)
    await expect(bob.items.first).to_contain_text("may I?")
