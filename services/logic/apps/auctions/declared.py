"""The app: its channels, its entity's indexes. Handlers and tasks are declared in modules of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apps.auctions.messages import LotMessage, Notice
from apps.auctions.models import Lot
from apps.auctions.sales import due
from causeway_logic import App, History
from causeway_logic.payments import Payments

app: Final = App("auctions", version="0.2.0")

# Anyone signed in may watch a lot; nobody may publish, since no option and no hook says so.
lots = app.namespace(
    "lot",
    history=History(size=1000, ttl="7d"),
    force_recovery=True,
    allow_subscribe_for_client=True,
    allow_history_for_subscriber=True,
    presence=True,
    allow_presence_for_subscriber=True,
)
lot_channel = lots.channel("{lot_id}", message=LotMessage)

bidders = app.namespace("bidder", history=History(size=100, ttl="7d"), force_recovery=True)
bidder_channel = bidders.channel("{user}", message=Notice)

_lot = app.entity(Lot, kind="lot")
by_status = _lot.index("status", str)
by_seller = _lot.index("seller", str)
by_buyer = _lot.index("buyer", str, of=lambda lot: lot.buyer)
by_category = _lot.index("category", str)
by_closing = _lot.index("closes_at", datetime)
by_due = _lot.index("due", datetime, of=due)

payments: Final = Payments(app, ours=lambda metadata: "lot_id" in metadata)
"""What the provider said of each payment. Whether its money buys the lot is the lot's own decision."""
