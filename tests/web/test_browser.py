"""The web application in a real browser, on the real stack: the door, every page's accessibility, a phone, a full room, odd input."""

from __future__ import annotations

import itertools

import pytest
from cent import PublishRequest
from playwright.async_api import expect

from support.browser import MISSING, PHONE, Visitor, Visits
from support.stack import Stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

FULL = 200
TEXTS = ["<img src=x onerror=alert(1)> & <b>bold</b>", "שלום עולם", "👩‍👩‍👧‍👦 🦊", "two\nlines", "@nobody @@ `code`"]
numbers = itertools.count(1)


async def test_a_name_that_is_refused_leads_back_to_the_door_with_the_reason(visit: Visits) -> None:
    ann = await visit()
    await ann.enter("causeway")
    await expect(ann.page.get_by_role("alert")).to_have_text("You were not let in: this name is taken.")
    await ann.enter("Ann")
    await expect(ann.message).to_be_visible()


async def test_a_deep_link_asks_for_the_name_and_leads_where_it_points(visit: Visits) -> None:
    ann = await visit("Ann", "/lots")
    await expect(ann.page.get_by_role("heading", name="Auctions", exact=True)).to_be_visible()


async def test_whatever_is_written_is_shown_as_it_was_written(visit: Visits) -> None:
    """Markup, right to left, emoji, lines; by a user with quotes in the name."""
    ann, bob = await visit('Ann "the <b>" O\'Neil'), await visit("Bob")
    written = [f"{text} {next(numbers)}" for text in TEXTS]
    for text in written:
        await ann.say(text)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    for each in (ann, bob):
        await expect(each.items.last).to_contain_text("@nobody")
        shown = await each.items.locator('p[dir="auto"]').all_inner_texts()
        assert shown[-len(written) :] == written


async def test_what_a_newer_server_says_is_told_calmly_and_leaves_the_page_whole(visit: Visits, stack: Stack) -> None:
    ann = await visit("Ann")
    await ann.say(f"before {next(numbers)}")
    async with stack.api() as api:
        for data in ({"type": "poll", "id": "999999", "user": "Zoe", "choices": {}}, {"type": "pinned", "by": 7}, [1], "x"):
            await api.publish(PublishRequest(channel="chat:lobby", data=data))
    await expect(ann.items.last).to_contain_text("A message that this page does not understand.")
    text = f"after {next(numbers)}"
    await ann.say(text)
    await expect(ann.page.get_by_text(text)).to_have_count(1)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(visit: Visits, scheme: str) -> None:
    ann, bob = await visit(color_scheme=scheme), await visit("Bob")
    await ann.screenshot(f"enter-{scheme}")
    assert await ann.faults() == []
    await ann.enter("")
    await ann.button("Enter").click()
    assert await ann.faults() == []
    await ann.enter("Ann")
    mark = f"number {next(numbers)}"
    await ann.say(f"hello @Bob, {mark}")
    await expect(bob.page.get_by_text(mark)).to_be_visible()
    await bob.types_until(ann.page.get_by_text("Bob is typing …"))
    sent = ann.items.filter(has_text=mark)
    await sent.hover()
    assert await ann.faults() == []
    await ann.screenshot(f"chat-{scheme}")
    await sent.get_by_role("button", name="Reply to message").click()
    await sent.get_by_role("button", name="Edit message").click()
    await ann.message.fill("@")
    await expect(ann.page.get_by_role("listbox", name="People to mention")).to_be_visible()
    assert await ann.faults() == []
    assert await ann.doubled() == []
    await ann.screenshot(f"thread-{scheme}")
    await ann.message.press("Escape")
    await ann.button("Search").click()
    await ann.message.fill("x" * 10_000)
    assert await ann.faults() == []


async def test_on_a_phone_nothing_is_cut_off(visit: Visits) -> None:
    ann = await visit("A name of exactly forty characters, this", **PHONE)
    await ann.say("word " * 40 + "w" * 300)
    said = ann.page.get_by_text("w" * 300).last
    await expect(said).to_be_in_viewport()
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    for panel in ("Rooms", "People", "Search"):
        await ann.button(panel).click()
        assert await fits(ann)
        await ann.screenshot(f"phone-{panel.lower()}")
        await ann.button(panel).click()
    await ann.screenshot("phone-chat")
    assert await ann.faults() == []
    for link in ("Lobby", "Auctions"):
        await ann.page.get_by_role("link", name=link, exact=True).click()
        await expect(ann.page.get_by_role("heading", level=1, name=link)).to_be_visible()
        assert await fits(ann)


async def fits(visitor: Visitor) -> bool:
    """Whether nothing of the page lies beside the screen."""
    found: bool = await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


async def test_a_full_room_stands_in_the_page_as_items_of_one_list_and_who_goes_up_stays_there(visit: Visits, stack: Stack) -> None:
    """Its newest 200 messages, at their end; a new one takes the place of the oldest and moves no reader."""
    client = stack.client("filler")
    await client.connect()
    await client.rpc("chat.join", {"room": "lobby"})
    for number in range(FULL):
        await client.rpc("chat.send", {"room": "lobby", "text": f"line {number} of a full room"})
    ann = await visit("Ann")
    await expect(ann.items).to_have_count(FULL)
    assert await ann.page.locator("li li").count() == 0
    await expect(ann.items.last).to_be_in_viewport()

    line = ann.page.get_by_text("line 100 of", exact=False)
    await line.scroll_into_view_if_needed()
    await expect(ann.button("Go to the newest messages")).to_be_visible()
    await client.rpc("chat.send", {"room": "lobby", "text": "the newest"})
    await expect(ann.items.last).to_contain_text("the newest")
    await expect(line).to_be_in_viewport()
    await expect(ann.items.last).not_to_be_in_viewport()
    await ann.button("Go to the newest messages").click()
    await expect(ann.items.last).to_be_in_viewport()
    for number in range(5):
        await client.rpc("chat.send", {"room": "lobby", "text": f"and the next {number}\n" * 5})
    await expect(ann.items.last).to_contain_text("and the next 4")
    await expect(ann.items.last).to_be_in_viewport()
    await expect(ann.items).to_have_count(FULL)
    await client.disconnect()
