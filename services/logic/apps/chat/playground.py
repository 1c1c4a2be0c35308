"""What the failure playground of the web application counts with, in dev alone: numbers that go the durable way and must come back.

A number is one commit of the run's entity with its publication inside, so that the two happen together or not at all. The number is its own
idempotency key: one that is sent again, because no answer came, has no second effect.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from apps.chat import rules
from causeway_logic import App, Context, Draft, History, Reject

RUN_RULE: Final = r"^[a-z0-9]{8,40}$"
NUMBER_MAX: Final = 10_000_000


class Run(BaseModel):
    """One opening of the playground: whose it is, and the newest number of it."""

    user: str
    number: int = 0


class Number(BaseModel):
    """Input of `chat.count`: one number of a run, whose numbers are sent one after the other."""

    run: Annotated[str, Field(pattern=RUN_RULE)]
    number: Annotated[int, Field(ge=1, le=NUMBER_MAX)]


class Counted(BaseModel):
    """Answer of `chat.count`, and what stands on `playground:<run>`."""

    number: int


def let_count(app: App) -> None:
    """Declare the method, the entity, and the channels `playground:<run>`, which any demo user may watch."""
    channel = app.namespace(
        "playground", history=History(size=1000, ttl="1h"), force_recovery=True, allow_subscribe_for_client=True
    ).channel("{run}", message=Counted)
    app.entity(Run, kind="playground")

    @app.rpc(concurrent=True)
    async def count(ctx: Context, req: Number) -> Counted:
        """Take the next number of a run. Raises Reject 403 where the run is somebody else's."""
        user = rules.require_user(ctx.user)

        def take(draft: Draft[Run]) -> None:
            if draft.state.user != user:
                raise Reject(403, "this run is somebody else's")
            if req.number > draft.state.number:
                draft.state.number = req.number
                draft.publish(channel(run=req.run), Counted(number=req.number))

        await ctx.entity(Run, req.run).edit(take, initial=Run(user=user))
        return Counted(number=req.number)
