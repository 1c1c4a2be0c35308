"""The app that RPC figures call. `causeway-logic run echo:app` serves it, in this folder."""

from __future__ import annotations

from causeway_logic import App, Context

app = App("echo", version="1.0.0")


@app.rpc
async def echo(ctx: Context, req: str) -> str:
    """What was sent."""
    return req
