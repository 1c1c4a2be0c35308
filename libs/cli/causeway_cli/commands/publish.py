"""`causeway publish`: one publication through the server API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cent
import click

from causeway_cli.api import server_api
from causeway_cli.completing import channels
from causeway_cli.options import Where, api_key_option, data_dir_option, json_value, url_option
from causeway_cli.text import compact_json


@click.command()
@click.argument("channel", shell_complete=channels)
@click.argument("data", callback=json_value)
@click.option("--idempotency-key", help="A repeat with the same key within five minutes publishes nothing new.")
@data_dir_option
@url_option
@api_key_option
def publish(*, channel: str, data: Any, idempotency_key: str | None, data_dir: Path, url: str, api_key: str) -> None:
    """Publish one JSON value into a channel.

    Uses the server API (DATA after `--` where it begins with a dash) and prints its result: where the channel keeps history, the publication's offset and epoch.

    Example: causeway publish demo:hello '{"text": "hi"}'

    Exit codes: 0 published, 1 refused or not reached, 2 wrong usage.
    """
    request = cent.PublishRequest(channel=channel, data=data, idempotency_key=idempotency_key)
    with server_api(Where(data_dir, url=url, api_key=api_key)) as api:
        result = api.send(request, repeat="with --idempotency-key a repeat is harmless")
    click.echo(compact_json({name: value for name, value in result.model_dump().items() if value is not None}))
