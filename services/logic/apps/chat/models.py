"""What chat stores and what crosses its border. Ids are strings, times RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

from enum import StrEnum
from operator import not_
from typing import Annotated, Final, Literal

from pydantic import AnyUrl, BaseModel, Field, UrlConstraints

NAME_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 4000
USER_MAX_CHARS: Final = 100
ROOM_ID_MAX_CHARS: Final = 64
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 200
ATTACHMENTS_MAX: Final = 10
ATTACHMENT_MAX_BYTES: Final = 5 * 1024**3
MUTE_MAX_S: Final = 30 * 86_400
KEY_MAX_CHARS: Final = 64

RoomId = Annotated[str, Field(min_length=1, max_length=ROOM_ID_MAX_CHARS)]
UserId = Annotated[str, Field(min_length=1, max_length=USER_MAX_CHARS)]
MessageId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,14}$")]
Key = Annotated[str, Field(min_length=1, max_length=KEY_MAX_CHARS)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS)]
_SPARSE: Final = Field(exclude_if=not_)
"""A field that is left out where it says nothing."""
Link = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https", "http"], max_length=2000)]


class Role(StrEnum):
    """What a member is in a room. Whoever made it owns it."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


# ---- what is stored ----------------------------------------------------------------------------------------------------------------


class Room(BaseModel):
    """A room: who may do what in it, and how many messages were sent (the id of the latest). The messages are the channel's log.

    Attributes:
        members: in the order they came.
        roles: of those that are more than members.
        muted: until when, milliseconds since the Unix epoch.
        mentioned: who was mentioned and has not read it, with the first such message; each has a timer `mention:<user>`.
        pace: by user the second of its latest message and the messages in that second.
        indexing: a task is on its way that takes the newest messages into the search index.
        indexed: the offset up to which the channel's log is in it, and `indexed_message` the newest message of it.
    """

    name: str
    members: list[str]
    messages: int = 0
    private: bool = False
    roles: dict[str, Role] = {}
    invited: list[str] = []
    banned: list[str] = []
    muted: dict[str, int] = {}
    mentioned: dict[str, str] = {}
    pace: dict[str, tuple[int, int]] = {}
    indexing: bool = False
    indexed: int = 0
    indexed_message: int = 0


class Attachment(BaseModel):
    """A file that lies elsewhere."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARS)]
    url: Link
    type: Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9.+-]{1,100}$")]
    size: Annotated[int, Field(ge=0, le=ATTACHMENT_MAX_BYTES)]


class Message(BaseModel):
    """One message as its readers see it; what it has not is left out. `id` counts up within the room, from "1".

    Attributes:
        reply_to: the message that it answers; `thread` is the first one of that exchange.
        edited_at: when its text was changed last.
        deleted: it was taken back, by its author or a moderator; its text is gone.
        key: what its author sent it with, and knows its own message by.
    """

    id: MessageId
    user: str
    text: str
    at: str
    reply_to: Annotated[MessageId | None, _SPARSE] = None
    thread: Annotated[MessageId | None, _SPARSE] = None
    attachments: Annotated[list[Attachment], _SPARSE] = []
    edited_at: Annotated[str | None, _SPARSE] = None
    deleted: Annotated[bool, _SPARSE] = False
    key: Annotated[Key | None, _SPARSE] = None


class Indexed(BaseModel):
    """One message as an entity: made when it is first amended, or by the index a moment after it was sent."""

    room: str
    number: int
    message: Message
    amended: bool = False


class Posting(BaseModel):
    """Where one word stands in a room: numbers of messages, ascending, the newest thousand."""

    numbers: list[int] = []


class Seat(BaseModel):
    """One member's place in one room: how far it has read. Or one that is kept for who is invited."""

    room: str
    user: str
    read: int = 0
    invited: bool = False


class Person(BaseModel):
    """What a user told of itself: where mail about mentions goes."""

    email: str = ""


# ---- what is published -------------------------------------------------------------------------------------------------------------


class MessagePublished(Message):
    """A message on the room's channel."""

    type: Literal["message"]


class Edited(BaseModel):
    """A message has another text now."""

    type: Literal["edited"] = "edited"
    id: MessageId
    text: str
    at: str


