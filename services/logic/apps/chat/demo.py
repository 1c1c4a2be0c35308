"""Demo users: whoever says a name is let in under it. For a machine of one's own alone; only `causeway dev` switches it on."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from apps.chat import rules
from apps.chat.models import Member, Role, Room
from apps.chat.rooms import take_seat
from causeway_logic import App, ConnectReply, ConnectRequest, Context, Draft, Reject

SWITCH: Final = "CAUSEWAY_CHAT_DEMO_USERS"
"""The environment variable that must be "1"."""
LOBBY: Final = "lobby"
_KEEPER: Final = "causeway"
"""Owns the lobby; nobody signs in under it."""


class DemoUser(BaseModel):
    """What comes along with a connect: the name that somebody chose."""

    demo_user: Annotated[str, Field(pattern=r"^\S(.{0,38}\S)?$")]


def let_in(app: App) -> None:
    """Declare the connect hook: the app then lets in anybody, under any name but that of the lobby's owner."""
    app.on_connect(_enter)


async def _enter(ctx: Context, request: ConnectRequest) -> ConnectReply:
    """Let in by name, as a member of the lobby, which is made when the first one comes. Raises Reject 403 without a good name."""
    try:
        user = DemoUser.model_validate(request.data).demo_user
    except ValidationError as error:
        raise Reject(403, "sign in with a name of 1 to 40 characters") from error
    if user == _KEEPER:
        raise Reject(403, "this name is taken")

    def come(draft: Draft[Room]) -> None:
        if user not in draft.state.members:
            rules.admit(draft.state, user)
            draft.schedule(take_seat, Member(room=LOBBY, user=user))

    initial = Room(name="Lobby", members=[_KEEPER], roles={_KEEPER: Role.OWNER})
    await ctx.entity(Room, LOBBY).edit(come, initial=initial)
    return ConnectReply(user=user)
