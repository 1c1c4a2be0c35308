"""Who may do what in a room, in one place."""

from __future__ import annotations

from typing import Final

from apps.chat.models import Room
from causeway_logic import Reject

MEMBERS_MAX: Final = 5000
"""A room with so many members takes no further ones: 409."""


def require_user(user: str) -> str:
    """The user, who must be signed in. Raises Reject 403 for an anonymous one."""
    if not user:
        raise Reject(403, "sign in first")
    return user


def require_member(room: Room, user: str) -> None:
    """Only members send, read and watch. Raises Reject 403."""
    if not user or user not in room.members:
        raise Reject(403, "join the room first")


def admit(room: Room, user: str) -> None:
    """Make the user a member; again is no error. Raises Reject 409 when the room is full."""
    if user in room.members:
        return
    if len(room.members) >= MEMBERS_MAX:
        raise Reject(409, "the room is full")
    room.members.append(user)
