"""Rooms: made, joined, left, watched; and what moderators do in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from apps.chat import rules
from apps.chat.base import (
    app,
    now_ms,
    read_channel,
    read_namespace,
    rfc3339,
    room_channel,
    room_namespace,
    seat_for,
    seat_user,
    typing_channel,
    typing_namespace,
)
from apps.chat.models import (
    ROOM_ID_MAX_CHARS,
    Appoint,
    CreateRoom,
    Invitation,
    Member,
    Mute,
    MyRoom,
    MyRooms,
    Person,
    Profile,
    Role,
    Room,
    RoomRef,
    RoomView,
    Seat,
    Seen,
    Typing,
    TypingPublished,
)
from causeway_logic import Channel, Context, Draft, PublishReply, Reject, SubscribeReply

INVITATIONS_MAX: Final = 50
SWEEP_AGAIN: Final = timedelta(seconds=5)
"""A banned user is taken out a second time after so long: a subscription that was asked for before the ban may have come after it."""


@app.rpc
async def create_room(ctx: Context, req: CreateRoom) -> RoomRef:
    """Make a room; the caller owns it."""
    room, user = ctx.new_id(), rules.require_user(ctx.user)
    made = Room(name=req.name, members=[user], private=req.private, roles={user: Role.OWNER})
    await ctx.entity(Room, room).create(made, lambda draft: draft.schedule(take_seat, Member(room=room, user=user)))
    return RoomRef(room=room)


@app.rpc
async def join(ctx: Context, req: RoomRef) -> RoomRef:
    """Become a member; again is no error."""
    user = rules.require_user(ctx.user)

    def change(draft: Draft[Room]) -> None:
        if user not in draft.state.members:
            rules.admit(draft.state, user)
            draft.schedule(take_seat, Member(room=req.room, user=user))

    await ctx.entity(Room, req.room).edit(change)
    return req


@app.rpc
async def leave(ctx: Context, req: RoomRef) -> RoomRef:
    """Be a member no more; again is no error."""
    user = rules.require_user(ctx.user)

    def change(draft: Draft[Room]) -> None:
        if user in draft.state.members:
            rules.leave(draft.state, user)
            _take_out(ctx, draft, req.room, user)

    await ctx.entity(Room, req.room).edit(change)
    return req


@app.rpc
async def room(ctx: Context, req: RoomRef) -> RoomView:
    """The room as its members see it."""
    found = await ctx.entity(Room, req.room).get()
    rules.require_member(found, ctx.user)
    muted = {user: rfc3339(datetime.fromtimestamp(until / 1000, UTC)) for user, until in found.muted.items() if until > now_ms(ctx)}
    return RoomView(
        room=req.room,
        name=found.name,
        private=found.private,
        members=found.members,
        roles=found.roles,
        messages=found.messages,
        muted=muted,
    )


@app.rpc
async def rooms(ctx: Context) -> MyRooms:
    """The rooms of the caller with what is unread, and those it is invited into, by name; up to 200 and 50."""
    page = await ctx.query(Seat, seat_user == rules.require_user(ctx.user), limit=200)
    found: list[MyRoom] = []
    for seat in page.items:
        there = await ctx.entity(Room, seat.state.room).find()
        if there is not None and ctx.user in there.members:
            unread = max(0, there.messages - seat.state.read)
            found.append(MyRoom(room=seat.state.room, name=there.name, messages=there.messages, unread=unread))
    invitations: list[Invitation] = []
    for seat in (await ctx.query(Seat, seat_for == ctx.user, limit=INVITATIONS_MAX)).items:
        there = await ctx.entity(Room, seat.state.room).find()
        if there is not None and ctx.user in there.invited:
            invitations.append(Invitation(room=seat.state.room, name=there.name))
    return MyRooms(
        rooms=sorted(found, key=lambda each: (each.name, each.room)),
        invitations=sorted(invitations, key=lambda each: (each.name, each.room)),
    )


@app.rpc
async def profile(ctx: Context, req: Profile) -> Profile:
    """Tell where mail about mentions goes, or ask what was told."""
    person = ctx.entity(Person, rules.require_user(ctx.user))
    if req.email is None:
        return Profile(email=(await person.find() or Person()).email)

    def change(draft: Draft[Person]) -> None:
        draft.state.email = req.email or ""

    return Profile(email=(await person.edit(change, initial=Person())).email)


@app.rpc
async def invite(ctx: Context, req: Member) -> RoomRef:
    """Let a user join a private room. It finds the invitation among its rooms."""

    def change(draft: Draft[Room]) -> None:
        if rules.invite(draft.state, ctx.user, req.user):
            draft.schedule(keep_seat, Member(room=req.room, user=req.user))

    await ctx.entity(Room, req.room).edit(change)
    return RoomRef(room=req.room)


@app.rpc
async def appoint(ctx: Context, req: Appoint) -> RoomRef:
    """Make a member a moderator, or a member again."""
    await ctx.entity(Room, req.room).edit(lambda draft: rules.appoint(draft.state, ctx.user, req.user, req.role))
    return RoomRef(room=req.room)


@app.rpc
async def mute(ctx: Context, req: Mute) -> RoomRef:
    """Let a member be silent for so many seconds: it reads on, and sends nothing."""
    until = now_ms(ctx) + req.seconds * 1000 if req.seconds else 0
    await ctx.entity(Room, req.room).edit(lambda draft: rules.mute(draft.state, ctx.user, req.user, until))
    return RoomRef(room=req.room)


@app.rpc
async def ban(ctx: Context, req: Member) -> RoomRef:
    """Put a user out of the room, its live connections at once, and keep it out."""

    def change(draft: Draft[Room]) -> None:
        rules.ban(draft.state, ctx.user, req.user)
        _take_out(ctx, draft, req.room, req.user)

    await ctx.entity(Room, req.room).edit(change)
    return RoomRef(room=req.room)


@app.rpc
async def unban(ctx: Context, req: Member) -> RoomRef:
    """Let a banned user join again."""
    await ctx.entity(Room, req.room).edit(lambda draft: rules.unban(draft.state, ctx.user, req.user))
    return RoomRef(room=req.room)


@app.task
async def take_seat(ctx: Context, req: Member) -> None:
    """A member came: from now on the room is among its rooms."""
    await _sit(ctx, req)


@app.task
async def keep_seat(ctx: Context, req: Member) -> None:
    """Somebody was invited: the room is among its invitations until it has joined."""
    await _keep(ctx, req)


@app.task
async def take_out(ctx: Context, req: Member) -> None:
    """A member left or was banned: its connections hear nothing more, unless it came back meanwhile."""
    there = await ctx.entity(Room, req.room).get()
    if req.user in there.members:
        return
    for channel in (room_channel, typing_channel, read_channel):
        await ctx.unsubscribe(req.user, channel(room=req.room))
    try:
        await ctx.entity(Seat, seat_id(req.room, req.user)).delete()
    except Reject as gone:  # the second time, and for one who never had a seat, there is none
        if gone.code != 404:
            raise
    there = await ctx.entity(Room, req.room).get()
    if req.user in there.members:  # it came back just now, and its seat may have been the one deleted
        await _sit(ctx, req)
    elif req.user in there.invited:
        await _keep(ctx, req)


@room_namespace.on_subscribe
async def may_watch(ctx: Context, channel: Channel) -> SubscribeReply:
    """Only members watch a room; the answer tells its name and how many they are."""
    found = await _room_of(ctx, channel)
    return SubscribeReply(data=Seen(name=found.name, members=len(found.members)))


@typing_namespace.on_subscribe
async def may_watch_typing(ctx: Context, channel: Channel) -> None:
    """Only members see who is typing."""
    await _room_of(ctx, channel)


@read_namespace.on_subscribe
async def may_watch_reading(ctx: Context, channel: Channel) -> None:
    """Only members see who has read how far."""
    await _room_of(ctx, channel)


@typing_namespace.on_publish
async def is_typing(ctx: Context, channel: Channel, data: Typing) -> PublishReply:
    """A member types, or has stopped; the others are told who, whatever the client said about that."""
    await _room_of(ctx, channel)
    return PublishReply(data=TypingPublished(type="typing", user=ctx.user, typing=data.typing), tags={"user": ctx.user})


def seat_id(room: str, user: str) -> str:
    """The id of a member's seat."""
    return f"{room}.{user}"


