"""Chat in the page: what people do there, two and three at a time."""

from __future__ import annotations

import asyncio
import itertools
import re

import pytest
from playwright.async_api import expect

from support.browser import MISSING, Visits

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

numbers = itertools.count(1)


async def test_two_users_chat_and_each_sees_each_message_once_and_in_order(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = next(numbers)
    for number in range(3):
        await ann.say(f"ann {mark} {number}")
        await expect(bob.page.get_by_text(f"ann {mark} {number}")).to_be_visible()
        await bob.say(f"bob {mark} {number}")
        await expect(ann.page.get_by_text(f"bob {mark} {number}")).to_be_visible()

    said = [f"{who} {mark} {number}" for number in range(3) for who in ("ann", "bob")]
    for each in (ann, bob):
        texts = await each.items.locator('p[dir="auto"]').all_inner_texts()
        assert [text for text in texts if f" {mark} " in text] == said
        await expect(each.page.get_by_role("list", name="People here").get_by_text("Ann", exact=True)).to_be_visible()
    await ann.screenshot("chat")


async def test_who_comes_later_sees_what_was_said_and_a_reload_stays_the_same_user(visit: Visits) -> None:
    ann = await visit("Ann")
    text = f"before {next(numbers)}"
    await ann.say(text)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    cid = await visit("Cid")
    await expect(cid.page.get_by_text(text)).to_have_count(1)
    await cid.page.reload()
    await expect(cid.page.get_by_text(text)).to_have_count(1)
    await expect(cid.page.get_by_text("You are Cid")).to_be_visible()


async def test_what_is_typed_stays_where_it_was_typed_whatever_happens(visit: Visits) -> None:
    """Too long to be sent, over another page, and over a reload."""
    ann = await visit("Ann")
    await ann.say("x" * 10_000)
    await expect(ann.page.get_by_role("alert")).to_contain_text("at most 4,000 characters, this one has 10,000")
    await ann.page.get_by_role("link", name="Auctions", exact=True).click()
    await expect(ann.message).to_have_count(0)
    await ann.page.go_back()
    await expect(ann.message).to_have_value("x" * 10_000)
    await ann.page.reload()
    await expect(ann.message).to_have_value("x" * 10_000)


async def test_who_types_is_seen_typing_until_the_message_is_there(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    await ann.types_until(bob.page.get_by_text("Ann is typing …"))
    await ann.button("Send").click()
    await expect(bob.page.get_by_text("Ann is typing …")).to_have_count(0)


async def test_a_message_is_edited_and_taken_back_for_everybody(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = next(numbers)
    await ann.say(f"tae {mark}")
    sent = ann.items.filter(has_text=f"tae {mark}")
    await sent.hover()
    await sent.get_by_role("button", name="Edit message").click()
    box = ann.page.get_by_role("textbox", name="New text of message")
    await box.fill(f"tea, not yet saved {mark}")
    await ann.page.reload()  # what is typed there stays, too
    await expect(box).to_have_value(f"tea, not yet saved {mark}")
    await box.fill(f"tea {mark}")
    await box.press("Enter")
    seen = bob.items.filter(has_text=f"tea {mark}")
    await expect(seen).to_contain_text("edited")
    assert await bob.page.get_by_role("button", name="Edit message").and_(seen.get_by_role("button")).count() == 0

    kept = ann.items.filter(has_text=f"tea {mark}")
    await kept.hover()
    await kept.get_by_role("button", name="Take back message").click()
    await expect(seen).to_have_count(0)
    for each in (ann, bob):
        await expect(each.items.last).to_contain_text("This message was taken back.")


async def test_a_thread_is_answered_beside_the_room_and_counted_in_it(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = next(numbers)
    await ann.say(f"who comes? {mark}")
    question = bob.items.filter(has_text=f"who comes? {mark}").first
    await question.hover()
    await question.get_by_role("button", name="Reply to message").click()
    await bob.page.get_by_role("textbox", name="Reply in the thread", exact=True).fill(f"me {mark}")
    await bob.button("Send reply").click()
    asked = ann.items.filter(has_text=f"who comes? {mark}").first
    await asked.get_by_role("button", name="1 answer to message").click()
    thread = ann.page.get_by_role("list", name="Thread messages", exact=True).locator("> li")
    await expect(thread).to_have_count(2)
    await expect(thread.last).to_contain_text(f"me {mark}")
    await ann.page.get_by_role("textbox", name="Reply in the thread", exact=True).fill(f"good {mark}")
    await ann.button("Send reply").click()
    await expect(bob.page.get_by_role("list", name="Thread messages", exact=True).locator("> li")).to_have_count(3)
    await expect(bob.items.last).to_contain_text(f"Ann: who comes? {mark}")
    assert await bob.page.locator("li li").count() == 0
    await bob.screenshot("thread")


async def test_a_room_is_made_invited_into_and_counts_what_one_has_not_read(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    name = f'Tea & "cake" {next(numbers)}'
    await ann.page.get_by_role("textbox", name="Name of a new room", exact=True).fill(name)
    await ann.page.get_by_role("checkbox", name="By invitation only", exact=True).check()
    await ann.button("Create room").click()
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text(name)

    path = "/" + ann.page.url.split("/", 3)[3]
    await bob.page.goto(path)
    await expect(bob.page.get_by_role("alert")).to_have_text("This room is closed to you: join the room first.")
    await bob.button("Join this room").click()
    await expect(bob.page.get_by_role("alert").last).to_have_text("You could not join: this room is by invitation.")
    await ann.page.get_by_role("textbox", name="Name of whom to invite", exact=True).fill("Bob")
    await ann.button("Invite").click()
    await expect(ann.page.get_by_text("Bob is invited")).to_be_visible()
    await bob.page.reload()
    await bob.button(f"Join {name}").click()
    await expect(bob.message).to_be_visible()
    await expect(ann.page.get_by_role("list", name="People here").get_by_text("Bob", exact=True)).to_be_visible()

    rooms = bob.page.get_by_role("list", name="Rooms", exact=True)
    await rooms.get_by_role("link", name="Room Lobby", exact=True).click()
    await ann.say("one")
    await ann.say("two, @Bob")
    link = rooms.get_by_role("link", name=f"Room {name}", exact=True)
    await expect(link).to_have_accessible_description("2 unread, you are mentioned")
    await expect(bob.page).to_have_title(re.compile(r"^\(\d+\) Causeway$"))
    await link.click()
    await expect(bob.items.filter(has_text="one")).to_contain_text("New")
    await expect(link).not_to_contain_text("@")  # it has been read
    await rooms.get_by_role("link", name="Room Lobby", exact=True).click()
    await expect(link).to_have_accessible_description("")
    await link.click()
    await expect(bob.items.filter(has_text="one")).not_to_contain_text("New")
    await bob.button("Leave this room").click()
    await expect(rooms.get_by_role("link", name=name)).to_have_count(0)


async def test_words_are_found_in_the_room(visit: Visits) -> None:
    ann = await visit("Ann")
    word = f"aubergine{next(numbers)}"
    await ann.say(f"an {word} for dinner")
    await ann.button("Search").click()
    await ann.page.get_by_role("searchbox", name="Words to find in this room", exact=True).fill(word)
    found = ann.page.get_by_role("list", name="Found messages", exact=True).locator("> li")

    async with asyncio.timeout(30):  # the index follows within about a second
        while await found.count() == 0:
            await ann.button("Find").click()
            await expect(ann.page.get_by_text("Searching …")).to_have_count(0)
    await expect(found).to_have_count(1)


async def test_a_name_is_completed_while_it_is_typed(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    await ann.message.press_sequentially("hi @bo")
    await expect(ann.page.get_by_role("option", name="@Bob", exact=True)).to_be_visible()
    await ann.message.press("Enter")
    await expect(ann.message).to_have_value("hi @Bob ")
    await ann.message.press("Enter")
    await expect(bob.items.last).to_contain_text("mentions you")


async def test_the_keyboard_alone_does_all_that_one_does_about_messages(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    press = ann.page.keyboard.press
    mark = next(numbers)
    await expect(ann.message).to_be_focused()
    for text in (f"first {mark}", f"second {mark}"):
        await ann.page.keyboard.type(text)
        await press("Enter")
    await expect(bob.page.get_by_text(f"second {mark}")).to_be_visible()
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    first, second = (ann.items.filter(has_text=f"{which} {mark}") for which in ("first", "second"))

    await press("Shift+Tab")
    await expect(second.get_by_role("button", name="Take back message")).to_be_focused()
    await press("ArrowUp")
    await expect(first.get_by_role("button", name="Reply to message")).to_be_focused()
    await press("Tab")
    await press("Enter")
    await ann.page.keyboard.type(", changed")
    await press("Enter")
    await expect(bob.page.get_by_text(f"first {mark}, changed")).to_be_visible()
    await expect(ann.page.get_by_role("log")).to_be_focused()
    await expect(ann.page.get_by_text("saving …")).to_have_count(0)
    await press("Tab")
    await expect(first.get_by_role("button", name="Reply to message")).to_be_focused()
    await press("Enter")
    await expect(ann.page.get_by_role("textbox", name="Reply in the thread", exact=True)).to_be_focused()
    await ann.page.keyboard.type(f"answer {mark}")
    await press("Enter")
    await expect(bob.items.last).to_contain_text(f"answer {mark}")
