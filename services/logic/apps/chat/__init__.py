"""The chat app: rooms, members, messages. `causeway-logic run apps.chat:app` serves it."""

from apps.chat.handlers import app

__all__ = ["app"]
