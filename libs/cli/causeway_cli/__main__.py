"""`causeway`: the commands, put together."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from causeway_cli import __version__

COMMANDS: Final = (
    *("new", "dev", "check", "schema", "client", "apps", "route"),
    *(
        "token",
        "call",
        "publish",
        "tail",
        "history",
        "presence",
        "inspect",
        "events",
        "jobs",
        "webhooks",
        "audit",
        "disconnect",
        "revoke",
    ),
    *("nodes", "top", "channels", "clients", "ban", "unban", "bans", "timers"),
    "completion",
)


class Commands(click.Group):
    """Each command is imported when it is used: `causeway token` does not wait for what `causeway dev` needs."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, which is its module's too."""
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"causeway_cli.commands.{cmd_name}"), cmd_name)
        return found if isinstance(found, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="causeway %(version)s")
def main() -> None:
    """Causeway: a self-hosted real-time backend.

    `causeway new` makes an app, `causeway dev` runs the whole system on this machine, `causeway check` validates a configuration. The other commands
    use a running stack, found by its data directory or named by URL and key.

    Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage or configuration.
    """


if __name__ == "__main__":
    main()
