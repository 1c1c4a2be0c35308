"""`causeway revoke`: tokens that are good no more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from causeway_cli.api import RevokeRequest, server_api
from causeway_cli.options import Where, api_key_option, data_dir_option, time_of_day, url_option
from causeway_cli.text import printable


@click.command()
@click.option("--user", help="All tokens of this user.")
@click.option("--client", help="This connection, by its client id.")
@click.option("--jti", help="The token with this `jti` claim.")
@click.option(
    "--issued-before",
    callback=time_of_day,
    metavar="TIME",
    help="With --user: only tokens issued before; `now` logs out everywhere.",
)
@click.option(
    "--until", callback=time_of_day, metavar="TIME", help="When the revocation may be forgotten: no earlier than the tokens expire."
)
@data_dir_option
@url_option
@api_key_option
def revoke(
    *,
    user: str | None,
    client: str | None,
    jti: str | None,
    issued_before: int | None,
    until: int | None,
    data_dir: Path,
    url: str,
    api_key: str,
) -> None:
    """Revoke tokens: live connections that came with them are closed, new ones refused, on all gateways.

    Give one of --user, --client and --jti. A TIME is `now`, a duration from now (90s, 12h, 7d), Unix seconds, or RFC 3339 such as
    2030-01-31T12:00:00Z. Without --until it holds as long as the gateway keeps revocations.

    Example: causeway revoke --user ann --issued-before now --until 7d

    Example: causeway revoke --jti 5f0c2a --until 2030-01-31T12:00:00Z

    Exit codes: 0 revoked, 1 refused or not reached, 2 wrong usage.
    """
    named = {name: value for name, value in (("user", user), ("client", client), ("jti", jti)) if value is not None}
    if len(named) != 1:
        raise click.UsageError("give exactly one of --user, --client and --jti")
    if issued_before is not None and user is None:
        raise click.UsageError("--issued-before goes with --user")
    request = RevokeRequest(user=user, client=client, jti=jti, issued_before=issued_before, expire_at=until)
    with server_api(Where(data_dir, url=url, api_key=api_key)) as api:
        api.send(request)
    ((kind, value),) = named.items()
    whose = {"user": "tokens of user", "client": "the tokens of client", "jti": "the token"}[kind]
    before = "" if issued_before is None else f" issued before {_rfc3339(issued_before)}"
    click.echo(f"revoked: {whose} {printable(value)}{before}{'' if until is None else f', until {_rfc3339(until)}'}")


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
