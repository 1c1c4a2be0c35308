"""The app SDK of Causeway: what an app's author imports, and nothing else of the service."""

from causeway_common.contracts.messages import Override
from causeway_logic.domain.declare import App
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.hooks import ConnectReply, ConnectRequest, RefreshReply, ServerSubscription, SubscribeReply
from causeway_logic.domain.namespace import History, Namespace
from causeway_logic.domain.reject import Reject
from causeway_logic.domain.values import Channel, Publication, PublicationPage
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.entity import Entity

__version__ = "0.1.0"

__all__ = [
    "App",
    "Channel",
    "ConnectReply",
    "ConnectRequest",
    "Context",
    "Draft",
    "Entity",
    "History",
    "Namespace",
    "Override",
    "Publication",
    "PublicationPage",
    "RefreshReply",
    "Reject",
    "ServerSubscription",
    "SubscribeReply",
]
