"""The configuration of `causeway dev` where no --config is given: enough for the five minutes of the README."""

from __future__ import annotations

from typing import Final

DEFAULT_CONFIG_FILE: Final = "default.toml"
DEFAULT_CONFIG: Final = """\
# What `causeway dev` runs with when no --config is given. It is written anew at each start: copy it, change the copy, and
# start with `causeway dev --config FILE`.

[http_stream]
enabled = true

[sse]
enabled = true

[uni_websocket]
enabled = true

[uni_http_stream]
enabled = true

[uni_sse]
enabled = true

[[channel.namespaces]]
name = "demo"                          # channels demo:anything
history_size = 1000
history_ttl = "24h"
force_recovery = true
allow_subscribe_for_client = true
allow_publish_for_subscriber = true
allow_history_for_subscriber = true
presence = true                        # `causeway presence demo:hello`
join_leave = true                      # told to subscribers that ask for it
allow_presence_for_subscriber = true
allowed_delta_types = ["fossil"]
allow_tags_filter = true
"""
