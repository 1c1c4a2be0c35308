"""What JetStream delivers to an app: its tasks, and the lifecycle events that it hears. One consumer each, named as the app.

One consumer holds all tasks of an app, since NATS can give an app the right to its own name, and to no prefix of names. So every version
of the app gets every task, and gives back those that it does not have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.bus import Bus, DeliveryInfo, DurableConsumer
from causeway_common.contracts.messages import JobDelivery, LifecycleEvent
from causeway_common.contracts.subjects import EVENT, EVENTS_STREAM, LIFECYCLE_SOURCE, TASK, TASKS_STREAM

ACK_WAIT_S: Final = 30.0
"""A delivery whose process died comes again after so long; the record's own lease may bring it back earlier."""
EVENT_ACK_WAIT_S: Final = 10.0
"""The same for lifecycle events: those behind wait for it."""
NO_BOUND: Final = -1

TaskHandler = Callable[[JobDelivery, str, int], Awaitable[None]]
EventHandler = Callable[[LifecycleEvent, int], Awaitable[None]]


def task_consumer(bus: Bus, app: str, handler: TaskHandler, *, concurrency: int) -> DurableConsumer[JobDelivery]:
    """Takes the app's tasks, so many at once in this process, those that wait for their turn included."""

    async def handle(delivery: JobDelivery, info: DeliveryInfo) -> None:
        await handler(delivery, TASK.fields(info.subject)["task"], info.delivered)

    return DurableConsumer(
        bus,
        stream=TASKS_STREAM,
        durable=app,
        subject=TASK.wildcard(app=app),
        message=JobDelivery,
        handler=handle,
        concurrency=concurrency,
        ack_wait_s=ACK_WAIT_S,
        in_progress=True,
        max_pending=NO_BOUND,  # those given back count, and must not keep others from coming
    )


def lifecycle_consumer(bus: Bus, app: str, handler: EventHandler) -> DurableConsumer[LifecycleEvent]:
    """Takes lifecycle events, one at a time over all processes of the app: that keeps their order, whoever dies."""

    async def handle(event: LifecycleEvent, info: DeliveryInfo) -> None:
        await handler(event, info.delivered)

    return DurableConsumer(
        bus,
        stream=EVENTS_STREAM,
        durable=app,
        subject=EVENT.wildcard(source=LIFECYCLE_SOURCE),
        message=LifecycleEvent,
        handler=handle,
        concurrency=1,
        ack_wait_s=EVENT_ACK_WAIT_S,
        in_progress=True,
        max_pending=1,
        deliver="new",  # an app that begins to listen is not told of the last seven days
    )
