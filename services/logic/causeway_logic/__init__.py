"""The app SDK of Causeway: what an app's author imports, and nothing else of the service."""

from causeway_logic.domain.declare import App, History, Namespace
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.reject import Reject
from causeway_logic.domain.values import Channel, Publication, PublicationPage
from causeway_logic.handlers.context import Context
from causeway_logic.handlers.entity import Entity

__version__ = "0.1.0"

__all__ = [
    "App",
    "Channel",
    "Context",
    "Draft",
    "Entity",
    "History",
    "Namespace",
    "Publication",
    "PublicationPage",
    "Reject",
]