class Deleted(BaseModel):
    """A message was taken back, by its author or a moderator."""

    type: Literal["deleted"] = "deleted"
    id: MessageId
    by: str
    at: str


RoomMessage = Annotated[MessagePublished | Edited | Deleted, Field(discriminator="type")]
"""What stands on `chat:<room>`."""


class MessageCreated(Message):
    """A message as the event `chat.message.created` tells it to outside receivers."""

    room: str


class Typing(BaseModel):
    """What a client publishes to `chat_typing:<room>`."""

    typing: bool


class TypingPublished(Typing):
    """What the members of the room get."""

    type: Literal["typing"]
    user: str


class ReadPublished(BaseModel):
    """On `chat_read:<room>`: how far a member has read."""

    type: Literal["read"] = "read"
    user: str
    id: str


# ---- what is asked and answered ----------------------------------------------------------------------------------------------------


class CreateRoom(BaseModel):
    """Input of `chat.create_room`. Into a private room one comes by invitation only."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARS)]
    private: bool = False


class RoomRef(BaseModel):
    """A room by its id."""

    room: RoomId


class Member(RoomRef):
    """A user in a room: input of `chat.invite`, `chat.ban`, `chat.unban`."""

    user: UserId


class Appoint(Member):
    """Input of `chat.appoint`: what the member is from now on."""

    role: Literal[Role.MODERATOR, Role.MEMBER]


class Mute(Member):
    """Input of `chat.mute`; 0 seconds end it."""

    seconds: Annotated[int, Field(ge=0, le=MUTE_MAX_S)]


class Send(RoomRef):
    """Input of `chat.send`.

    Who sends the same `key` again, since no answer came, gets the first answer and sends no second message.
    """

    text: Text
    key: Key | None = None
    reply_to: MessageId | None = None
    attachments: Annotated[list[Attachment], Field(max_length=ATTACHMENTS_MAX)] = []


class Sent(BaseModel):
    """Answer of `chat.send`."""

    id: str


class MessageRef(RoomRef):
    """One message: input of `chat.delete`, `chat.read` and `chat.thread`, answer of `chat.edit`, `chat.delete` and `chat.read`."""

    id: MessageId


class Edit(MessageRef):
    """Input of `chat.edit`."""

    text: Text


class ReadHistory(RoomRef):
    """Input of `chat.history`: the newest messages, or those right before the message `before`."""

    before: MessageId | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class Messages(BaseModel):
    """Messages, oldest first; of a search the newest first."""

    messages: list[Message]


class LoadRoom(RoomRef):
    """Input of `chat.snapshot`."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class RoomSnapshot(BaseModel):
    """Answer of `chat.snapshot`: the newest messages, oldest first, and the position of `chat:<room>` from which one misses nothing."""

    messages: list[Message]
    offset: int
    epoch: str


class Search(RoomRef):
    """Input of `chat.search`: messages that have all of these words."""

    text: Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARS)]
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class Profile(BaseModel):
    """Input and answer of `chat.profile`: "" takes no mail, nothing given asks what it is."""

    email: Annotated[str, Field(max_length=254, pattern=r"^(|[^@\s,;<>]+@[^@\s,;<>]+)$")] | None = None


class MyRoom(BaseModel):
    """One of the rooms of a user, and how many messages there it has not read."""

    room: str
    name: str
    messages: int
    unread: int


class Invitation(RoomRef):
    """A room that a user is invited into."""

    name: str


class MyRooms(BaseModel):
    """Answer of `chat.rooms`."""

    rooms: list[MyRoom]
    invitations: list[Invitation] = []


class RoomView(BaseModel):
    """Answer of `chat.room`: a room as its members see it."""

    room: str
    name: str
    private: bool
    members: list[str]
    roles: dict[str, Role]
    messages: int
    muted: dict[str, str]


class Seen(BaseModel):
    """What the subscriber of a room's channel is told with it."""

    name: str
    members: int


# ---- what its tasks take -----------------------------------------------------------------------------------------------------------


class Mention(BaseModel):
    """A member was mentioned in this message some time ago."""

    room: str
    user: str
    id: MessageId
    by: str
    text: str


class IndexRoom(RoomRef):
    """Take the newest messages of a room into the index; `tries`: so many times in a row nothing new was seen."""

    tries: int = 0
