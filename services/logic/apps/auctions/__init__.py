"""The auctions app: lots, live bids, sales. `causeway-logic run apps.auctions:app` serves it."""

from apps.auctions import buying, handlers, paying, people  # noqa: F401 - they declare what the app answers
from apps.auctions.declared import app

__all__ = ["app"]
