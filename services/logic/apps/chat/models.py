"""What chat stores and what crosses its border. Ids are strings, times RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

NAME_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 4000
ROOM_ID_MAX_CHARS: Final = 64
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 200

RoomId = Annotated[str, Field(min_length=1, max_length=ROOM_ID_MAX_CHARS)]
MessageId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")]


class Room(BaseModel):
    """A room: its members in the order they came, and how many messages were sent (the id of the latest)."""

    name: str
    members: list[str]
    messages: int = 0


class Message(BaseModel):
    """One message as its readers see it. `id` counts up within the room, from "1"."""

    id: MessageId
    user: str
    text: str
    at: str


class MessagePublished(Message):
    """A message on the room's channel."""

    type: Literal["message"]


class MessageCreated(Message):
    """A message as the event `chat.message.created` tells it to outside receivers."""

    room: str


class CreateRoom(BaseModel):
    """Input of `chat.create_room`."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARS)]


class RoomRef(BaseModel):
    """A room by its id: input of `chat.join`, answer of `chat.create_room` and `chat.join`."""

    room: RoomId


class Send(BaseModel):
    """Input of `chat.send`."""

    room: RoomId
    text: Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS)]


class Sent(BaseModel):
    """Answer of `chat.send`."""

    id: str


class ReadHistory(BaseModel):
    """Input of `chat.history`: the newest messages, or those right before the message `before`."""

    room: RoomId
    before: MessageId | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class Messages(BaseModel):
    """Answer of `chat.history`, oldest first."""

    messages: list[Message]


class Typing(BaseModel):
    """What a client publishes to `chat_typing:<room>`."""

    typing: bool


class TypingPublished(Typing):
    """What the members of the room get."""

    type: Literal["typing"]
    user: str
