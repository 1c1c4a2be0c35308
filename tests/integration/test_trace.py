"""P8: one trace from the client's RPC to the webhook's delivery, read from what the processes really exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.telemetry import names
from support.mongo import SERVERS
from support.otlp import OtlpReceiver, ReceivedSpan, WebhookReceiver
from support.stack import running_stack
from support.stores import mongo_uri
from support.waiting import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# (parent's service, start of its name) -> (child's service, start of its name): each must be there, as parent and child
EDGES = [
    (("gateway", "client rpc"), ("gateway", "request cw.v1.app.")),
    (("gateway", "request cw.v1.app."), ("logic-chat", "process cw.v1.app.")),
    (("logic-chat", "request cw.v1.storage."), ("storage", "process cw.v1.storage.")),
    (("storage", "publish cw.v1.job."), ("integrations", "process cw.v1.job.")),
    (("integrations", "request cw.v1.storage."), ("storage", "process cw.v1.storage.")),
]


def config(otlp: OtlpReceiver, hooks: WebhookReceiver) -> str:
    return f"""
[telemetry]
otlp_endpoint = "{otlp.url}"
sample_ratio = 1.0
export_interval = "200ms"

[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.message.created"
url = "{hooks.url}"
secret = "{SECRET}"
"""


def matches(span: ReceivedSpan, what: tuple[str, str]) -> bool:
    return span.service.startswith(what[0]) and span.name.startswith(what[1])


@pytest.mark.stack
@pytest.mark.timeout(120)
@pytest.mark.parametrize("database", ["sqlite", "mongodb"])
async def test_one_trace_joins_gateway_logic_storage_and_the_webhook(tmp_path: Path, database: str) -> None:
    storage = database if database == "sqlite" else mongo_uri(min(SERVERS), tmp_path)
    otlp, hooks = OtlpReceiver(), WebhookReceiver()
    await otlp.start()
    await hooks.start()
    try:
        async with running_stack(tmp_path, config=config(otlp, hooks), storage=storage) as stack:
            client = stack.client("ann")
            await client.connect()
            await client.ready(10)
            room = (await client.rpc("chat.create_room", {"name": "r"})).data["room"]
            await client.rpc("chat.send", {"room": room, "text": "hello"})
            await until(lambda: bool(hooks.received), 20)
            trace_id = hooks.received[0][0]["traceparent"].split("-")[1]
            sender = hooks.received[0][0]["traceparent"].split("-")[2]

            def spans() -> dict[str, ReceivedSpan]:
                return {span.span_id: span for span in otlp.spans if span.trace_id == trace_id}

            def missing() -> list[object]:
                found = spans()
                edges = [(found[span.parent_id], span) for span in found.values() if span.parent_id in found]
                return [edge for edge in EDGES if not any(matches(a, edge[0]) and matches(b, edge[1]) for a, b in edges)]

            def orphans() -> list[ReceivedSpan]:
                found = spans()
                return [span for span in found.values() if span.parent_id and span.parent_id not in found]

            try:
                await until(lambda: not missing() and sender in spans() and not orphans(), 20)
            except TimeoutError:
                listing = "\n".join(f"{s.service} {s.name} {s.span_id} <- {s.parent_id}" for s in spans().values())
                raise AssertionError(
                    f"missing {missing()}, sender there: {sender in spans()}, orphans {orphans()}; the trace has\n{listing}"
                ) from None
            found = spans()
            roots = [span for span in found.values() if not span.parent_id]
            assert [(root.service.split("-")[0], root.name) for root in roots] == [("gateway", "client rpc")]
            stored = {span.name for span in found.values() if span.service.startswith("storage")}
            assert stored >= {"commit entities", "put records"}, stored
            commits = [span for span in found.values() if span.name == "commit entities"]
            together = any(names.COMMIT_APPENDS in span.attributes for span in commits)
            assert ("append heads" in stored, together) == (database == "mongodb", database == "sqlite")
            assert found[sender].service == "integrations"
            await client.disconnect()
    finally:
        await hooks.stop()
        await otlp.stop()
