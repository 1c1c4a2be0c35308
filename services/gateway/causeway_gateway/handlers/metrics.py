"""The gateway's counters (`causeway.gateway.*`)."""

from __future__ import annotations

from typing import Final

from causeway_common.telemetry import Counters

counters: Final = Counters("gateway")
frames_in: Final = counters.counter("frames.in", "messages received from clients")
commands: Final = counters.counter("commands", "commands that asked another service, by kind", label="command")
errors: Final = counters.counter("errors", "error replies to clients, by the error's name", label="error.type")
closes: Final = counters.counter("closes", "connections closed by the server, by code", label="code")
opened: Final = counters.counter("connections.opened", "connections opened, by transport", label="transport")
delivered: Final = counters.counter("publications.delivered", "publications handed to a subscriber")
skipped: Final = counters.counter(
    "publications.skipped",
    "publications not handed to a subscriber: filtered by tags, dropped or conflated for a slow reader",
    label="reason",
)
feed_lag: Final = counters.counter(
    "feed.lag", "milliseconds from the commit of publications in storage until they came here", unit="ms"
)
feed_logged: Final = counters.counter("feed.logged", "publications that came here from logs, for the lag of each")
feed_messages: Final = counters.counter("feed.messages", "feed messages received")
gaps: Final = counters.counter("feed.gaps", "times that a channel's feed was behind and waited for what is missing")
repairs: Final = counters.counter("feed.repairs", "reads of missing publications, by outcome")
insufficient: Final = counters.counter("feed.insufficient", "subscribers told to subscribe again (2500)")
recoveries: Final = counters.counter("recoveries", "subscriptions that recovered, by outcome")
hooks_unanswered: Final = counters.counter(
    "hooks.unanswered", "questions that no instance of an app was there for, by hook and what that meant", label="hook"
)
calls_kept: Final = counters.counter("calls.kept", "calls that no instance of an app was there for, kept as records")
members_lost: Final = counters.counter("members.lost", "joins and leaves that could not be told")
unknown_keys: Final = counters.counter("tokens.unknown_keys", "tokens of unknown key ids for which the keys were not fetched again")
revoked: Final = counters.counter("tokens.revoked", "tokens refused because they were revoked")
banned: Final = counters.counter("connects.banned", "connects refused because the user is banned")
api_requests: Final = counters.counter("api.requests", "server API requests, by outcome")
audit_lost: Final = counters.counter("audit.lost", "audit records that only the log has: storage could not keep them")
attend_failures: Final = counters.counter(
    "attend.failures", "times that storage could not be told what is held, by error", label="error.type"
)
attend_refused: Final = counters.counter("attend.refused", "changes of what is held that storage never takes: none should ever be")
cleared: Final = counters.counter("cleared", "times that this gateway counted as gone, and closed its clients")
