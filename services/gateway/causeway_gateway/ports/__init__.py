"""What the gateway needs from outside, as promises. Handlers are written against these, adapters keep them, `app.py` joins them."""

from causeway_gateway.ports.apps import Apps, AppVersions, NobodyError, Routes, WebhookDesk
from causeway_gateway.ports.connections import Gate, Link, Peer, Registry, Visit
from causeway_gateway.ports.feeds import Attendances, FeedBus, Members, Subscription, Unlogged
from causeway_gateway.ports.others import Emulation, Gateways, GoneError, Keys, KeySource, Presence, Revoker
from causeway_gateway.ports.running import Tasks, Timers
from causeway_gateway.ports.storage import (
    AuditLog,
    AuditTrail,
    EntityInspection,
    EventStream,
    KeptEvent,
    Records,
    RecordsDesk,
    Storage,
    TimersDesk,
)

__all__ = [
    "AppVersions",
    "Apps",
    "Attendances",
    "AuditLog",
    "AuditTrail",
    "Emulation",
    "EntityInspection",
    "EventStream",
    "FeedBus",
    "Gate",
    "Gateways",
    "GoneError",
    "KeptEvent",
    "KeySource",
    "Keys",
    "Link",
    "Members",
    "NobodyError",
    "Peer",
    "Presence",
    "Records",
    "RecordsDesk",
    "Registry",
    "Revoker",
    "Routes",
    "Storage",
    "Subscription",
    "Tasks",
    "Timers",
    "TimersDesk",
    "Unlogged",
    "Visit",
    "WebhookDesk",
]
