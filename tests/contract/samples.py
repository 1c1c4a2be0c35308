"""One sample of every bus message, whose bytes are committed in golden.json. Additive changes add samples; none is ever edited."""

from __future__ import annotations

from causeway_common.contracts import messages as m

INFO = m.ClientInfo(user="u1", client="c1", conn_info=b'{"name":"Ann"}', chan_info=b"1")

SAMPLES: dict[str, m.Message] = {
    "client_info": INFO,
    "fault": m.Fault(name="rejected", code=409, message="a higher bid stands"),
    "append_item": m.AppendItem(id="k:1", data=b'{"a":1}', info=INFO, tags={"t": "x"}),
    "append_request": m.AppendRequest(channel="chat:é", size=10, ttl_ms=60000, items=[m.AppendItem(id="c:1:2", data=b"1")]),
    "append_reply": m.AppendReply(epoch="abcdefgh.1", offsets=[1, 2**40], repeats=[False, True]),
    "stored_publication": m.StoredPublication(offset=7, data=b"null", time_ms=1_700_000_000_000, info=INFO, tags={"t": "x"}),
    "feed_publication": m.FeedPublication(channel="chat:1", data=b"[]", epoch="abcdefgh.1", offset=3, time_ms=5),
    "feed_unlogged": m.FeedPublication(channel="chat:1", data=b"[]"),
    "head": m.Head(epoch="abcdefgh.1", head=9, floor=2),
    "head_never_written": m.Head(),
    "heads_request": m.HeadsRequest(channels=["a", "b"]),
    "heads_reply": m.HeadsReply(heads=[m.Head(epoch="e", head=1), m.Head()]),
    "history_request": m.HistoryRequest(channel="a", since=5, limit=10, reverse=True),
    "history_reply": m.HistoryReply(
        head=m.Head(epoch="e", head=1), publications=[m.StoredPublication(offset=1, data=b"1", time_ms=2)], more=True
    ),
    "publish_item": m.PublishItem(channel="chat:1", data=b"{}", size=10, ttl_ms=60000),
    "job_item": m.JobItem(connector="webhook", op="event", payload={"type": "x", "data": {"n": 1}}),
    "task_item": m.TaskItem(task="report", payload={"n": 1}),
    "schedule_item": m.ScheduleItem(name="close", at_ms=1_700_000_000_000, task="close", payload={"n": 1}),
    "cancel_item": m.CancelItem(name="close"),
    "figures": m.Figures(
        version="1.2.0",
        app_version="1.4.0",
        started_ms=1_700_000_000_000,
        totals={"gateway.frames.in": 12},
        gauges={"process.cpu": 1.5},
        methods=[m.MethodFigures(app="chat", method="send", version="1.4.0", calls=9, errors=1, rejected=2, time_ms=30)],
        left=True,
    ),
    "method_figures": m.MethodFigures(app="chat", method="send", version="", calls=9, errors=1, rejected=2, time_ms=30),
    "waiting_timer": m.WaitingTimer(
        app="chat", kind="room", entity="1", name="close", version=3, set_ms=4, at_ms=5, task="close", payload={}
    ),
    "connected_client": m.ConnectedClient(
        client="c1", transport="sse", codec="json", name="", version="", address="", connected_ms=7
    ),
    "timers_request": m.TimersRequest(app="chat", kind="room", entity="1", after="5:k", limit=10),
    "timers_reply": m.TimersReply(
        timers=[
            m.WaitingTimer(
                app="chat",
                kind="room",
                entity="1",
                name="close",
                version=3,
                set_ms=4,
                at_ms=5,
                task="close",
                payload={"n": 1},
                traceparent="t",
            )
        ],
        cursor="5:k",
    ),
    "clients_request": m.ClientsRequest(user="ann", limit=10),
    "clients_reply": m.ClientsReply(
        clients=[
            m.ConnectedClient(
                client="c1",
                transport="websocket",
                codec="json",
                name="js",
                version="5.4.0",
                address="192.0.2.1",
                connected_ms=7,
                channels=["chat:1"],
                num_channels=1,
            )
        ],
        total=1,
    ),
    "channels_top": m.ChannelsRequest(pattern="chat:*", top=100),
    "ban": m.Revocation(user="ann", expire_at_ms=9, ban=True, by="ops", at_ms=5, reason="spam"),
    "records_of_app": m.RecordsRequest(state="dead", app="chat", connector="email"),
    "audit_record": m.AuditRecord(
        id="0001700000000000-a",
        at_ms=1_700_000_000_000,
        caller="ops",
        name="disconnect",
        target="user=ann",
        outcome="ok",
        traceparent="t",
    ),
    "audit_request": m.AuditRequest(records=[]),
    "audit_reply": m.AuditReply(),
    "audit_page_request": m.AuditPageRequest(before="0001700000000000-a", limit=10),
    "audit_page_reply": m.AuditPageReply(records=[]),
    "trail_of_app": m.TrailRequest(kind="room", id="1", app="chat"),
    "document": m.Document(version=3, state={"name": "r", "members": ["a"]}),
    "get_request": m.GetRequest(kind="room", id="1"),
    "get_reply": m.GetReply(document=m.Document()),
    "commit_request": m.CommitRequest(
        kind="room", id="1", expected=2, commit_id="ab", state={"n": 1}, items=[{"kind": "publish", "channel": "chat:1"}], by="u1"
    ),
    "get_at_least": m.GetRequest(kind="room", id="1", at_least=7),
    "commit_indexed": m.CommitRequest(
        kind="room", id="1", expected=2, commit_id="ab", state={}, indexes={"price": 1.5, "open": True, "name": "x", "none": None}
    ),
    "commit_delete": m.CommitRequest(kind="room", id="1", expected=2, commit_id="ab", state={}, delete=True),
    "commit_remembered": m.CommitRequest(kind="room", id="1", expected=2, commit_id="ab", state={}, remember_ms=9_600_000),
    "condition": m.Condition(index="price", op="gte", value=3),
    "query_request": m.QueryRequest(
        kind="room",
        where=[m.Condition(index="name", op="in", value=["a", "b"])],
        order="price",
        descending=True,
        limit=10,
        cursor="c",
        fields=["name"],
    ),
    "found_entity": m.FoundEntity(id="1", document=m.Document(version=1, state={"name": "a"})),
    "query_reply": m.QueryReply(entities=[m.FoundEntity(id="1", document=m.Document(version=1, state={}))], cursor="c"),
    "snapshot_request": m.SnapshotRequest(kind="room", id="1", channel="chat:1"),
    "snapshot_reply": m.SnapshotReply(document=m.Document(version=1, state={}), head=m.Head(epoch="e.1", head=3)),
    "inspect_request": m.InspectRequest(app="chat", kind="room", id="1"),
    "waiting_items": m.WaitingItems(items=[], at_ms=5),
    "inspect_reply": m.InspectReply(
        document=m.Document(version=2, state={"n": 1}),
        versions=[m.Trace(version=2, by="ann", at_ms=5, traceparent="t")],
        outbox=[m.WaitingItems(items=[{"kind": "cancel", "name": "close"}], at_ms=5, version=2, traceparent="t")],
    ),
    "trail_request": m.TrailRequest(kind="room", id="1"),
    "trace": m.Trace(version=3, by="ann", at_ms=5, traceparent="00-1-2-01", deleted=True),
    "trail_reply": m.TrailReply(versions=[m.Trace(version=1, by="", at_ms=5, traceparent="")]),
    "manifest_indexes": m.Manifest(app="chat", version="1", methods=[], indexes={"room": ["name", "price"]}),
    "commit_committed": m.CommitReply(outcome="committed", version=3),
    "commit_repeat": m.CommitReply(outcome="committed", version=3, repeat=True, document=m.Document(version=4, state={})),
    "commit_conflict": m.CommitReply(outcome="conflict", version=4, document=m.Document(version=4, state={"n": 2})),
    "new_record": m.NewRecord(id="o:ab:0", app="chat", connector="webhook", op="event", payload={}, traceparent="00-1-2-01"),
    "record_in_line": m.NewRecord(
        id="msg_1", app="chat", connector="webhook", op="deliver", payload={}, line="w:1", turn=7, behind="e:1"
    ),
    "claims_request": m.ClaimsRequest(claims=[m.ClaimRequest(id="1", node="n", lease_ms=15000)]),
    "claims_reply": m.ClaimsReply(replies=[m.ClaimReply(outcome="later")]),
    "settles_request": m.SettlesRequest(settles=[m.SettleRequest(id="1", attempt=2, outcome="done")]),
    "settles_reply": m.SettlesReply(settled=[True, False]),
    "record_with_turn": m.Record(
        id="1", app="chat", connector="", op="on_event", payload={}, state="pending", attempts=1, created_ms=1, line="i:1", turn=3
    ),
    "job_item_with_key": m.JobItem(connector="webhook", op="event", payload={}, key="order-7"),
    "event_spec_in_order": m.EventSpec(source="stripe", type="*", order_by="customer.id"),
    "records_by_time": m.RecordsRequest(
        state="done", after="1:2:o:1:0", limit=10, app="chat", operation="webhook.event", since_ms=1, until_ms=2, by_time=True
    ),
    "records_with_cursor": m.RecordsReply(records=[], more=True, cursor="1:2:o:1:0"),
    "record_due": m.NewRecord(id="1", app="chat", connector="", op="tidy", payload={}, due_ms=1_700_000_000_000),
    "enqueue_request": m.EnqueueRequest(records=[m.NewRecord(id="1", app="chat", connector="webhook", op="event", payload={})]),
    "enqueue_reply": m.EnqueueReply(created=1),
    "record": m.Record(
        id="1", app="chat", connector="webhook", op="event", payload={}, state="pending", attempts=2, created_ms=5, note="n"
    ),
    "job_delivery": m.JobDelivery(id="o:ab:0"),
    "claim_request": m.ClaimRequest(id="1", node="n", lease_ms=15000),
    "claim_reply": m.ClaimReply(outcome="leased"),
    "settle_request": m.SettleRequest(id="1", attempt=2, outcome="retry", delay_ms=5000, note="503"),
    "settle_reply": m.SettleReply(settled=True),
    "attend_request": m.AttendRequest(
        node="n1",
        life=2,
        first=7,
        changes=[
            m.Attend(scope="user", held=True, user="u1"),
            m.Attend(scope="subscription", held=False, channel="chat:1", client="c1"),
            m.Attend(scope="member", held=True, channel="chat:1", client="c1", info=INFO),
        ],
    ),
    "attend_leaving": m.AttendRequest(node="n1", life=1, first=1, leave_ms=3000),
    "attend": m.Attend(scope="channel", held=True, channel="chat:1"),
    "attend_reply": m.AttendReply(),
    "attend_cleared": m.AttendReply(cleared=True),
    "lifecycle_event": m.LifecycleEvent(
        id="e1", type="subscribed", time_ms=1_700_000_000_000, user="u1", channel="chat:1", namespace="chat"
    ),
    "endpoint_disabled": m.LifecycleEvent(id="e3", type="endpoint_disabled", time_ms=6, app="chat", endpoint="ep_1", note="410"),
    "lifecycle_anonymous": m.LifecycleEvent(id="e2", type="connected", time_ms=5, client="c1"),
    "rpc_request": m.RpcRequest(user="u1", client="c1", data=b"{}", info=b"1"),
    "rpc_reply": m.RpcReply(data=b"{}"),
    "subscribe_hook_request": m.SubscribeHookRequest(user="u1", client="c1", channel="chat:1"),
    "subscribe_hook_reply": m.SubscribeHookReply(info=b"1"),
    "method_spec": m.MethodSpec(name="send", concurrent=True),
    "namespace_spec": m.NamespaceSpec(name="chat", history_size=10, history_ttl_ms=1000, subscribe_hook=True),
    "manifest": m.Manifest(
        app="chat", version="0.1.0", methods=[m.MethodSpec(name="send")], namespaces=[m.NamespaceSpec(name="chat")]
    ),
    "method_with_schemas": m.MethodSpec(name="bid", input="{}", output="{}", when_unavailable="queue"),
    "event_spec": m.EventSpec(source="stripe", type="*"),
    "channel_spec": m.ChannelSpec(pattern="lot:{lot_id}", message="{}"),
    "hook_fallbacks": m.HookFallbacks(subscribe="deny", publish="allow"),
    "route": m.Route(app="auctions", method="bid", version="1.5.0", share_permille=50),
    "manifest_live": m.Manifest(
        app="auctions",
        version="1.5.0",
        methods=[],
        fallbacks=m.HookFallbacks(connect="deny"),
        tasks=["close"],
        events=[m.EventSpec(source="stripe", type="*")],
        lifecycle=["last_leave"],
        channels=[m.ChannelSpec(pattern="lot:{lot_id}")],
        at_ms=5,
    ),
    "manifest_leaving": m.Manifest(app="chat", version="1", methods=[], at_ms=5, instance="n1", leaving=True),
    "route_of_an_app": m.Route(app="chat", method="", version="2", share_permille=1000),
    "presence_counts": m.PresenceCounts(clients=3, users=2),
    "connect_abstained": m.ConnectHookReply(abstained=True),
    "compare_heads": m.CompareHeads(),
    "append_versioned": m.AppendItem(id="k:2", data=b"1", delta=True, version=7, version_epoch="e"),
    "append_past_the_log": m.AppendRequest(
        channel="news:a", size=1, ttl_ms=1, items=[m.AppendItem(id="k:3", data=b"1")], skip_history=True
    ),
    "append_skipped": m.AppendReply(epoch="e", offsets=[3], repeats=[False], skipped=[True]),
    "feed_delta": m.FeedPublication(channel="chat:1", data=b"[]", delta=True),
    "feed_membership": m.FeedMembership(channel="chat:1", joined=True, info=INFO, id="n.c"),
    "remove_request": m.RemoveRequest(channel="a"),
    "remove_reply": m.RemoveReply(head=m.Head(epoch="e", head=3, floor=3)),
    "override": m.Override(presence=True, force_recovery=False),
    "subscribe_hook_rich": m.SubscribeHookReply(expire_at_ms=5, override=m.Override(join_leave=True)),
    "hook_subscription": m.HookSubscription(info=b"1", data=b"2", override=m.Override(presence=False)),
    "connect_hook_request": m.ConnectHookRequest(
        client="c1", transport="sse", name="js", version="1", data=b"1", headers={"a": "b"}
    ),
    "connect_hook_reply": m.ConnectHookReply(
        user="u1", info=b"1", data=b"2", meta=b"3", expire_at_ms=4, subs={"a": m.HookSubscription()}
    ),
    "refresh_hook_request": m.RefreshHookRequest(user="u1", client="c1", meta=b"1"),
    "refresh_hook_reply": m.RefreshHookReply(expired=True, expire_at_ms=5, info=b"1"),
    "sub_refresh_hook_request": m.SubRefreshHookRequest(user="u1", client="c1", channel="a", meta=b"1"),
    "publish_hook_request": m.PublishHookRequest(user="u1", client="c1", channel="a", data=b"1", info=b"2"),
    "publish_hook_reply": m.PublishHookReply(data=b"1"),
    "publish_hook_reply_tags": m.PublishHookReply(data=b"1", tags={"user": "u1"}),
    "namespace_rich": m.NamespaceSpec(
        name="n", presence=True, allowed_delta_types=["fossil"], slow_reader="conflate", conflate_tag="k", publish_rate_limit=5
    ),
    "manifest_hooks": m.Manifest(app="chat", version="1", methods=[], connect_hook=True, refresh_hook=True),
    "subscribe_user": m.SubscribeUser(
        user="u1", channel="a", client="c", session="s", info=b"1", data=b"2", recover=True, offset=3, epoch="e", expire_at_ms=4
    ),
    "unsubscribe_user": m.UnsubscribeUser(user="u1", channel="a"),
    "disconnect_user": m.DisconnectUser(user="u1", whitelist=["c"], code=4001, reason="x"),
    "refresh_user": m.RefreshUser(user="u1", expired=True, expire_at_ms=5),
    "control_request": m.ControlRequest(command=m.DisconnectUser(user="u1")),
    "control_reply": m.ControlReply(clients=2),
    "presence_request": m.PresenceRequest(channel="a", limit=10),
    "presence_reply": m.PresenceReply(clients=[INFO], total=1),
    "presence_stats_request": m.PresenceStatsRequest(channel="a"),
    "presence_stats_reply": m.PresenceStatsReply(clients=2, users=[b"12345678"]),
    "channels_request": m.ChannelsRequest(pattern="a*", after="ab"),
    "channels_reply": m.ChannelsReply(channels={"a": 1}, more=True),
    "node_info_request": m.NodeInfoRequest(),
    "node_info": m.NodeInfo(uid="n", name="g", version="1", num_clients=1, num_users=1, num_subs=1, num_channels=1, uptime=1),
    "emulate_request": m.EmulateRequest(session="s", data=b"{}"),
    "emulate_reply": m.EmulateReply(found=True),
    "node_beat": m.NodeBeat(node="n", service="gateway", version="1", started_ms=1, at_ms=2),
    "revocation": m.Revocation(user="u1", issued_before_ms=1, expire_at_ms=2),
    "revocation_jti": m.Revocation(jti="j"),
    "jwks_request": m.JwksRequest(url="https://id.example/jwks"),
    "jwks_reply": m.JwksReply(document=b'{"keys":[]}', max_age_ms=60000),
    "call_request": m.CallRequest(payload={"to": ["a@b"]}, idempotency_key="k"),
    "call_reply": m.CallReply(payload={"id": 1}),
    "breaker_state": m.BreakerState(state="open", at_ms=1, until_ms=2, opened=3, reason="503"),
    "attempt": m.Attempt(
        number=1,
        claim=2,
        at_ms=3,
        duration_ms=4,
        outcome="retry",
        status=503,
        answer="busy",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    "record_with_log": m.Record(
        id="o:1:0",
        app="chat",
        connector="webhook",
        op="deliver",
        payload={},
        state="pending",
        attempts=2,
        created_ms=1,
        log=[m.Attempt(number=1, claim=1, at_ms=3, duration_ms=4, outcome="postponed")],
    ),
    "settle_with_log": m.SettleRequest(
        id="o:1:0",
        attempt=1,
        outcome="done",
        attempt_log=m.Attempt(number=1, claim=1, at_ms=3, duration_ms=4, outcome="done", status=200),
    ),
    "kept_record": m.KeptRecord(
        record=m.Record(id="o:1:0", app="chat", connector="email", op="send", payload={}, state="dead", attempts=2, created_ms=1),
        next_at_ms=3,
        ended_ms=4,
    ),
    "records_request": m.RecordsRequest(state="retrying", after="o:1:0", limit=10),
    "records_reply": m.RecordsReply(records=[], more=True),
    "record_request": m.RecordRequest(id="o:1:0"),
    "record_reply": m.RecordReply(),
    "redrive_request": m.RedriveRequest(ids=["o:1:0"]),
    "redrive_reply": m.RedriveReply(redriven=["o:1:0"]),
}
