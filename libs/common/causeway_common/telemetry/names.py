"""Every telemetry name, once.

Spans and attributes follow OpenTelemetry's semantic conventions 1.38 (the messaging ones are still "Development" there, hence the
pinned version); metrics of our own are `causeway.<service>.<thing>`.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.38.0"

# attributes
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
ERROR_TYPE: Final = "error.type"
DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
DB_COLLECTION: Final = "db.collection.name"
DB_BATCH_SIZE: Final = "db.operation.batch.size"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
URL_FULL: Final = "url.full"
SERVER_ADDRESS: Final = "server.address"
USER_ID: Final = "user.id"
CLIENT_COMMAND: Final = "causeway.client.command"
CHANNEL_NAMESPACE: Final = "causeway.channel.namespace"
RPC_METHOD: Final = "rpc.method"
RECORD_ID: Final = "causeway.record.id"
RECORD_ATTEMPT: Final = "causeway.record.attempt"
ENTITY_KIND: Final = "causeway.entity.kind"
COMMIT_APPENDS: Final = "causeway.commit.appends"

# span names; the bus's own are "{operation} {subject template}"
SPAN_COMMAND: Final = "client {command}"
SPAN_API: Final = "POST /api/{method}"
SPAN_APP_METHOD: Final = "app {method}"
SPAN_DB: Final = "{operation} {collection}"
SPAN_BATCH: Final = "batch {system}"
SPAN_RELAY: Final = "relay {kind}"
SPAN_ATTEMPT: Final = "attempt {connector}.{op}"
SPAN_HTTP_CLIENT: Final = "{method}"
SPAN_HOOK: Final = "POST /hooks/{source}"

MESSAGING_SYSTEM_NATS: Final = "nats"
TRACEPARENT: Final = "traceparent"
