"""Messages: sent, edited, deleted, read. They live in the room's channel log; one that was amended or indexed is an entity too."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from apps.chat import rules
from apps.chat.base import amended_in, app, message_number, now_ms, read_channel, rfc3339, room_channel, thread_in, thread_key
from apps.chat.log import sent_message, sent_messages
from apps.chat.models import (
    Deleted,
    Edit,
    Edited,
    Indexed,
    LoadRoom,
    Mention,
    Message,
    MessageCreated,
    MessagePublished,
    MessageRef,
    Messages,
    Person,
    ReadHistory,
    ReadPublished,
    Room,
    RoomSnapshot,
    Seat,
    Send,
    Sent,
)
from apps.chat.options import Options
from apps.chat.rooms import mention_timer, seat_id
from apps.chat.search import index_later, reindex
from causeway_logic import Context, Draft, Reject
from causeway_logic.connectors import EMAIL_SEND, WEBHOOK_EVENT, SendEmail, WebhookEvent

MENTIONS_MAX: Final = 20
_MENTION: Final = re.compile(r"(?<![\w@])@([\w.-]{1,100})")


@app.rpc(idempotent="key")
async def send(ctx: Context, req: Send, options: Options) -> Sent:
    """Send a message: stored, published to the members and told to outside receivers, all or nothing."""
    user, at, now = rules.require_user(ctx.user), rfc3339(ctx.now()), now_ms(ctx)
    parent = await _answered(ctx, req.room, req.reply_to) if req.reply_to else None

    def post(draft: Draft[Room]) -> None:
        room = draft.state
        rules.may_send(room, user, now, options.pace)
        room.messages += 1
        message = Message(
            id=str(room.messages),
            user=user,
            text=req.text,
            at=at,
            reply_to=req.reply_to,
            thread=(parent.thread or parent.id) if parent else None,
            attachments=req.attachments,
            key=req.key,
        )
        draft.publish(room_channel(room=req.room), MessagePublished(type="message", **dict(message)))
        created = MessageCreated(room=req.room, **dict(message)).model_dump(mode="json")
        draft.enqueue(WEBHOOK_EVENT, WebhookEvent(type="chat.message.created", timestamp=at, data=created))
        _mention(ctx, draft, req.room, message, options.away)
        index_later(ctx, draft, req.room)

    return Sent(id=str((await ctx.entity(Room, req.room).edit(post)).messages))


@app.rpc
async def edit(ctx: Context, req: Edit) -> MessageRef:
    """Give a message of one's own another text."""
    room = await ctx.entity(Room, req.room).get()
    rules.require_heard(room, ctx.user, now_ms(ctx))
    at = rfc3339(ctx.now())

    def change(draft: Draft[Indexed]) -> None:
        message = draft.state.message
        rules.may_edit(room, ctx.user, message, now_ms(ctx))
        if message.text == req.text:
            return
        draft.state.message = message.model_copy(update={"text": req.text, "edited_at": at})
        draft.state.amended = True
        draft.publish(room_channel(room=req.room), Edited(id=req.id, text=req.text, at=at))
        draft.schedule(reindex, MessageRef(room=req.room, id=req.id))

    await ctx.entity(Indexed, message_id(req.room, req.id)).edit(change, initial=await _as_entity(ctx, req))
    return MessageRef(room=req.room, id=req.id)


@app.rpc
async def delete(ctx: Context, req: MessageRef) -> MessageRef:
    """Take a message back; again is no error. Its text and attachments are gone, that it was there stays."""
    room = await ctx.entity(Room, req.room).get()
    rules.require_member(room, ctx.user)
    at = rfc3339(ctx.now())

    def change(draft: Draft[Indexed]) -> None:
        message = draft.state.message
        rules.may_delete(room, ctx.user, message)
        if message.deleted:
            return
        draft.state.message = message.model_copy(update={"text": "", "attachments": [], "deleted": True})
        draft.state.amended = True
        draft.publish(room_channel(room=req.room), Deleted(id=req.id, by=ctx.user, at=at))

    await ctx.entity(Indexed, message_id(req.room, req.id)).edit(change, initial=await _as_entity(ctx, req))
    return req


@app.rpc
async def history(ctx: Context, req: ReadHistory) -> Messages:
    """The newest `limit` messages, or the newest before the message `before`; oldest first, as they are by now."""
    rules.require_member(await ctx.entity(Room, req.room).get(), rules.require_user(ctx.user))
    before, since = int(req.before or 0), 0
    found: list[Message] = []
    while True:
        page = await ctx.history(room_channel(room=req.room), since=since, limit=req.limit, reverse=True)
        found += [message for message in sent_messages(page) if not before or int(message.id) < before]
        if len(found) >= req.limit or not page.more or not page.publications:
            return Messages(messages=await _amended(ctx, req.room, found[: req.limit][::-1]))
        since = page.publications[-1].offset


