"""What each NATS user may publish and subscribe. The rights are generated from the contracts, never written by hand.

Every process has a user of its own and an inbox prefix of its own; replies go out under `allow_responses`. The receiver
believes the caller's name in the subject because only that caller's user may publish it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

from causeway_common.contracts import subjects as s
from causeway_common.contracts import verbs as v
from causeway_common.contracts.names import is_app_name
from causeway_common.contracts.verbs import Verb

INBOX_ROOT: Final = "_INBOX"


class Role(enum.StrEnum):
    """Which service a process is; `OPERATOR` is the command line, which only looks."""

    GATEWAY = "gateway"
    STORAGE = "storage"
    LOGIC = "logic"
    INTEGRATIONS = "integrations"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Rights:
    """The subjects a user may publish to and subscribe; `responses`: it may answer what it was asked."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responses: bool


def inbox_prefix(user: str) -> str:
    """The inbox prefix of a NATS user."""
    return f"{INBOX_ROOT}.{s.encode_token(user)}"


def rights_of(role: Role, user: str, app: str = "") -> Rights:
    """The rights of one process.

    Args:
        role: its service.
        user: its NATS user, unique to the process.
        app: for `LOGIC`, the app it serves.

    Raises:
        ValueError: a logic process without an app's name, or with a service's.
    """
    inbox = f"{inbox_prefix(user)}.>"
    match role:
        case Role.GATEWAY:
            return Rights(
                publish=(
                    s.APP_RPC.wildcard(),
                    s.APP_RPC_VERSION.wildcard(),
                    s.APP_HOOK.wildcard(),
                    s.APP_HOOK_VERSION.wildcard(),
                    *_storage_verbs(
                        "gateway",
                        v.APPEND,
                        v.HISTORY,
                        v.HEADS,
                        v.REMOVE,
                        v.ATTEND,
                        v.AUDIT,
                        v.AUDIT_PAGE,
                        v.ENQUEUE,
                        v.INSPECT,
                        v.TIMERS,
                        v.RECORDS,
                        v.RECORD,
                        v.REDRIVE,
                    ),
                    s.FEED_UNLOGGED.wildcard(),
                    s.FEED_APP.wildcard(),
                    s.FEED_MEMBERS.wildcard(),
                    s.GATEWAY_NODE.wildcard(),
                    s.KV_NODES.wildcard(),
                    s.KV_ROUTES.wildcard(),
                    s.KV_REVOCATIONS.wildcard(),
                    s.KV_KEYS.wildcard(),
                    s.FIGURES.wildcard(service="gateway"),
                    f"$JS.API.STREAM.INFO.{s.EVENTS_STREAM}",
                    f"$JS.API.DIRECT.GET.{s.EVENTS_STREAM}",
                    s.CALL.at(caller="gateway", connector="jwks", op="fetch"),
                    *(s.CALL.at(caller="gateway", connector=v.WEBHOOKS, op=op) for op in v.WEBHOOK_OPERATIONS),
                    *_read_kv(s.APPS_STREAM, s.NODES_STREAM, s.REVOCATIONS_STREAM, s.ROUTES_STREAM),
                ),
                subscribe=(
                    inbox,
                    *_discovered("gateway"),
                    s.APP_CONTROL.wildcard(),
                    s.FEED_LOGGED.wildcard(),
                    s.FEED_UNLOGGED.wildcard(),
                    s.FEED_APP.wildcard(),
                    s.FEED_MEMBERS.wildcard(),
                    s.GATEWAY_NODE.wildcard(),
                    s.KV_APPS.wildcard(),
                    s.KV_ROUTES.wildcard(),
                    s.KV_NODES.wildcard(),
                    s.KV_REVOCATIONS.wildcard(),
                    s.FIGURES.wildcard(),
                    s.EVENT.wildcard(),
                ),
                responses=True,
            )
        case Role.STORAGE:
            return Rights(
                publish=(
                    s.FEED_LOGGED.wildcard(),
                    s.FEED_MEMBERS.wildcard(),
                    s.JOB.wildcard(),
                    s.TASK.wildcard(),
                    s.EVENT.wildcard(),
                    s.FIGURES.wildcard(service="storage"),
                    s.KV_NODES.wildcard(),
                    s.GATEWAY_ALL.at(verb=s.VERB_COMPARE_HEADS),
                    *_manage_stream(s.JOBS_STREAM),
                    *_manage_stream(s.TASKS_STREAM),
                    *_manage_stream(s.EVENTS_STREAM),
                    *_manage_stream(s.APPS_STREAM),
                    *_manage_stream(s.ROUTES_STREAM),
                    *_manage_stream(s.NODES_STREAM),
                    *_manage_stream(s.REVOCATIONS_STREAM),
                    *_manage_stream(s.KEYS_STREAM),
                    *_manage_stream(s.BREAKERS_STREAM),
                    s.KV_NODES.wildcard(),
                    *_read_kv(s.APPS_STREAM, s.NODES_STREAM),
                ),
                subscribe=(
                    inbox,
                    *_discovered("storage"),
                    s.STORAGE.wildcard(),
                    s.STORAGE_SHARD.wildcard(),
                    s.KV_APPS.wildcard(),
                    s.KV_NODES.wildcard(),
                ),
                responses=True,
            )
        case Role.LOGIC:
            if not is_app_name(app):
                raise ValueError(f"a logic process needs the name of its app, got {app!r}")
            return Rights(
                publish=(
                    *_storage_verbs(
                        *(app, v.GET, v.SNAPSHOT, v.COMMIT, v.QUERY, v.TRAIL),
                        *(v.APPEND, v.HISTORY, v.ENQUEUE, v.CLAIM, v.SETTLE),
                    ),
                    s.CALL.wildcard(caller=app),
                    s.APP_CONTROL.wildcard(caller=app),
                    s.FEED_APP.wildcard(app=app),
                    s.FIGURES.wildcard(service=f"logic-{app}"),
                    s.KV_APPS.wildcard(app=app),
                    *_read_kv(s.APPS_STREAM),
                    *_consume(s.TASKS_STREAM, app, s.TASK.wildcard(app=app)),
                    *_consume(s.EVENTS_STREAM, app, s.EVENT.wildcard(source=s.LIFECYCLE_SOURCE)),
                ),
                subscribe=(
                    inbox,
                    *_discovered(f"logic-{app}"),
                    s.APP_RPC.wildcard(app=app),
                    s.APP_RPC_VERSION.wildcard(app=app),
                    s.KV_APPS.wildcard(),
                    s.APP_HOOK.wildcard(app=app),
                    s.APP_HOOK_VERSION.wildcard(app=app),
                ),
                responses=True,
            )
        case Role.INTEGRATIONS:
            return Rights(
                publish=(
                    *_storage_verbs("integrations", v.ENQUEUE, v.CLAIM, v.SETTLE, v.CLAIMS, v.SETTLES),
                    *_storage_verbs("integrations", v.GET, v.COMMIT, v.QUERY, v.RECORDS, v.RECORD),
                    s.EVENT.wildcard(source="integrations"),
                    s.FIGURES.wildcard(service="integrations"),
                    f"$JS.API.CONSUMER.CREATE.{s.JOBS_STREAM}.>",
                    f"$JS.API.CONSUMER.INFO.{s.JOBS_STREAM}.>",
                    f"$JS.API.CONSUMER.MSG.NEXT.{s.JOBS_STREAM}.>",
                    f"$JS.ACK.{s.JOBS_STREAM}.>",
                    s.KV_BREAKERS.wildcard(),
                    *_read_kv(s.APPS_STREAM, s.BREAKERS_STREAM),
                ),
                subscribe=(
                    inbox,
                    *_discovered("integrations"),
                    s.CALL.wildcard(),
                    s.KV_APPS.wildcard(),
                    s.KV_BREAKERS.wildcard(),
                ),
                responses=True,
            )
        case Role.OPERATOR:
            return Rights(
                publish=(
                    f"$JS.API.STREAM.INFO.{s.EVENTS_STREAM}",
                    f"$JS.API.DIRECT.GET.{s.EVENTS_STREAM}",
                    f"{s.DISCOVERY}.>",
                    *_storage_verbs("operator", v.AUDIT_PAGE, v.TRAIL, v.INSPECT),
                ),
                subscribe=(inbox, s.EVENT.wildcard()),
                responses=False,
            )


def _discovered(name: str) -> tuple[str, ...]:
    """What the standard tooling asks everybody, and this service."""
    return (
        *(f"{s.DISCOVERY}.{verb}" for verb in ("PING", "INFO", "STATS")),
        f"{s.DISCOVERY}.*.{name}",
        f"{s.DISCOVERY}.*.{name}.*",
    )


def _storage_verbs(caller: str, *verbs: Verb[Any, Any]) -> tuple[str, ...]:
    any_process = tuple(s.STORAGE.at(caller=caller, verb=verb.name) for verb in verbs)
    owners = tuple(s.STORAGE_SHARD.wildcard(caller=caller, verb=verb.name) for verb in verbs if verb.name in v.SHARD_VERBS)
    return any_process + owners


def _consume(stream: str, durable: str, subject: str) -> tuple[str, ...]:
    """One consumer, of this name and over this subject alone."""
    return (
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    )


def _read_kv(*streams: str) -> tuple[str, ...]:
    return tuple(subject for stream in streams for subject in (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.DIRECT.GET.{stream}.>"))


def _manage_stream(stream: str) -> tuple[str, ...]:
    return tuple(f"$JS.API.STREAM.{verb}.{stream}" for verb in ("CREATE", "UPDATE", "INFO"))
