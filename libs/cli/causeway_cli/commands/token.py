"""`causeway token`: a connection or subscription token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from causeway_cli.options import Where, data_dir_option, find_token_secret, json_value, token_secret_option
from causeway_cli.text import parse_json
from causeway_cli.tokens import make_token
from causeway_common.runtime import now_ms, parse_duration

NEVER = "never"


def _ttl_seconds(_ctx: click.Context, param: click.Parameter, text: str) -> int:
    try:
        milliseconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from error
    if milliseconds < 1000:
        raise click.BadParameter("a token holds for at least 1s", param=param)
    return milliseconds // 1000


def _expiry(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    """Seconds from now, 0 for never, None where it is not given."""
    return None if text is None else 0 if text == NEVER else _ttl_seconds(ctx, param, text)


def _subs(_ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Channel to options: each text is a channel, or a JSON object of channels."""
    subs: dict[str, Any] = {}
    for text in texts:
        if not text.startswith("{"):
            subs[text] = {}
            continue
        try:
            found = parse_json(text)
        except (ValueError, RecursionError) as error:
            raise click.BadParameter(f"{text!r:.80} is not one JSON value ({error})", param=param) from error
        if not all(isinstance(options, dict) for options in found.values()):
            raise click.BadParameter('an object has channels and their options, {"news": {"info": 1}}', param=param)
        subs |= found
    return subs


@click.command()
@click.option("--user", required=True, help="The user's id.")
@click.option("--ttl", default="1h", show_default=True, callback=_ttl_seconds, help="How long it holds: 90s, 15m, 1h, 7d.")
@click.option("--info", callback=json_value, metavar="JSON", help="What other clients see beside the user, one JSON value.")
@click.option("--channel", default="", help="Makes it a subscription token for this channel.")
@click.option("--client", default="", help="With --channel: good for this connection alone, by its client id.")
@click.option(
    "--subs",
    multiple=True,
    callback=_subs,
    metavar="CHANNEL|JSON",
    help="A channel that the connection has from the start, or a JSON object of channels and their options. May be repeated.",
)
@click.option("--jti", default="", help="The token's own id, to revoke it by.")
@click.option(
    "--expire",
    callback=_expiry,
    metavar="DURATION|never",
    help="When the connection (with --channel: the subscription) expires.  [default: when the token does]",
)
@data_dir_option
@token_secret_option
def token(
    *,
    user: str,
    ttl: int,
    info: Any,
    channel: str,
    client: str,
    subs: dict[str, Any],
    jti: str,
    expire: int | None,
    data_dir: Path,
    token_secret: str,
) -> None:
    """Print a token (JWT) for a user: to connect with, or with --channel to subscribe.

    Signed (HS256) with the secret of the stack in the data directory, which need not run, or with --token-secret.

    Example: causeway token --user ann --ttl 15m --subs news:all

    Example: causeway token --user ann --channel '$demo:secret'
    """
    if channel and subs:
        raise click.UsageError("--subs is for connection tokens, --channel makes a subscription token")
    if client and not channel:
        raise click.UsageError("--client goes with --channel")
    secret, now_s = find_token_secret(Where(data_dir, token_secret=token_secret)), now_ms() // 1000
    expire_at = now_s + expire if expire else expire
    made = make_token(
        secret,
        user=user,
        now_s=now_s,
        ttl_s=ttl,
        info=info,
        jti=jti,
        expire_at_s=expire_at,
        subs=subs,
        channel=channel,
        client=client,
    )
    click.echo(made)
