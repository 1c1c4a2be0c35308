"""`causeway completion`: what makes a shell complete the command."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_CAUSEWAY_COMPLETE"
COLONS: Final = "\n# A channel's name has colons in it, at which bash would end a word.\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print what makes your shell complete commands, options and the names that a running stack knows.

    In ~/.bashrc: eval "$(causeway completion bash)". In ~/.zshrc: eval "$(causeway completion zsh)". In ~/.config/fish/config.fish:
    causeway completion fish | source.

    Example: eval "$(causeway completion bash)"
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}")
    root = ctx.find_root()
    click.echo(made(root.command, {}, "causeway", VARIABLE).source() + (COLONS if shell == "bash" else ""))
