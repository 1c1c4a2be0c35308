"""The server API (reference/centrifuge-protocol.md, section 17): JSON in and out. Transport and keys are the adapter's."""

from causeway_gateway.handlers.api.answers import ApiAnswer
from causeway_gateway.handlers.api.server import ServerApi

__all__ = ["ApiAnswer", "ServerApi"]
