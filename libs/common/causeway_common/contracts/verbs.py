"""What can be asked over the bus: one row per question, with its subject, its request and its reply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from causeway_common.contracts import messages as m
from causeway_common.contracts.subjects import (
    APP_CONTROL,
    APP_HOOK,
    APP_HOOK_VERSION,
    APP_RPC,
    APP_RPC_VERSION,
    GATEWAY_NODE,
    STORAGE,
    STORAGE_SHARD,
    Subject,
)
from causeway_common.contracts.subjects import CALL as CALL_SUBJECT

Req = TypeVar("Req", bound=m.Message)
Rep = TypeVar("Rep", bound=m.Message)


@dataclass(frozen=True, slots=True, eq=False)  # each is declared once, and hashed by its identity for every message
class Verb(Generic[Req, Rep]):
    """A question.

    `repeatable`: asking again with the same message id does no harm, so that the bus may do so when no answer came within 1 s.
    """

    name: str
    subject: Subject
    request: type[Req]
    reply: type[Rep]
    repeatable: bool = False

    def at(self, **fields: str) -> str:
        """The wire subject of this question; the verb's own field is filled in."""
        return _at(self, *fields.items())

    def wildcard(self, **fields: str) -> str:
        """What a server of this question subscribes; fields not given are wildcards."""
        return self.subject.wildcard(**self._own_field(), **fields)

    def _own_field(self) -> dict[str, str]:
        return {field: self.name for field in ("verb", "hook") if f"{{{field}}}" in self.subject.template}


@lru_cache(maxsize=4096)
def _at(verb: Verb[Any, Any], *fields: tuple[str, str]) -> str:
    return verb.subject.at(**verb._own_field(), **dict(fields))  # noqa: SLF001 - the cached half of `Verb.at`


