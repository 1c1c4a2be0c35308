"""The app SDK of Causeway: what an app's author imports, and nothing else of the service."""

from causeway_common.contracts.connectors import Operation
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Override
from causeway_logic.domain.declare import App
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.events import Event, LifecycleEvent
from causeway_logic.domain.hooks import (
    Abstention,
    ConnectReply,
    ConnectRequest,
    PublishReply,
    RefreshReply,
    ServerSubscription,
    SubscribeReply,
)
from causeway_logic.domain.indexes import Condition, EntityType, FoundEntity, Index, Page, Snapshot
from causeway_logic.domain.namespace import History, Namespace
from causeway_logic.domain.patterns import ChannelPattern
from causeway_logic.domain.reject import Deleted, Reject
from causeway_logic.domain.retry import Retry
from causeway_logic.domain.values import Channel, Member, Presence, PresenceStats, Publication, PublicationPage, Published
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.entity import Entity

__version__ = "0.1.0"

__all__ = [
    "Abstention",
    "App",
    "CausewayError",
    "Channel",
    "ChannelPattern",
    "Condition",
    "ConnectReply",
    "ConnectRequest",
    "Context",
    "Deleted",
    "Draft",
    "Entity",
    "EntityType",
    "Event",
    "FoundEntity",
    "History",
    "Index",
    "LifecycleEvent",
    "Member",
    "Namespace",
    "Operation",
    "Override",
    "Page",
    "Presence",
    "PresenceStats",
    "Publication",
    "PublicationPage",
    "PublishReply",
    "Published",
    "RefreshReply",
    "Reject",
    "Retry",
    "ServerSubscription",
    "Snapshot",
    "SubscribeReply",
]
