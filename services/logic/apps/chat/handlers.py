"""The chat app's methods and hooks. Messages live in the room's channel log and nowhere else; the room counts them."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from apps.chat.models import (
    ROOM_ID_MAX_CHARS,
    CreateRoom,
    Message,
    MessageCreated,
    MessagePublished,
    Messages,
    ReadHistory,
    Room,
    RoomRef,
    Send,
    Sent,
    Typing,
    TypingPublished,
)
from apps.chat.rules import admit, require_member, require_user
from causeway_logic import App, Channel, Context, Draft, History, PublicationPage, Reject, SubscribeReply

app = App("chat", version="0.1.0")
rooms = app.namespace(
    "chat",
    history=History(size=10_000, ttl="30d"),
    force_recovery=True,
    presence=True,
    join_leave=True,
    allow_presence_for_subscriber=True,
    allow_history_for_subscriber=True,
)
typing = app.namespace("chat_typing", publish_rate_limit=5, slow_reader="drop")  # who misses one has missed nothing


@app.rpc
async def create_room(ctx: Context, req: CreateRoom) -> RoomRef:
    """Make a room; the caller is its first member."""
    room = ctx.new_id()
    await ctx.entity(Room, room).create(Room(name=req.name, members=[require_user(ctx.user)]))
    return RoomRef(room=room)


@app.rpc
async def join(ctx: Context, req: RoomRef) -> RoomRef:
    """Become a member; again is no error."""
    user = require_user(ctx.user)
    await ctx.entity(Room, req.room).edit(lambda draft: admit(draft.state, user))
    return req


@app.rpc
async def send(ctx: Context, req: Send) -> Sent:
    """Send a message: stored, published to the members and told to outside receivers, all or nothing."""
    user, at = require_user(ctx.user), rfc3339(ctx.now())

    def post(draft: Draft[Room]) -> None:
        require_member(draft.state, user)
        draft.state.messages += 1
        message = Message(id=str(draft.state.messages), user=user, text=req.text, at=at)
        draft.publish(f"chat:{req.room}", MessagePublished(type="message", **dict(message)))
        created = MessageCreated(room=req.room, **dict(message))
        draft.enqueue("webhook.event", {"type": "chat.message.created", "timestamp": at, "data": created})

    room = await ctx.entity(Room, req.room).edit(post)
    return Sent(id=str(room.messages))


@app.rpc
async def history(ctx: Context, req: ReadHistory) -> Messages:
    """The newest `limit` messages, or the newest before the message `before`; oldest first."""
    user = require_user(ctx.user)
    require_member(await ctx.entity(Room, req.room).get(), user)
    before, since = int(req.before or 0), 0
    found: list[Message] = []
    while True:
        page = await ctx.history(f"chat:{req.room}", since=since, limit=req.limit, reverse=True)
        found += [message for message in _messages(page) if not before or int(message.id) < before]
        if len(found) >= req.limit or not page.more or not page.publications:
            return Messages(messages=found[: req.limit][::-1])
        since = page.publications[-1].offset


@rooms.on_subscribe
async def may_watch(ctx: Context, channel: Channel) -> SubscribeReply:
    """Only members watch a room; the answer tells its name and how many they are."""
    room = await _room_of(ctx, channel)
    return SubscribeReply(data={"name": room.name, "members": len(room.members)})


@typing.on_subscribe
async def may_watch_typing(ctx: Context, channel: Channel) -> None:
    """Only members see who is typing."""
    await _room_of(ctx, channel)


@typing.on_publish
async def is_typing(ctx: Context, channel: Channel, data: Typing) -> TypingPublished:
    """A member types, or has stopped; the others are told who, whatever the client said about that."""
    await _room_of(ctx, channel)
    return TypingPublished(type="typing", user=ctx.user, typing=data.typing)


async def _room_of(ctx: Context, channel: Channel) -> Room:
    """The room of a channel. Raises Reject 404 where there is none, 403 for anybody but its members."""
    if not 0 < len(channel.id) <= ROOM_ID_MAX_CHARS:
        raise Reject(404, "no such room")
    room = await ctx.entity(Room, channel.id).get()
    require_member(room, ctx.user)
    return room


def rfc3339(moment: datetime) -> str:
    """A time of day as RFC 3339 in UTC with milliseconds: `2025-01-31T12:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _messages(page: PublicationPage) -> list[Message]:
    """The messages of a page. Whoever holds the API key may publish other things to the channel: those are no messages."""
    found: list[Message] = []
    for publication in page.publications:
        try:
            found.append(MessagePublished.model_validate(publication.data))
        except ValidationError:
            continue
    return found
