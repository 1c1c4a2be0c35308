"""Demo users: whoever says a name is let in under it. For a machine of one's own alone; only `causeway dev` switches it on."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from apps.chat import rules
from apps.chat.models import Member, Role, Room, RoomRef
from apps.chat.rooms import take_seat
from causeway_logic import Abstention, App, ConnectReply, ConnectRequest, Context, Draft, Reject

SWITCH: Final = "CAUSEWAY_CHAT_DEMO_USERS"
"""The environment variable that must be "1"."""
LOBBY: Final = "lobby"
HOUSES: Final = {"Harbour": "harbour", "Kitchen": "kitchen", "Night shift": "night-shift", "Workshop": "workshop"}
"""Rooms that a simulated crowd opens, by name: once one is there, demo users are members of it, too."""
ONLOOKER: Final = "onlooker"
"""Whoever looks in from the door, without a name; a member of these rooms alone. Nobody signs in under it."""
_KEEPER: Final = "causeway"
"""Owns these rooms; nobody signs in under it."""


class DemoUser(BaseModel):
    """What comes along with a connect: the name that somebody chose."""

    demo_user: Annotated[str, Field(pattern=r"^\S(.{0,38}\S)?$")]


class House(BaseModel):
    """Input of `chat.open_house`."""

    name: Literal["Harbour", "Kitchen", "Night shift", "Workshop"]


def let_in(app: App) -> None:
    """Declare the connect hook: the app then lets in anybody, under any name but that of the lobby's owner. And `open_house` for crowds."""
    app.on_connect(_enter)

    @app.rpc
    async def open_house(ctx: Context, req: House) -> RoomRef:
        """Open one of the `HOUSES`, or come into it, as a member."""
        await _join(ctx, HOUSES[req.name], rules.require_user(ctx.user), req.name)
        return RoomRef(room=HOUSES[req.name])


async def _enter(ctx: Context, request: ConnectRequest) -> ConnectReply | Abstention:
    """Let in by name, as a member of the lobby, which is made when the first one comes. Raises Reject 403 for no good name."""
    if request.data == {"onlooker": True}:
        return ConnectReply(user=ONLOOKER)
    if not isinstance(request.data, dict) or "demo_user" not in request.data:
        return Abstention()  # no demo user: a client without a token, as everywhere
    try:
        user = DemoUser.model_validate(request.data).demo_user
    except ValidationError as error:
        raise Reject(403, "sign in with a name of 1 to 40 characters") from error
    if user in (_KEEPER, ONLOOKER):
        raise Reject(403, "this name is taken")

    await _join(ctx, LOBBY, user, "Lobby")
    for name, house in HOUSES.items():
        found = await ctx.entity(Room, house).find()
        if found is not None and user not in (*found.members, *found.banned):
            await _join(ctx, house, user, name)
    return ConnectReply(user=user)


async def _join(ctx: Context, room: str, user: str, name: str) -> None:
    def come(draft: Draft[Room]) -> None:
        if user not in draft.state.members:
            rules.admit(draft.state, user)
            draft.schedule(take_seat, Member(room=room, user=user))

    initial = Room(name=name, members=[_KEEPER], roles={_KEEPER: Role.OWNER})
    await ctx.entity(Room, room).edit(come, initial=initial)