async def _room_of(ctx: Context, channel: Channel) -> Room:
    """The room of a channel. Raises Reject 404 where there is none, 403 for anybody but its members."""
    if not 0 < len(channel.id) <= ROOM_ID_MAX_CHARS:
        raise Reject(404, "no such room")
    found = await ctx.entity(Room, channel.id).get()
    rules.require_member(found, ctx.user)
    return found


def _take_out(ctx: Context, draft: Draft[Room], room: str, user: str) -> None:
    who = Member(room=room, user=user)
    draft.cancel(mention_timer(user))
    draft.schedule(take_out, who)
    draft.schedule(take_out, who, at=ctx.now() + SWEEP_AGAIN, name=f"take_out:{user}")


def mention_timer(user: str) -> str:
    """The room's timer that mails a mention."""
    return f"mention:{user}"


async def _sit(ctx: Context, who: Member) -> None:
    def sit(draft: Draft[Seat]) -> None:
        draft.state.invited = False

    seat = ctx.entity(Seat, seat_id(who.room, who.user))
    await seat.edit(sit, initial=Seat(room=who.room, user=who.user), once=False)


async def _keep(ctx: Context, who: Member) -> None:
    seat = ctx.entity(Seat, seat_id(who.room, who.user))
    await seat.edit(_nothing, initial=Seat(room=who.room, user=who.user, invited=True), once=False)


def _nothing(_draft: Draft[Seat]) -> None:
    """What is there stays as it is."""
