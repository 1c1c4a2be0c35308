"""Who may do what in a room, in one place. Every rule takes the room as stored and raises Reject where it does not hold.

| | owner | moderator | member | banned, stranger, anonymous |
|---|---|---|---|---|
| watch, read, search, react to what is read | yes | yes | yes | no |
| send | yes | unless muted | unless muted | no |
| edit a message | its author | its author, unless muted | its author, unless muted | no |
| delete a message | any | any | its author | no |
| invite | yes | yes | into a public room | no |
| mute, ban | all others | members | no | no |
| appoint | yes | no | no | no |

Nobody is faster than the pace. A mute outlasts leaving and being appointed.
"""

from __future__ import annotations

from typing import Final

from apps.chat.models import Message, Role, Room
from causeway_logic import Reject

MEMBERS_MAX: Final = 5000
"""A room with so many members takes no further ones: 409."""
BANNED_MAX: Final = 5000
PACE_KEPT: Final = 256
"""Of so many members the pace is known; of others it begins anew."""

_RANK: Final = {Role.OWNER: 2, Role.MODERATOR: 1, Role.MEMBER: 0}


def require_user(user: str) -> str:
    """The user, who must be signed in. Raises Reject 403 for an anonymous one."""
    if not user:
        raise Reject(403, "sign in first")
    return user


def require_member(room: Room, user: str) -> None:
    """Only members send, read and watch. Raises Reject 403."""
    if not user or user not in room.members:
        raise Reject(403, "join the room first")


def role_of(room: Room, user: str) -> Role:
    """What the member is. Raises Reject 403 for one who is none."""
    require_member(room, user)
    return room.roles.get(user, Role.MEMBER)


def admit(room: Room, user: str) -> None:
    """Make the user a member; again is no error. Raises Reject 403 for a banned one or without an invitation, 409 when the room is full."""
    if user in room.members:
        return
    if user in room.banned:
        raise Reject(403, "you are banned from this room")
    if room.private and user not in room.invited:
        raise Reject(403, "this room is by invitation")
    if len(room.members) >= MEMBERS_MAX:
        raise Reject(409, "the room is full")
    room.members.append(user)
    room.invited = [other for other in room.invited if other != user]


def invite(room: Room, inviter: str, user: str) -> bool:
    """Let the user join; True where that is new. Raises Reject 403 where the inviter may not, or the user is banned; 409 when there are too many."""
    if room.private and _RANK[role_of(room, inviter)] < _RANK[Role.MODERATOR]:
        raise Reject(403, "only moderators invite into a private room")
    require_member(room, inviter)
    if user in room.banned:
        raise Reject(403, "that user is banned from this room")
    if user in room.members or user in room.invited:
        return False
    if len(room.invited) >= MEMBERS_MAX:
        raise Reject(409, "too many invitations are open")
    room.invited.append(user)
    return True


def may_send(room: Room, user: str, now_ms: int, pace: int) -> None:
    """Count one message of a member, of whom `pace` are taken in a second. Raises Reject 403 for a muted one or one who is none, 429 for one too fast."""
    require_heard(room, user, now_ms)
    second = now_ms // 1000
    before, count = room.pace.get(user, (0, 0))
    count = count + 1 if before == second else 1
    if count > pace:
        raise Reject(429, f"at most {pace} messages in a second", temporary=True)
    room.pace = {other: seen for other, seen in room.pace.items() if seen[0] >= second - 1 and other != user}
    if len(room.pace) < PACE_KEPT:
        room.pace[user] = (second, count)


def require_heard(room: Room, user: str, now_ms: int) -> None:
    """A member who is not muted. Raises Reject 403."""
    require_member(room, user)
    if room.muted.get(user, 0) > now_ms:
        raise Reject(403, "you are muted in this room")


def may_edit(room: Room, user: str, message: Message, now_ms: int) -> None:
    """Its author alone edits a message. Raises Reject 403, 410 where it was deleted."""
    require_heard(room, user, now_ms)
    if message.user != user:
        raise Reject(403, "only its author edits a message")
    if message.deleted:
        raise Reject(410, "this message was deleted")


def may_delete(room: Room, user: str, message: Message) -> None:
    """Its author and moderators delete a message. Raises Reject 403."""
    if _RANK[role_of(room, user)] < _RANK[Role.MODERATOR] and message.user != user:
        raise Reject(403, "only its author and moderators delete a message")


def mute(room: Room, moderator: str, user: str, until_ms: int) -> None:
    """Mute a member until then; in the past: no more. Raises Reject 403, 404 for one who is no member."""
    _moderate(room, moderator, user)
    if user not in room.members:
        raise Reject(404, "no such member")
    room.muted = {other: until for other, until in room.muted.items() if other != user}
    if until_ms:
        room.muted[user] = until_ms


def ban(room: Room, moderator: str, user: str) -> None:
    """Ban a user, member or not. Raises Reject 403, 409 when too many are banned."""
    _moderate(room, moderator, user)
    if user in room.banned:
        return
    if len(room.banned) >= BANNED_MAX:
        raise Reject(409, "too many users are banned")
    room.banned.append(user)
    leave(room, user)


def unban(room: Room, moderator: str, user: str) -> None:
    """Let a banned user join again. Raises Reject 403."""
    _moderate(room, moderator, user)
    room.banned = [other for other in room.banned if other != user]


def appoint(room: Room, owner: str, user: str, role: Role) -> None:
    """Make a member a moderator, or a member again. Raises Reject 403, 404 for one who is no member."""
    if role_of(room, owner) is not Role.OWNER or user == owner:
        raise Reject(403, "only the owner appoints, and others")
    if user not in room.members:
        raise Reject(404, "no such member")
    room.roles = {other: kept for other, kept in room.roles.items() if other != user}
    if role is not Role.MEMBER:
        room.roles[user] = role


def leave(room: Room, user: str) -> None:
    """Make a member a stranger. What it wrote stays."""
    room.members = [other for other in room.members if other != user]
    room.invited = [other for other in room.invited if other != user]
    for held in (room.roles, room.mentioned, room.pace):
        held.pop(user, None)


def _moderate(room: Room, moderator: str, user: str) -> None:
    mine = _RANK[role_of(room, moderator)]
    theirs = _RANK[room.roles.get(user, Role.MEMBER)]
    if mine < _RANK[Role.MODERATOR] or mine <= theirs:
        raise Reject(403, "only moderators do that, and not to their like")
