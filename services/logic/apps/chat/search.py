"""The index of a room's words: a task follows the channel's log in steps, so that sending waits for none of it."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections import defaultdict
from datetime import timedelta
from typing import Final

from apps.chat import rules
from apps.chat.base import app, room_channel
from apps.chat.log import plain, sent_messages
from apps.chat.models import Indexed, IndexRoom, Message, MessageRef, Messages, Posting, Room, Search
from causeway_logic import Context, Draft, Reject

INDEX_PAUSE: Final = timedelta(seconds=1)
"""Messages of so long are indexed together."""
PAGE: Final = 100
TRIES_MAX: Final = 5
"""A log that does not show the messages the room counts is looked at so many times: its history may have been removed."""
WORDS_MAX: Final = 24
"""So many different words of a message are indexed."""
POSTINGS_MAX: Final = 1000
TERMS_MAX: Final = 8
CANDIDATES_MAX: Final = 400
_AT_ONCE: Final = 16
_WORD: Final = re.compile(r"\w{2,32}")


@app.rpc
async def search(ctx: Context, req: Search) -> Messages:
    """Messages that have all words of `text`, the newest first. A new message is found after about a second."""
    rules.require_member(await ctx.entity(Room, req.room).get(), ctx.user)
    wanted = words(req.text)[:TERMS_MAX]
    if not wanted:
        raise Reject(400, "a search needs a word of two letters or more")
    postings = await asyncio.gather(*(ctx.entity(Posting, posting_id(req.room, word)).find() for word in wanted))
    numbers = set.intersection(*(set(posting.numbers if posting else ()) for posting in postings))
    found: list[Message] = []
    for number in sorted(numbers, reverse=True)[:CANDIDATES_MAX]:
        entity = await ctx.entity(Indexed, f"{req.room}.{number}").find()
        if entity and not entity.message.deleted and set(wanted) <= set(words(entity.message.text)):
            found.append(entity.message)
            if len(found) == req.limit:
                break
    return Messages(messages=found)


@app.task
async def index_room(ctx: Context, req: IndexRoom) -> None:
    """Take what was sent since the last time into the index; again until nothing is left."""
    since, newest = (await ctx.entity(Room, req.room).get()).indexed, 0
    more = True
    while more:
        page = await ctx.history(room_channel(room=req.room), since=since, limit=PAGE)
        messages = sent_messages(page)
        await _index(ctx, req.room, messages)
        newest = max([newest, *(int(message.id) for message in messages)])
        since = page.publications[-1].offset if page.publications else since
        more = page.more and bool(page.publications)

    def change(draft: Draft[Room]) -> None:
        room = draft.state
        room.indexed, room.indexed_message = max(room.indexed, since), max(room.indexed_message, newest)
        tries = 0 if newest else req.tries + 1
        room.indexing = room.messages > room.indexed_message and tries < TRIES_MAX
        if room.indexing:
            draft.schedule(index_room, IndexRoom(room=req.room, tries=tries), at=ctx.now() + INDEX_PAUSE * 4**tries)

    await ctx.entity(Room, req.room).edit(change)


@app.task
async def reindex(ctx: Context, req: MessageRef) -> None:
    """An edited message has new words; those it lost are passed over by the search."""
    found = await ctx.entity(Indexed, f"{req.room}.{req.id}").get()
    await _index(ctx, req.room, [found.message])


def index_later(ctx: Context, draft: Draft[Room], room: str) -> None:
    """Have a new message indexed soon; one task is on its way at a time."""
    if not draft.state.indexing:
        draft.state.indexing = True
        draft.schedule(index_room, IndexRoom(room=room), at=ctx.now() + INDEX_PAUSE)


def words(text: str) -> list[str]:
    """The different words of a text in the order they come, folded: at most 24, of 2 to 32 letters or digits."""
    return list(dict.fromkeys(word.casefold() for word in _WORD.findall(text)))[:WORDS_MAX]


def posting_id(room: str, word: str) -> str:
    """The id of the entity that says where a word stands."""
    return f"{room}.{word}"


async def _index(ctx: Context, room: str, messages: list[Message]) -> None:
    """Entities of these messages, where they have none yet, and the places of their words. Again changes nothing."""
    places: dict[str, list[int]] = defaultdict(list)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def entity(message: Message) -> None:
        async with slots:
            await ctx.entity(Indexed, f"{room}.{message.id}").edit(
                lambda _draft: None, initial=Indexed(room=room, number=int(message.id), message=plain(message)), once=False
            )

    async def posting(word: str, numbers: list[int]) -> None:
        async with slots:
            await ctx.entity(Posting, posting_id(room, word)).edit(
                lambda draft: _place(draft.state, numbers),
                initial=Posting(),
                once=False,  # a rerun may know of more messages
            )

    for message in messages:
        for word in words(message.text):
            places[word].append(int(message.id))
    await asyncio.gather(*(entity(message) for message in messages))
    await asyncio.gather(*(posting(word, numbers) for word, numbers in places.items()))


def _place(posting: Posting, numbers: list[int]) -> None:
    """Put these in their places, once each; the oldest beyond a thousand go."""
    for number in numbers:
        at = bisect_left(posting.numbers, number)
        if posting.numbers[at : at + 1] != [number]:
            posting.numbers.insert(at, number)
    del posting.numbers[:-POSTINGS_MAX]
