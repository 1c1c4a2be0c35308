"""The chat app: rooms, members, messages. `causeway-logic run apps.chat:app` serves it."""

from apps.chat import messages, rooms, search
from apps.chat.base import app

__all__ = ["app", "messages", "rooms", "search"]
