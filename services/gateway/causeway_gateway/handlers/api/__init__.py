"""The server API (reference/centrifuge-protocol.md, section 17): JSON in and out. Transport and keys are the adapter's."""

from causeway_gateway.handlers.api.server import ApiAnswer, ServerApi

__all__ = ["ApiAnswer", "ServerApi"]
