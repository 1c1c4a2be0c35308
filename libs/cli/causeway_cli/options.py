"""How the commands that use a running stack find it: by data directory, or by URL and key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import click

from causeway_cli.dev.credentials import Credentials, CredentialsError, read_credentials
from causeway_cli.dev.datadir import is_in_use
from causeway_cli.dev.stackfile import StackFileError, read_stack
from causeway_cli.text import parse_json
from causeway_common.runtime import now_ms, parse_duration

DEFAULT_DATA_DIR = Path(".causeway")
SECONDS_MAX_DIGITS = 11
"""Unix seconds up to the year 5138; what is longer is most likely milliseconds."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says about the stack; empty strings where it says nothing."""

    data_dir: Path
    url: str = ""
    api_key: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)


def json_value(_ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
    """Callback of an argument or option that is one JSON value: parses it; None where it is not given.

    Raises:
        click.BadParameter: it is none (exit code 2), with a hint on quoting.
    """
    if text is None:
        return None
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        hint = 'in a shell put JSON in single quotes, \'{"text": "hi"}\', and a string in both, \'"hi"\''
        raise click.BadParameter(f"{text!r:.80} is not one JSON value ({error}); {hint}", param=param) from error


def time_of_day(_ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    """Callback of an option that is a time: `now`, a duration from now, Unix seconds or RFC 3339; Unix seconds, None where not given.

    Raises:
        click.BadParameter: it is none of these (exit code 2).
    """
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= SECONDS_MAX_DIGITS:
        return int(text)
    now_s = -(-now_ms() // 1000)  # rounded up: what was issued in this very second was issued before `now`
    try:
        return now_s + (0 if text == "now" else parse_duration(text) // 1000)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        rule = "a time is `now`, a duration from now (12h, 7d), Unix seconds, or RFC 3339 such as 2030-01-31T12:00:00Z"
        raise click.BadParameter(f"{text!r:.80}: {rule}", param=param)
    return int(moment.timestamp())


def past_time(_ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """Callback of an option that is a time in the past: a duration back, Unix seconds or RFC 3339; None where not given.

    Raises:
        click.BadParameter: it is none of these (exit code 2).
    """
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= SECONDS_MAX_DIGITS:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return datetime.fromtimestamp((now_ms() - parse_duration(text)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        rule = "a time is a duration back (10m, 7d), Unix seconds, or RFC 3339 such as 2030-01-31T12:00:00Z"
        raise click.BadParameter(f"{text!r:.80}: {rule}", param=param)
    return moment


def data_dir_option(command: F) -> F:
    """Adds --data-dir."""
    option = click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_DATA_DIR,
        envvar="CAUSEWAY_DATA_DIR",
        show_default=True,
        show_envvar=True,
        help="Where the stack keeps its data.",
    )
    return option(command)


def url_option(command: F) -> F:
    """Adds --url."""
    text = "Base URL of a system that runs elsewhere, such as https://rt.example.com; its secret must then be given as well."
    return click.option("--url", default="", envvar="CAUSEWAY_URL", show_envvar=True, help=text)(command)


def api_key_option(command: F) -> F:
    """Adds --api-key."""
    text = "Key of the server API.  [default: the one of the data directory]"
    return click.option("--api-key", default="", envvar="CAUSEWAY_API_KEY", show_envvar=True, help=text)(command)


def token_secret_option(command: F) -> F:
    """Adds --token-secret."""
    text = "HMAC secret of connection tokens.  [default: the one of the data directory]"
    return click.option("--token-secret", default="", envvar="CAUSEWAY_TOKEN_SECRET", show_envvar=True, help=text)(command)


def is_stack_there(where: Where) -> bool:
    """Whether a running system is named, or found in the data directory."""
    return bool(where.url) or (where.data_dir.is_dir() and is_in_use(where.data_dir))


def find_url(where: Where, *, api: bool = False) -> str:
    """The base URL, without a slash at its end; with `api` that of the server API, which may have a port of its own.

    Raises:
        click.ClickException: the URL is none of http(s), or no stack runs in the data directory.
    """
    if where.url:
        if not _is_http(where.url):
            raise click.UsageError(f"--url must be http(s)://host[:port], got {where.url!r}")
        return where.url.rstrip("/")
    if not is_in_use(where.data_dir):
        raise click.ClickException(
            f"no stack runs in {where.data_dir.absolute()}: start one with `causeway dev`, or name one with --data-dir or --url"
        )
    try:
        stack = read_stack(where.data_dir)
    except StackFileError as error:
        raise click.ClickException(f"{error}; the stack may be starting, try again") from error
    return (stack.api_url if api else "") or stack.url


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def find_api_key(where: Where) -> str:
    """The key of the server API. Raises click.ClickException where none is known."""
    if where.api_key:
        return where.api_key
    if where.url:
        raise click.UsageError("--url needs the key of that system's server API: --api-key or CAUSEWAY_API_KEY")
    return _credentials(where).api_key


def find_nats(where: Where, url: str, password: str) -> tuple[str, str]:
    """URL and password of NATS, for the user who only looks.

    Raises:
        click.ClickException: no stack runs in the data directory.
    """
    if url:
        return url, password
    if not is_in_use(where.data_dir):
        raise click.ClickException(
            f"no stack runs in {where.data_dir.absolute()}: start one with `causeway dev`, or name one with --data-dir or --nats"
        )
    try:
        return read_stack(where.data_dir).nats_url, password or _credentials(where).nats_operator_password
    except StackFileError as error:
        raise click.ClickException(f"{error}; the stack may be starting, try again") from error


def find_token_secret(where: Where) -> str:
    """The HMAC secret of connection tokens. Raises click.ClickException where none is known."""
    if where.token_secret:
        return where.token_secret
    if where.url:
        raise click.UsageError("--url needs the token secret of that system: --token-secret or CAUSEWAY_TOKEN_SECRET")
    return _credentials(where).token_hmac_secret_key


def _credentials(where: Where) -> Credentials:
    try:
        found = read_credentials(where.data_dir)
    except CredentialsError as error:
        raise click.ClickException(str(error)) from error
    if found is None:
        raise click.ClickException(f"no stack has run in {where.data_dir.absolute()}: start one with `causeway dev`")
    return found


def websocket_url(url: str) -> str:
    """The address of the client protocol under a base URL."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/connection/websocket", "", ""))


def is_local(url: str) -> bool:
    """Whether the URL names this machine, where no proxy of the environment may come between."""
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
