"""What the shell offers beside commands and options: names that the running stack knows. Where none can be asked, nothing is offered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cent
import click
from click.shell_completion import CompletionItem

from causeway_cli.api import server_api
from causeway_cli.operations import operations
from causeway_cli.options import DEFAULT_DATA_DIR, Where


def channels(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Channels that somebody is subscribed to now."""
    try:
        with server_api(_where(ctx)) as api:
            found = api.send(cent.ChannelsRequest()).channels
    except click.ClickException:
        return []  # a shell that completes has no place for an error
    return _offered(found, incomplete)


def apps(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Apps, living or known of."""
    return _offered((app["app"] for app in _apps(ctx)), incomplete)


def methods(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Methods of all apps, as clients call them."""
    return _offered((f"{app['app']}.{method}" for app in _apps(ctx) for method in app["methods"]), incomplete)


def banned(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Users who are banned."""
    try:
        with operations(_where(ctx)) as ops:
            found = ops.run("users.bans", limit=1_000)["bans"]
    except click.ClickException:
        return []  # as above
    return _offered((ban["user"] for ban in found), incomplete)


def services(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Services of which processes run."""
    try:
        with operations(_where(ctx)) as ops:
            found = ops.run("nodes.list")["nodes"]
    except click.ClickException:
        return []  # as above
    return _offered({node["service"] for node in found}, incomplete)


def _apps(ctx: click.Context) -> list[dict[str, Any]]:
    try:
        with operations(_where(ctx)) as ops:
            found: list[dict[str, Any]] = ops.run("apps.list")["apps"]
    except click.ClickException:
        return []  # as above
    return found


def _offered(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _where(ctx: click.Context) -> Where:
    given: dict[str, Any] = ctx.params
    data_dir = given.get("data_dir") or DEFAULT_DATA_DIR
    return Where(Path(data_dir), url=given.get("url") or "", api_key=given.get("api_key") or "")
