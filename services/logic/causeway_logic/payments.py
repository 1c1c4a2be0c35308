"""Payments as entities of an app: asked for, followed by the provider's webhooks, given back; never twice, whatever comes in which order.

```python
payments = Payments(app)

payment = await payments.create(ctx, CreatePayment(amount=500, currency="EUR"))  # its client_secret is for the payer's browser

@app.on_event("stripe", "*")
async def told(ctx: Context, event: Event[Any]) -> None:
    heard = await payments.hear(ctx, event)
    if heard and heard.after.status == "succeeded": ...

await payments.refund(ctx, payment.id, key="order-7")
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from causeway_common.contracts.connectors import (
    PAYMENTS_CANCEL,
    PAYMENTS_CONFIRM,
    PAYMENTS_CREATE,
    PAYMENTS_GET,
    PAYMENTS_REFUND,
    CancelPayment,
    ConfirmPayment,
    CreatePayment,
    GetPayment,
    Payment,
    RefundPayment,
)
from causeway_common.contracts.errors import CausewayError
from causeway_logic.domain.declare import App
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.events import Event
from causeway_logic.domain.payment import Heard, KeptPayment, KeptRefund, Status, joined, of_answer, of_decline, wished
from causeway_logic.domain.payment_events import REFUND_KEY, said_by_event
from causeway_logic.domain.reject import Reject
from causeway_logic.handlers.context import Context

APP: Final = "app"
DECLINED: Final = 402
CONFLICT: Final = 409
Ours = Callable[[Mapping[str, str]], bool]


class Payments:
    """The payments of one app, each an entity under the provider's id for it.

    Args:
        app: the app, in which a kind of entity is declared.
        kind: its name.
        ours: whether a payment with this metadata is one of the app's. Left out, `create` writes the app's name into the metadata,
            and those with it are. A provider's account may serve others too: what is told of theirs is not kept.

    Attributes:
        by_status: an index, for `ctx.query(KeptPayment, payments.by_status == "refunding")`.
        by_strange: an index of those that contradict themselves: `payments.by_strange == True`.
    """

    def __init__(self, app: App, *, kind: str = "payment", ours: Ours | None = None) -> None:
        self._name, self._ours = app.name, ours
        entities = app.entity(KeptPayment, kind=kind)
        self.by_status = entities.index("status", str, of=lambda kept: kept.status)
        self.by_strange = entities.index("strange", bool, of=lambda kept: bool(kept.strange))

    async def create(self, ctx: Context, request: CreatePayment, *, key: str = "") -> Payment:
        """Ask for money.

        Args:
            ctx: the handler's.
            request: how much, and what for.
            key: the same key is the same payment; left out, one that a rerun of the handler has again.

        Raises:
            CausewayError: what the provider refuses (400 to 499); temporary: it could not be reached.
        """
        if self._ours is None:
            request = msgspec.structs.replace(request, metadata={**request.metadata, APP: self._name})
        payment = await ctx.call(PAYMENTS_CREATE, request, idempotency_key=key)
        await self.learn(ctx, payment)
        return payment

    async def confirm(self, ctx: Context, id: str, method: str = "") -> Payment:
        """Pay by this method of the provider's. Whether the answer arrives or not, the provider's webhook tells the same.

        Raises:
            CausewayError: 402, it is declined, and kept as such; others as of `create`.
        """
        try:
            payment = await ctx.call(PAYMENTS_CONFIRM, ConfirmPayment(id=id, method=method))
        except CausewayError as error:
            if error.code == DECLINED:
                await self._keep(ctx, id, of_decline(error.message, _ms(ctx.now())))
            raise
        await self.learn(ctx, payment)
        return payment

    async def cancel(self, ctx: Context, id: str) -> Payment:
        """Ask for it no more. Raises CausewayError 400 where it has succeeded: `look` then."""
        payment = await ctx.call(PAYMENTS_CANCEL, CancelPayment(id=id))
        await self.learn(ctx, payment)
        return payment

    async def look(self, ctx: Context, id: str) -> Payment:
        """Ask the provider how it stands. Raises CausewayError 404: it knows no such payment."""
        payment = await ctx.call(PAYMENTS_GET, GetPayment(id=id))
        await self.learn(ctx, payment)
        return payment

    async def learn(self, ctx: Context, payment: Payment) -> Heard:
        """Keep what an answer of the provider says."""
        return await self._keep(ctx, payment.id, of_answer(payment, _ms(ctx.now())))

    async def hear(self, ctx: Context, event: Event[Any]) -> Heard | None:
        """Keep what an event of the provider says: doubled, late and out of order it comes to the same.

        Returns:
            None: it is not about a payment of the app's.
        """
        said = said_by_event(event.type, event.data, _ms(event.occurred_at or event.received_at))
        if said is None:
            return None
        name, told = said
        if not self._is_ours(told.metadata) and await self.find(ctx, name) is None:
            return None
        return await self._keep(ctx, name, told)

    async def find(self, ctx: Context, id: str) -> KeptPayment | None:
        """A payment as it is known here; None where it is not."""
        return await ctx.entity(KeptPayment, id).find()

    async def refund(self, ctx: Context, id: str, *, key: str, amount: int = 0) -> KeptPayment:
        """Give money back: the wish is kept and its job leaves in one commit. The same key again gives nothing more.

        Args:
            ctx: the handler's.
            id: the payment's.
            key: what it is given back for; the same at each repeat.
            amount: in minor units; 0: all that is left.

        Raises:
            Reject: 409, so much is not left of what was paid.
            CausewayError: where nothing is known of the money, the provider is asked: as `look`.
        """
        known = await self.find(ctx, id)
        if known is None or not known.received:
            await self.look(ctx, id)

        def change(draft: Draft[KeptPayment]) -> None:
            before = draft.state
            after = wished(before, key, amount)
            if after is None:
                raise Reject(CONFLICT, f"{before.left} of {before.received} {before.received_in} are left to give back")
            draft.state = after
            if key not in before.wishes:
                metadata = {**before.metadata, REFUND_KEY: key}
                draft.enqueue(PAYMENTS_REFUND, RefundPayment(id=id, amount=after.wishes[key], metadata=metadata))

        return await ctx.entity(KeptPayment, id).edit(change, once=False)

    async def _keep(self, ctx: Context, id: str, told: KeptPayment) -> Heard:
        before = KeptPayment()

        def change(draft: Draft[KeptPayment]) -> None:
            nonlocal before
            before = draft.state
            draft.state = joined(before, told)

        after = await ctx.entity(KeptPayment, id).edit(change, initial=KeptPayment(), once=False)
        heard = Heard(id, before, after)
        if heard.news:
            ctx.log.warning("a payment contradicts itself", payment=id, status=heard.after.status, strange=heard.news)
        return heard

    def _is_ours(self, metadata: Mapping[str, str]) -> bool:
        return self._ours(metadata) if self._ours else metadata.get(APP) == self._name


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


__all__ = ["Heard", "KeptPayment", "KeptRefund", "Payments", "Status"]
