"""The chat app itself: its channels, and its entities with what can be asked of them."""

from __future__ import annotations

from datetime import datetime

from apps.chat.models import Indexed, Person, Posting, ReadPublished, Room, RoomMessage, Seat, TypingPublished
from causeway_logic import App, Context, History

app = App("chat", version="0.3.0")

room_namespace = app.namespace(
    "chat",
    history=History(size=10_000, ttl="30d"),
    force_recovery=True,
    presence=True,
    join_leave=True,
    allow_presence_for_subscriber=True,
    allow_history_for_subscriber=True,
)
typing_namespace = app.namespace(
    "chat_typing", publish_rate_limit=5, slow_reader="conflate", conflate_tag="user"
)  # who misses one has missed nothing
read_namespace = app.namespace("chat_read", slow_reader="conflate", conflate_tag="user")

room_channel = room_namespace.channel("{room}", message=RoomMessage)
typing_channel = typing_namespace.channel("{room}", message=TypingPublished)
read_channel = read_namespace.channel("{room}", message=ReadPublished)

room_entities = app.entity(Room, kind="room")
person_entities = app.entity(Person, kind="person")
posting_entities = app.entity(Posting, kind="posting")
seat_entities = app.entity(Seat, kind="seat")
seat_user = seat_entities.index("user", str, of=lambda found: None if found.invited else found.user)
seat_for = seat_entities.index("for", str, of=lambda found: found.user if found.invited else None)
message_entities = app.entity(Indexed, kind="message")
message_number = message_entities.index("number", int)
amended_in = message_entities.index("amended_in", str, of=lambda found: found.room if found.amended else None)
thread_in = message_entities.index(
    "thread_in", str, of=lambda found: thread_key(found.room, found.message.thread or found.message.id)
)


def thread_key(room: str, message: str) -> str:
    """What the index `thread_in` says of the messages of one thread."""
    return f"{room}.{message}"


def rfc3339(moment: datetime) -> str:
    """A time of day as RFC 3339 in UTC with milliseconds: `2025-01-31T12:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_ms(ctx: Context) -> int:
    """The call's time of day, milliseconds since the Unix epoch."""
    return int(ctx.now().timestamp() * 1000)
