"""The chat app on the whole real stack: two published clients in a room, and kill -9 of logic and storage in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from centrifuge import (
    Client,
    PublicationContext,
    ReplyError,
    SubscriptionEventHandler,
    UnsubscribedContext,
)
from centrifuge.exceptions import CentrifugeError

from support.operations import violations_in
from support.stack import Stack, running_stack
from support.waiting import until

LINES = 12


@dataclass
class Kept(SubscriptionEventHandler):
    """Keeps what is published, and how the subscription ended."""

    messages: list[Any] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.messages.append(ctx.pub.data)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.ended.append(ctx.code)


class Guest:
    """A user with one connection."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, method: str, **data: Any) -> Any:
        """A method's answer."""
        return (await self.client.rpc(f"chat.{method}", data)).data

    async def code_of(self, method: str, **data: Any) -> int:
        """The code of a refusal, 0 for none."""
        try:
            await self.call(method, **data)
        except ReplyError as error:
            return int(error.code)
        return 0

    async def insist(self, method: str, **data: Any) -> Any:
        """A method's answer, asked again while what answers it is away."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.call(method, **data)
                except ReplyError as error:
                    if not error.temporary:
                        raise
                except CentrifugeError:
                    pass
                await asyncio.sleep(0.05)

    async def until(self, method: str, expected: list[str], **data: Any) -> None:
        """Wait until these texts are answered."""
        found: list[str] = []
        async with asyncio.timeout(20):
            while found != expected:
                found = [message["text"] for message in (await self.insist(method, **data))["messages"]]

    async def watch(self, channel: str) -> Kept:
        """What is published there from now on."""
        kept = Kept()
        subscription = self.client.new_subscription(channel, kept)
        await subscription.subscribe()
        await subscription.ready(10)
        return kept


async def guests(stack: Stack, *names: str) -> list[Guest]:
    """Connected."""
    made = [Guest(stack.client(name)) for name in names]
    for guest in made:
        await guest.client.connect()
        await guest.client.ready(10)
    return made


@pytest.mark.stack
@pytest.mark.timeout(60)
async def test_two_in_a_room_from_the_first_word_to_the_ban(tmp_path: Path) -> None:
    """Edit and delete live and in history, thread and search, read markers, a mention's mail, a mute, a ban on a live subscription."""
    async with running_stack(tmp_path, env={"CHAT_AWAY_SECONDS": "1"}) as stack:
        ann, bob = await guests(stack, "ann", "bob")
        room = (await ann.call("create_room", name="Kitchen"))["room"]
        await bob.call("join", room=room)
        await bob.call("profile", email="bob@example.com")
        await ann.call("send", room=room, text="@bob: green tea?")
        mails = stack.data_dir / "mail"
        await until(lambda: any(mails.glob("*.eml")), 20)
        (mail,) = mails.glob("*.eml")
        assert "To: bob@example.com" in mail.read_text()

        heard, markers = await bob.watch(f"chat:{room}"), await ann.watch(f"chat_read:{room}")
        await bob.call("send", room=room, text="black tae", reply_to="1")
        await bob.call("send", room=room, text="rain")
        await bob.call("edit", room=room, id="2", text="black tea")
        await ann.call("delete", room=room, id="3")
        assert await ann.code_of("edit", room=room, id="2", text="no tea") == 403
        await until(lambda: len(heard.messages) == 4)
        told = [(each["type"], each["id"], each.get("text")) for each in heard.messages]
        expected = [("message", "2", "black tae"), ("message", "3", "rain"), ("edited", "2", "black tea"), ("deleted", "3", None)]
        assert told == expected
        history = (await bob.call("history", room=room))["messages"]
        texts = [(each["text"], each.get("deleted", False)) for each in history]
        assert texts == [("@bob: green tea?", False), ("black tea", False), ("", True)]
        await bob.until("search", ["black tea", "@bob: green tea?"], room=room, text="tea")
        await bob.until("thread", ["@bob: green tea?", "black tea"], room=room, id="2")

        await bob.call("read", room=room, id="2")
        await until(lambda: markers.messages == [{"type": "read", "user": "bob", "id": "2"}])
        assert [each["unread"] for each in (await bob.call("rooms"))["rooms"]] == [1]

        await ann.call("mute", room=room, user="bob", seconds=600)
        assert await bob.code_of("send", room=room, text="hm") == 403
        await ann.call("ban", room=room, user="bob")
        await until(lambda: bool(heard.ended))
        await ann.call("send", room=room, text="alone")
        assert await bob.code_of("history", room=room) == await bob.code_of("join", room=room) == 403
        assert len(heard.messages) == 4
        for guest in (ann, bob):
            await guest.client.disconnect()


@pytest.mark.stack
@pytest.mark.timeout(60)
async def test_what_a_room_acknowledged_stays_once_whatever_dies(tmp_path: Path) -> None:
    """Logic and storage die by kill -9 while both write, edit and delete: all that was answered is there, once, and is found."""
    async with running_stack(tmp_path) as stack:
        ann, bob = await guests(stack, "ann", "bob")
        room = (await ann.call("create_room", name="Kitchen"))["room"]
        await bob.call("join", room=room)
        heard = await bob.watch(f"chat:{room}")
        sent: dict[str, str] = {}

        async def talk(guest: Guest, name: str) -> None:
            for number in range(LINES):
                text = f"tea {name} {number}"
                try:
                    sent[text] = (await guest.call("send", room=room, text=text))["id"]
                except CentrifugeError:  # it may have been sent or not: it is never sent again
                    continue
                if number % 3 == 0:
                    await guest.insist("edit", room=room, id=sent[text], text=f"{text} edited")
                if number % 3 == 1:
                    await guest.insist("delete", room=room, id=sent[text])

        for victim in ("logic-chat", "storage"):
            talking = [asyncio.create_task(talk(guest, f"{name} {victim}")) for guest, name in ((ann, "ann"), (bob, "bob"))]
            answered = len(sent)
            await until(lambda before=answered: len(sent) > before + 2, 20)  # type: ignore[misc]
            pid = stack.kill(victim)
            await until(lambda gone=pid: gone not in stack.pids())  # type: ignore[misc]
            await asyncio.gather(*talking)
            await stack.ready()

        kept = {each["id"]: each for each in (await ann.insist("history", room=room, limit=200))["messages"]}
        for text, id_ in sent.items():
            number = int(text.rsplit(" ", 1)[1])
            assert kept[id_]["text"] == {0: f"{text} edited", 1: "", 2: text}[number % 3]
            assert kept[id_].get("deleted", False) == (number % 3 == 1)
        said = [each["text"] for each in kept.values() if each["text"]]
        assert len(said) == len(set(said)), "nothing stands twice"
        newest_first = [each["text"] for each in reversed(kept.values()) if each["text"]]
        await ann.until("search", newest_first, room=room, text="tea", limit=200)
        await until(lambda: {each["id"] for each in heard.messages if each["type"] == "message"} == set(kept))
        ids = [each["id"] for each in heard.messages if each["type"] == "message"]
        assert ids == list(kept), "a live subscriber hears each once, in order"
        for guest in (ann, bob):
            await guest.client.disconnect()
        assert await violations_in("--data-dir", stack.data_dir) == []
