"""Jobs put on record as an app would, without the app."""

from __future__ import annotations

import json

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from support.stack import Stack


async def enqueue_mail(stack: Stack, *ids: str) -> None:
    """Mails of the app chat to ann@example.com, a job for each id."""
    users = json.loads((stack.data_dir / "nats.conf").read_text())["authorization"]["users"]
    password = next(user["password"] for user in users if user["user"] == "logic-chat")
    bus = Bus(BusSettings(stack.state()["nats_url"], "logic-chat", password, "test"))
    await bus.start()
    try:
        payload = {"to": ["ann@example.com"], "subject": "s", "text": "t"}
        records = [m.NewRecord(id=each, app="chat", connector="email", op="send", payload=payload) for each in ids]
        await bus.request(verbs.ENQUEUE, m.EnqueueRequest(records=records), Deadline.after(4), caller="chat")
    finally:
        await bus.stop()
