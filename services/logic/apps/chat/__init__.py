"""The chat app: rooms, members, messages. `causeway-logic run apps.chat:app` serves it."""

import os

from apps.chat import demo, messages, playground, rooms, search
from apps.chat.base import app

if os.environ.get(demo.SWITCH) == "1":
    demo.let_in(app)
    playground.let_count(app)

__all__ = ["app", "messages", "rooms", "search"]
