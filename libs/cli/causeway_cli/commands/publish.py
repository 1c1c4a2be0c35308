"""`causeway publish`: one publication through the server API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cent
import click
import requests
from cent.exceptions import CentTimeoutError

from causeway_cli.options import Where, api_key_option, data_dir_option, find_api_key, find_url, is_local, json_value, url_option
from causeway_cli.text import compact_json, printable

TIMEOUT_SECONDS = 10.0


@click.command()
@click.argument("channel")
@click.argument("data", callback=json_value)
@click.option("--idempotency-key", help="A repeat with the same key within five minutes publishes nothing new.")
@data_dir_option
@url_option
@api_key_option
def publish(*, channel: str, data: Any, idempotency_key: str | None, data_dir: Path, url: str, api_key: str) -> None:
    """Publish one JSON value into a channel.

    Uses the server API (DATA after `--` where it begins with a dash) and prints its result: where the channel keeps history, the publication's offset and epoch.

    Exit codes: 0 published, 1 refused or not reached, 2 wrong usage.
    """
    where = Where(data_dir, url=url, api_key=api_key)
    base, key = find_url(where), find_api_key(where)
    request = cent.PublishRequest(channel=channel, data=data, idempotency_key=idempotency_key)
    with requests.Session() as session:
        session.trust_env = not is_local(base)
        client = cent.Client(f"{base}/api", key, timeout=TIMEOUT_SECONDS, session=session)
        try:
            result: cent.PublishResult | None = client.publish(request)
        except cent.CentError as error:
            raise click.ClickException(explain(error, base)) from error
        except requests.RequestException as error:
            raise click.ClickException(f"{base} cannot be reached: {type(error).__name__}") from error
    if result is None:
        raise click.ClickException(f"{base} gave an answer that cannot be understood")
    click.echo(compact_json({name: value for name, value in result.model_dump().items() if value is not None}))


def explain(error: cent.CentError, url: str) -> str:
    """What went wrong with a call of the server API, and what to do, in one line."""
    match error:
        case cent.CentApiResponseError(code=100 | 111):
            return f"{printable(error.message)} (code {error.code}): try again; with --idempotency-key a repeat is harmless"
        case cent.CentApiResponseError():
            return f"{printable(error.message)} (code {error.code})"
        case cent.CentUnauthorizedError():
            return f"{url} does not take this API key"
        case cent.CentNetworkError():
            return f"{url} cannot be reached"
        case CentTimeoutError():
            return f"{url} gave no answer within {TIMEOUT_SECONDS:g} s: whether it published is unknown; with --idempotency-key a repeat is harmless"
        case cent.CentTransportError():
            return f"{url} answered with HTTP status {error.status_code}: is the server API there?"
        case _:
            return f"{url} gave an answer that cannot be understood"
