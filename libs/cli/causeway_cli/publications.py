"""Publications in the terminal, whoever told them: a client's subscription or the server API."""

from __future__ import annotations

from typing import Any, Final, Protocol

import click
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from causeway_cli.text import compact_json, printable


class Told(Protocol):
    """A publication as `cent` and `centrifuge-python` have it: `info` with user and client or None, `tags` or None."""

    @property
    def offset(self) -> int:
        """0 where the channel has no log."""
        ...

    @property
    def data(self) -> Any:
        """Any JSON."""
        ...

    @property
    def info(self) -> Any:
        """Who published it, as a client."""
        ...

    @property
    def tags(self) -> Any:
        """A map of texts."""
        ...


def show_json(publication: Told) -> None:
    """A publication as a JSON object of its own line."""
    info = publication.info
    entry: dict[str, Any] = {"offset": publication.offset, "data": publication.data}
    if info is not None:
        entry |= {"user": info.user, "client": info.client}
    if publication.tags:
        entry["tags"] = publication.tags
    click.echo(compact_json(entry))


def show_text(publication: Told) -> None:
    """A publication for the eye: offset where there is one, who, what."""
    line = Text()
    if publication.offset:
        line.append(f"{publication.offset:>6}  ", style="dim")
    if publication.info is not None and publication.info.user:
        line.append(f"{printable(publication.info.user)}  ", style="bold")
    line.append_text(_highlight(Text(compact_json(publication.data))))
    Console(soft_wrap=True, highlight=False).print(line)


_highlight: Final = JSONHighlighter()
