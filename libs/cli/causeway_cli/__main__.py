"""`causeway`: the commands, put together."""

from __future__ import annotations

import click

from causeway_cli import __version__
from causeway_cli.commands.apps import apps
from causeway_cli.commands.audit import audit
from causeway_cli.commands.call import call
from causeway_cli.commands.check import check
from causeway_cli.commands.client import client
from causeway_cli.commands.completion import completion
from causeway_cli.commands.dev import dev
from causeway_cli.commands.disconnect import disconnect
from causeway_cli.commands.events import events
from causeway_cli.commands.history import history
from causeway_cli.commands.inspect import inspect
from causeway_cli.commands.presence import presence
from causeway_cli.commands.publish import publish
from causeway_cli.commands.revoke import revoke
from causeway_cli.commands.route import route
from causeway_cli.commands.schema import schema
from causeway_cli.commands.tail import tail
from causeway_cli.commands.token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="causeway %(version)s")
def main() -> None:
    """Causeway: a self-hosted real-time backend.

    `causeway dev` runs all of it on this machine, `causeway check` validates a configuration. The other commands use a running stack, found
    by its data directory or named by URL and key.

    Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage or configuration.
    """


COMMANDS = (
    *(dev, check, token, publish, call, tail, history, events, audit, presence, inspect, disconnect, revoke),
    *(apps, route, schema, client, completion),
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
