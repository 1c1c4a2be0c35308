"""RPCs of a test's users: in the order of their connection, and kept as tasks where the method says so and nobody is there."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic_core import from_json, to_json

from causeway_common.bus import Deadline
from causeway_common.contracts import verbs
from causeway_common.contracts.messages import EnqueueRequest, NewRecord, RpcReply, RpcRequest
from causeway_common.contracts.names import split_method
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_logic import App
from causeway_logic.domain.tasks import ON_QUEUED_CALL
from causeway_testing.asking import Asking
from causeway_testing.bus import LocalBus
from causeway_testing.gateway import CALLER, LocalGateway
from causeway_testing.replicas import NobodyError
from causeway_testing.users import User

QUEUE: Final = "queue"
CONCURRENCY: Final = 256
"""As `[logic] method_concurrency`: calls of one method at once in one process."""


class Calling:
    """Calls methods.

    Args:
        app: the app.
        gateway: which methods there are.
        asking: asks the app.
        bus: leads to storage.
    """

    def __init__(self, app: App, gateway: LocalGateway, asking: Asking, bus: LocalBus) -> None:
        self._app, self._gateway, self._asking, self._bus = app, gateway, asking, bus

    async def call(self, user: User, method: str, data: bytes) -> bytes:
        """One RPC; those of one connection run in the order sent, unless the method is declared `concurrent`.

        Raises:
            CausewayError: what the client is answered.
        """
        user.must_be_connected()
        app, name = split_method(method, self._app.name)
        spec = self._gateway.catalogue.method(app, name)
        if not spec.concurrent:
            await _turn_of(user)
        request = RpcRequest(user=user.name, client=user.client, data=data, info=user.info_json)
        call = self._asking.call(app=app, method=name)
        try:
            reply: RpcReply = await self._asking.ask(
                lambda process: process.dispatcher.rpc(name, request, call),
                f"{user.name or 'anonymous'}: {name}",
                (name, self._app.methods[name].limit or CONCURRENCY),
            )
        except NobodyError:
            if spec.when_unavailable != QUEUE:
                raise
            return await self._gateway.on_loop(self._kept(name, request, call.message_id))
        else:
            return reply.data
        finally:
            if not spec.concurrent:
                _turn_over(user)

    async def _kept(self, method: str, request: RpcRequest, message_id: str) -> bytes:
        """Kept until a process is there; the answer says under which name."""
        name = f"q:{message_id}"
        payload = {
            "method": method,
            "user": request.user,
            "client": request.client,
            "data": from_json(request.data),
            "info": None if request.info is None else from_json(request.info),
        }
        record = NewRecord(id=name, app=self._app.name, connector="", op=ON_QUEUED_CALL, payload=payload)
        await self._bus.request(
            verbs.ENQUEUE, EnqueueRequest(records=[record]), Deadline.after(CLIENT_COMMAND_SECONDS), message_id=name, caller=CALLER
        )
        return to_json({"queued": name})


async def _turn_of(user: User) -> None:
    if user.busy:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        user.queue.append(turn)
        await turn
    user.busy = True


def _turn_over(user: User) -> None:
    user.busy = False
    while user.queue:
        turn = user.queue.popleft()
        if not turn.done():
            user.busy = True
            turn.set_result(None)
            return