@app.rpc
async def snapshot(ctx: Context, req: LoadRoom) -> RoomSnapshot:
    """The newest messages with a position of the room's channel: for an SDK's `getState`. What came between is in both."""
    found = await ctx.entity(Room, req.room).snapshot(room_channel(room=req.room))
    rules.require_member(found.state, ctx.user)
    newest = await history(ctx, ReadHistory(room=req.room, limit=req.limit))
    return RoomSnapshot(messages=newest.messages, offset=found.offset, epoch=found.epoch)


@app.rpc
async def thread(ctx: Context, req: MessageRef) -> Messages:
    """The first 200 messages of a thread, whichever of its messages is named. A new one is in it after about a second."""
    rules.require_member(await ctx.entity(Room, req.room).get(), ctx.user)
    named = await _message(ctx, req.room, req.id)
    key = thread_key(req.room, named.thread or named.id)
    page = await ctx.query(Indexed, thread_in == key, order=message_number, limit=200)
    return Messages(messages=[found.state.message for found in page.items])


@app.rpc
async def read(ctx: Context, req: MessageRef) -> MessageRef:
    """Tell that everything up to this message was read; it never goes back."""
    user, number = rules.require_user(ctx.user), int(req.id)
    room = await ctx.entity(Room, req.room).get()
    rules.require_member(room, user)
    if number > room.messages:
        raise Reject(404, "no such message")

    def forward(draft: Draft[Seat]) -> None:
        draft.state.read = max(draft.state.read, number)

    seat = await ctx.entity(Seat, seat_id(req.room, user)).edit(forward, initial=Seat(room=req.room, user=user))
    if int(room.mentioned.get(user, number + 1)) <= number:
        await ctx.entity(Room, req.room).edit(lambda draft: _not_away(draft, user))
    await ctx.publish(read_channel(room=req.room), ReadPublished(user=user, id=str(seat.read)), tags={"user": user})
    return MessageRef(room=req.room, id=str(seat.read))


@app.task
async def mail_mention(ctx: Context, req: Mention) -> None:
    """Somebody was mentioned and has not read it since: mail, unless it sits in the room or wants none."""
    present = (await ctx.presence(room_channel(room=req.room))).members
    person = await ctx.entity(Person, req.user).find()
    mailed = person is not None and person.email and all(member.user != req.user for member in present)

    def change(draft: Draft[Room]) -> None:
        if draft.state.mentioned.pop(req.user, None) is None or not mailed or person is None:
            return
        subject = f"{req.by} mentioned you in {draft.state.name}".replace("\n", " ").replace("\r", " ")
        draft.enqueue(EMAIL_SEND, SendEmail(to=[person.email], subject=subject, text=f"{req.by}: {req.text}\n"))

    await ctx.entity(Room, req.room).edit(change)


def message_id(room: str, id: str) -> str:
    """The id of a message's entity."""
    return f"{room}.{id}"


async def _answered(ctx: Context, room: str, id: str) -> Message:
    """The message that a new one answers. Raises Reject 404; 403 first, so that an outsider learns nothing of what was sent."""
    rules.require_member(await ctx.entity(Room, room).get(), ctx.user)
    return await _message(ctx, room, id)


async def _message(ctx: Context, room: str, id: str) -> Message:
    """One message as it is by now. Raises Reject 404."""
    found = await ctx.entity(Indexed, message_id(room, id)).find()
    return found.message if found else await sent_message(ctx, room, id)


async def _as_entity(ctx: Context, ref: MessageRef) -> Indexed | None:
    """What the message's entity begins as, None where it is there already. Raises Reject 404 where no such message was sent."""
    if await ctx.entity(Indexed, message_id(ref.room, ref.id)).find() is not None:
        return None
    return Indexed(room=ref.room, number=int(ref.id), message=await sent_message(ctx, ref.room, ref.id))


async def _amended(ctx: Context, room: str, messages: list[Message]) -> list[Message]:
    """These messages with what became of them."""
    if not messages:
        return messages
    first, last = int(messages[0].id), int(messages[-1].id)
    page = await ctx.query(Indexed, amended_in == room, message_number >= first, message_number <= last, limit=200)
    amended = {found.state.message.id: found.state.message for found in page.items}
    return [amended.get(message.id, message) for message in messages]


def _mention(ctx: Context, draft: Draft[Room], room: str, message: Message, away: timedelta) -> None:
    """Set a timer for each member that the text names and that has none yet."""
    named = dict.fromkeys(_MENTION.findall(message.text))
    members = [user for user in named if user in draft.state.members and user != message.user]
    for user in members[:MENTIONS_MAX]:
        if user not in draft.state.mentioned:
            draft.state.mentioned[user] = message.id
            told = Mention(room=room, user=user, id=message.id, by=message.user, text=message.text)
            draft.schedule(mail_mention, told, at=ctx.now() + away, name=mention_timer(user))


def _not_away(draft: Draft[Room], user: str) -> None:
    if draft.state.mentioned.pop(user, None) is not None:
        draft.cancel(mention_timer(user))
