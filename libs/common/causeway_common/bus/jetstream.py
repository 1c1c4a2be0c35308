"""JetStream as Causeway uses it: streams declared here, publishes answered after their ack. Its consumer is in `bus.consumer`.

Spoken straight over its request API (https://docs.nats.io/reference/reference-protocols/nats_api_reference), since the records own
the work and a stream only delivers: no client-side state has to survive anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from causeway_common.bus.connection import Bus
from causeway_common.bus.deadline import Deadline
from causeway_common.contracts import subjects
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import Message
from causeway_common.telemetry import Kind, OpenSpan, current_traceparent, names, span

API: Final = "$JS.API"
NANOSECONDS: Final = 1_000_000_000
RETRY_SECONDS: Final = 0.25
WRONG_LAST_SEQUENCE: Final = 10071
_PUBLISHING: Final = {
    names.MESSAGING_SYSTEM: names.MESSAGING_SYSTEM_NATS,
    names.MESSAGING_OPERATION_NAME: "publish",
    names.MESSAGING_OPERATION_TYPE: "send",
}


def _bucket(stream: str, subject: subjects.Subject, **options: Any) -> Mapping[str, Any]:
    """A KV bucket as NATS ADR-8 has it: a stream of which each subject keeps its last message."""
    return {
        "name": stream,
        "subjects": [subject.template.split("{", maxsplit=1)[0] + ">"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "num_replicas": 1,
        **options,
    }


STREAMS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": subjects.JOBS_STREAM,
        "subjects": [subjects.JOB.wildcard()],
        "retention": "workqueue",
        "storage": "file",
        "discard": "new",
        "max_bytes": 1 << 30,
        "duplicate_window": 120 * NANOSECONDS,
        "num_replicas": 1,
    },
    {
        # An app that does not run takes nothing out: its deliveries go with their age, or push their own subject's oldest out, and never
        # keep another app's from coming in. The records have them delivered again.
        "name": subjects.TASKS_STREAM,
        "subjects": [subjects.TASK.wildcard()],
        "retention": "workqueue",
        "storage": "file",
        "discard": "old",
        "max_msgs_per_subject": 10_000,
        "max_age": 600 * NANOSECONDS,
        "max_bytes": 1 << 30,
        "max_msg_size": 4 << 10,
        "duplicate_window": 120 * NANOSECONDS,
        "num_replicas": 1,
    },
    {
        "name": subjects.EVENTS_STREAM,
        "subjects": [subjects.EVENT.wildcard()],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_age": 7 * 86_400 * NANOSECONDS,
        "max_bytes": 1 << 30,
        "max_msg_size": 128 << 10,
        "duplicate_window": 120 * NANOSECONDS,
        "allow_direct": True,
        "num_replicas": 1,
    },
    _bucket(subjects.APPS_STREAM, subjects.KV_APPS, allow_msg_ttl=True),
    _bucket(subjects.ROUTES_STREAM, subjects.KV_ROUTES, allow_msg_ttl=True),
    _bucket(subjects.NODES_STREAM, subjects.KV_NODES, storage="memory", max_age=60 * NANOSECONDS),
    _bucket(subjects.REVOCATIONS_STREAM, subjects.KV_REVOCATIONS, max_msgs=100_000, allow_msg_ttl=True),
    _bucket(
        subjects.KEYS_STREAM, subjects.KV_KEYS, storage="memory", max_age=300 * NANOSECONDS, max_bytes=256 << 20, discard="old"
    ),
    _bucket(subjects.BREAKERS_STREAM, subjects.KV_BREAKERS, max_bytes=64 << 20, max_age=30 * 86_400 * NANOSECONDS, discard="old"),
)


async def api(bus: Bus, verb: str, request: Mapping[str, Any] | None, deadline: Deadline) -> dict[str, Any]:
    """One question to JetStream's API. Its answer as a map, an `error` of it included.

    Raises:
        CausewayError: 100 unavailable, JetStream is away or did not answer in time.
    """
    body = json.dumps(request).encode() if request is not None else b""
    try:
        reply = await bus.ask(f"{API}.{verb}", body, deadline)
    except TimeoutError as error:
        raise unavailable(f"JetStream did not answer {verb.split('.', maxsplit=1)[0]} in time") from error
    if "" in reply.headers:
        raise unavailable("JetStream is not there")
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


async def ensure_streams(bus: Bus, deadline: Deadline) -> None:
    """Create the streams of `STREAMS`, or bring them to their declared form.

    Raises:
        CausewayError: 100 unavailable, also where JetStream refuses a stream (its reason is in the message).
    """
    for stream in STREAMS:
        answer = await api(bus, f"STREAM.CREATE.{stream['name']}", stream, deadline)
        if "error" in answer:
            answer = await api(bus, f"STREAM.UPDATE.{stream['name']}", stream, deadline)
        if "error" in answer:
            raise unavailable(f"JetStream refuses the stream {stream['name']}: {answer['error'].get('description')}")


async def publish_durable(
    bus: Bus, subject: str, message: Message, deadline: Deadline, *, message_id: str, traceparent: str = ""
) -> None:
    """Put a message into its stream; returns after JetStream has it. Repeats of `message_id` within 2 minutes are dropped there.

    Raises:
        CausewayError: 100 unavailable: not there, not in time, or refused.
    """
    with _publishing(subject, message_id, traceparent):
        await put(bus, subject, encode(message), deadline, _headers(message_id))


def send_durable(bus: Bus, subject: str, message: Message, *, message_id: str, traceparent: str = "") -> None:
    """As `publish_durable`, without waiting for JetStream's answer: for what is sent again where it did not come.

    Raises:
        CausewayError: 100 unavailable, 111 overloaded: it was not sent.
    """
    with _publishing(subject, message_id, traceparent):
        bus.send_raw(subject, encode(message), headers=_headers(message_id))


def _publishing(subject: str, message_id: str, traceparent: str) -> OpenSpan:
    attributes = {**_PUBLISHING, names.MESSAGING_MESSAGE_ID: message_id}
    return span("publish " + template_of(subject), kind=Kind.PRODUCER, parent=traceparent, attributes=attributes)


def _headers(message_id: str) -> dict[str, str]:
    headers = {"Nats-Msg-Id": message_id}
    if current := current_traceparent():
        headers[names.TRACEPARENT] = current
    return headers


async def create(bus: Bus, subject: str, body: bytes, deadline: Deadline) -> bool:
    """Put the first value of a key. Returns whether it was the first.

    Raises:
        CausewayError: 100 unavailable: not there, not in time, or refused for another reason.
    """
    try:
        reply = await bus.ask(subject, body, deadline, {"Nats-Expected-Last-Subject-Sequence": "0"})
    except TimeoutError as error:
        raise unavailable("JetStream did not acknowledge in time, the outcome is unknown") from error
    if "" in reply.headers:
        raise unavailable("no stream takes this right now")
    fault = json.loads(reply.body).get("error")
    if fault and fault.get("err_code") != WRONG_LAST_SEQUENCE:
        raise unavailable(f"JetStream refused: {fault.get('description')}")
    return not fault


async def put(bus: Bus, subject: str, body: bytes, deadline: Deadline, headers: Mapping[str, str] | None = None) -> None:
    """As `publish_durable`, for a body already encoded and without a span."""
    try:
        reply = await bus.ask(subject, body, deadline, headers)
    except TimeoutError as error:
        raise unavailable("JetStream did not acknowledge in time, the outcome is unknown") from error
    if "" in reply.headers:
        raise unavailable("no stream takes this right now")
    if error_of := json.loads(reply.body).get("error"):
        raise unavailable(f"JetStream refused: {error_of.get('description')}")


def ttl_headers(seconds: int) -> dict[str, str]:
    """The headers of a message that its stream (`allow_msg_ttl`) keeps no longer than this; 0: for as long as others."""
    return {"Nats-TTL": f"{seconds}s"} if seconds else {}


@lru_cache(maxsize=4096)
def template_of(subject: str) -> str:
    """The template of a subject that a stream holds, for the names of spans."""
    for template in (subjects.JOB, subjects.TASK, subjects.EVENT):
        try:
            template.fields(subject)
        except ValueError:
            continue
        return template.template
    return subject.rsplit(".", 1)[0]
