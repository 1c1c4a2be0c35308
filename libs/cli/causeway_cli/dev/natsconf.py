"""The configuration of the embedded NATS server: one user per process, each with the rights that the contracts give it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from causeway_common.contracts.rights import Rights

MAX_PAYLOAD_BYTES: Final = 1024 * 1024
# A reply leaves well within a client command's 4 s; after this the right to send it lapses.
RESPONSE_EXPIRES: Final = "1m"


@dataclass(frozen=True, slots=True)
class NatsUser:
    """One process on the bus."""

    name: str
    password: str = field(repr=False)
    rights: Rights


def nats_config(*, host: str, port: int, monitor_port: int, store_dir: Path, users: list[NatsUser]) -> str:
    """The file's text: JSON, which NATS's own format contains.

    Args:
        host: listens here only.
        port: for clients.
        monitor_port: for /healthz.
        store_dir: of JetStream.
        users: nobody else may connect.
    """
    document = {
        "server_name": "causeway-dev",
        "host": host,
        "port": port,
        "http": f"{host}:{monitor_port}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {"store_dir": str(store_dir)},
        "authorization": {"users": [_user(user) for user in users]},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _user(user: NatsUser) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": {"allow": list(user.rights.publish)},
        "subscribe": {"allow": list(user.rights.subscribe)},
    }
    if user.rights.responses:
        permissions["allow_responses"] = {"max": 1, "expires": RESPONSE_EXPIRES}
    return {"user": user.name, "password": user.password, "permissions": permissions}
