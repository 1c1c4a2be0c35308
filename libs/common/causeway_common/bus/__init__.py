"""The bus over NATS: requests, publishes, served endpoints, direct listeners, JetStream and the apps' manifests."""

from causeway_common.bus.apps import Announcement, AppsDirectory, announce, version_order
from causeway_common.bus.buckets import LiveBucket
from causeway_common.bus.connection import Bus, BusSettings, Listener
from causeway_common.bus.consumer import DeliveryInfo, DurableConsumer, Postponed
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.discovery import Identity
from causeway_common.bus.dispatch import Call
from causeway_common.bus.jetstream import ensure_streams, publish_durable
from causeway_common.bus.owners import OwnedShards, ask_owner
from causeway_common.bus.tail import Kept, StreamTail

__all__ = [
    "Announcement",
    "AppsDirectory",
    "Bus",
    "BusSettings",
    "Call",
    "Deadline",
    "DeliveryInfo",
    "DurableConsumer",
    "Identity",
    "Kept",
    "Listener",
    "LiveBucket",
    "OwnedShards",
    "Postponed",
    "StreamTail",
    "announce",
    "ask_owner",
    "ensure_streams",
    "publish_durable",
    "version_order",
]
