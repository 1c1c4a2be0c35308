"""`credentials.json` of the data directory, for this user's eyes only (0600): API key, token secret, the operator's NATS password, the console's key."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from causeway_cli.dev.files import write_atomic

CREDENTIALS_FILE: Final = "credentials.json"


class CredentialsError(Exception):
    """The file cannot be used; one line says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets that a stack hands out; the operator's NATS user only looks at lifecycle events."""

    api_key: str = field(repr=False)
    token_hmac_secret_key: str = field(repr=False)
    nats_operator_password: str = field(default="", repr=False)
    console_key: str = field(default="", repr=False)


def read_credentials(data_dir: Path) -> Credentials | None:
    """What the file holds; None without a file.

    Raises:
        CredentialsError: it cannot be read or is none of ours.
    """
    path = data_dir / CREDENTIALS_FILE
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        api_key, secret = document["api_key"], document["token_hmac_secret_key"]
        operator = document.get("nats_operator_password", "")  # files of before these have none, the next start adds them
        console = document.get("console_key", "")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsError(f"{path} is damaged; remove it, and the next start makes a new one") from error
    texts = all(isinstance(each, str) for each in (api_key, secret, operator, console))
    if not (texts and api_key and secret):
        raise CredentialsError(f"{path} is damaged; remove it, and the next start makes a new one")
    return Credentials(api_key, secret, operator, console)


def settle_credentials(data_dir: Path, *, api_key: str, token_hmac_secret_key: str, console_key: str = "") -> Credentials:
    """The secrets in force, written to the file: the configured ones, else those of the last start, else random ones.

    Args:
        data_dir: exists and is held by us.
        api_key: as configured; "" when it is not.
        token_hmac_secret_key: likewise.
        console_key: likewise.

    Raises:
        CredentialsError: the file is there and cannot be read, or cannot be written.
    """
    kept = read_credentials(data_dir)
    settled = Credentials(
        api_key or (kept.api_key if kept else secrets.token_urlsafe(32)),
        token_hmac_secret_key or (kept.token_hmac_secret_key if kept else secrets.token_urlsafe(48)),
        (kept.nats_operator_password if kept else "") or secrets.token_urlsafe(24),
        console_key or (kept.console_key if kept else "") or secrets.token_urlsafe(24),
    )
    try:
        write_atomic(data_dir / CREDENTIALS_FILE, json.dumps(asdict(settled), indent=2) + "\n", mode=0o600)
    except OSError as error:
        raise CredentialsError(f"{data_dir / CREDENTIALS_FILE} cannot be written: {error.strerror}") from error
    return settled