APPEND: Final = Verb("append", STORAGE, m.AppendRequest, m.AppendReply, repeatable=True)
HISTORY: Final = Verb("history", STORAGE, m.HistoryRequest, m.HistoryReply, repeatable=True)
HEADS: Final = Verb("heads", STORAGE, m.HeadsRequest, m.HeadsReply, repeatable=True)
REMOVE: Final = Verb("remove", STORAGE, m.RemoveRequest, m.RemoveReply, repeatable=True)
GET: Final = Verb("get", STORAGE, m.GetRequest, m.GetReply, repeatable=True)
SNAPSHOT: Final = Verb("snapshot", STORAGE, m.SnapshotRequest, m.SnapshotReply, repeatable=True)
COMMIT: Final = Verb("commit", STORAGE, m.CommitRequest, m.CommitReply, repeatable=True)
QUERY: Final = Verb("query", STORAGE, m.QueryRequest, m.QueryReply, repeatable=True)
TRAIL: Final = Verb("trail", STORAGE, m.TrailRequest, m.TrailReply, repeatable=True)
INSPECT: Final = Verb("inspect", STORAGE, m.InspectRequest, m.InspectReply, repeatable=True)
ENQUEUE: Final = Verb("enqueue", STORAGE, m.EnqueueRequest, m.EnqueueReply, repeatable=True)
CLAIM: Final = Verb("claim", STORAGE, m.ClaimRequest, m.ClaimReply)
SETTLE: Final = Verb("settle", STORAGE, m.SettleRequest, m.SettleReply, repeatable=True)
CLAIMS: Final = Verb("claims", STORAGE, m.ClaimsRequest, m.ClaimsReply)
SETTLES: Final = Verb("settles", STORAGE, m.SettlesRequest, m.SettlesReply, repeatable=True)
RECORDS: Final = Verb("records", STORAGE, m.RecordsRequest, m.RecordsReply, repeatable=True)
RECORD: Final = Verb("record", STORAGE, m.RecordRequest, m.RecordReply, repeatable=True)
REDRIVE: Final = Verb("redrive", STORAGE, m.RedriveRequest, m.RedriveReply, repeatable=True)
AUDIT: Final = Verb("audit", STORAGE, m.AuditRequest, m.AuditReply, repeatable=True)
AUDIT_PAGE: Final = Verb("audit_page", STORAGE, m.AuditPageRequest, m.AuditPageReply, repeatable=True)
TIMERS: Final = Verb("timers", STORAGE, m.TimersRequest, m.TimersReply, repeatable=True)
ATTEND: Final = Verb("attend", STORAGE, m.AttendRequest, m.AttendReply, repeatable=True)
RPC: Final = Verb("rpc", APP_RPC, m.RpcRequest, m.RpcReply)
RPC_VERSION: Final = replace(RPC, subject=APP_RPC_VERSION)
"""The same question to one version of the app alone."""
SUBSCRIBE_HOOK: Final = Verb("subscribe", APP_HOOK, m.SubscribeHookRequest, m.SubscribeHookReply, repeatable=True)
CONNECT_HOOK: Final = Verb("connect", APP_HOOK, m.ConnectHookRequest, m.ConnectHookReply)
REFRESH_HOOK: Final = Verb("refresh", APP_HOOK, m.RefreshHookRequest, m.RefreshHookReply, repeatable=True)
SUB_REFRESH_HOOK: Final = Verb("sub_refresh", APP_HOOK, m.SubRefreshHookRequest, m.RefreshHookReply, repeatable=True)
PUBLISH_HOOK: Final = Verb("publish", APP_HOOK, m.PublishHookRequest, m.PublishHookReply, repeatable=True)
HOOKS: Final = (SUBSCRIBE_HOOK, CONNECT_HOOK, REFRESH_HOOK, SUB_REFRESH_HOOK, PUBLISH_HOOK)
HOOKS_VERSION: Final[dict[str, Verb[Any, Any]]] = {verb.name: replace(verb, subject=APP_HOOK_VERSION) for verb in HOOKS}
"""The same questions to one version of the app alone."""
CONTROL: Final = Verb("control", GATEWAY_NODE, m.ControlRequest, m.ControlReply)
PRESENCE: Final = Verb("presence", GATEWAY_NODE, m.PresenceRequest, m.PresenceReply)
PRESENCE_STATS: Final = Verb("presence_stats", GATEWAY_NODE, m.PresenceStatsRequest, m.PresenceStatsReply)
CHANNELS: Final = Verb("channels", GATEWAY_NODE, m.ChannelsRequest, m.ChannelsReply)
CLIENTS: Final = Verb("clients", GATEWAY_NODE, m.ClientsRequest, m.ClientsReply)
NODE_INFO: Final = Verb("info", GATEWAY_NODE, m.NodeInfoRequest, m.NodeInfo)
EMULATE: Final = Verb("emulate", GATEWAY_NODE, m.EmulateRequest, m.EmulateReply)
APP_CONTROLS: Final = Verb("control", APP_CONTROL, m.ControlRequest, m.ControlReply)
"""An app's own control of users and channels: asked of any gateway, which asks the others."""
APP_PRESENCE: Final = Verb("presence", APP_CONTROL, m.PresenceRequest, m.PresenceReply)
APP_PRESENCE_STATS: Final = Verb("presence_stats", APP_CONTROL, m.PresenceStatsRequest, m.PresenceCounts)
JWKS: Final = Verb("fetch", CALL_SUBJECT, m.JwksRequest, m.JwksReply, repeatable=True)
CALL: Final = Verb("call", CALL_SUBJECT, m.CallRequest, m.CallReply)

WEBHOOKS: Final = "webhooks"
"""What the gateway asks integrations for operators: as calls of a connector of this name, which no app may use."""
WEBHOOK_WRITES: Final = ("add", "test", "rotate", "enable", "disable", "remove", "replay")
WEBHOOK_OPERATIONS: Final = ("list", "show", *WEBHOOK_WRITES)

APP_CONTROL_VERBS: Final = (APP_CONTROLS, APP_PRESENCE, APP_PRESENCE_STATS)
GATEWAY_VERBS: Final = (CONTROL, PRESENCE, PRESENCE_STATS, CHANNELS, CLIENTS, NODE_INFO, EMULATE)
SHARD_VERBS: Final = {verb.name: replace(verb, subject=STORAGE_SHARD) for verb in (APPEND, REMOVE, COMMIT)}
"""The verbs that go to a shard's owner first: each has the same name, request and reply under `any` too."""
STORAGE_VERBS: Final = (
    APPEND,
    HISTORY,
    HEADS,
    REMOVE,
    GET,
    SNAPSHOT,
    COMMIT,
    QUERY,
    TRAIL,
    INSPECT,
    ENQUEUE,
    CLAIM,
    SETTLE,
    CLAIMS,
    SETTLES,
    RECORDS,
    RECORD,
    REDRIVE,
    AUDIT,
    AUDIT_PAGE,
    TIMERS,
    ATTEND,
)
CLIENT_COMMAND_SECONDS: Final = 4.0
