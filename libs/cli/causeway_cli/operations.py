"""The operators' calls of a running stack (`POST /ops/<noun>.<verb>`), with one line for whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cent
import click
import requests
from cent.client.session import RequestsSession
from cent.exceptions import CentApiResponseError

from causeway_cli.api import HARMLESS, TIMEOUT_SECONDS, explain
from causeway_cli.options import Where, find_api_key, find_url, is_local
from causeway_cli.text import printable


class Operations:
    """The operations of one stack."""

    def __init__(self, base: str, key: str, session: requests.Session) -> None:
        self._base, self._key, self._requests = base, key, session
        self._session = RequestsSession(f"{base}/ops", timeout=TIMEOUT_SECONDS, session=session)

    def run(self, operation: str, **request: Any) -> dict[str, Any]:
        """The result of an operation. A repeat of any is harmless.

        Raises:
            click.ClickException: refused, not reached or not understood; the message says which.
        """
        try:
            answer = json.loads(self._session.make_request(self._key, operation, request))
            if error := answer.get("error"):
                raise CentApiResponseError(code=error["code"], message=error["message"])
            result: dict[str, Any] = answer["result"]
        except cent.CentError as error:
            raise click.ClickException(explain(error, self._base, HARMLESS)) from error
        except requests.RequestException as error:
            raise click.ClickException(f"{self._base} cannot be reached: {type(error).__name__}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise click.ClickException(f"{self._base} gave an answer that cannot be understood") from error
        return result

    def stream(self, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
        """The lines of an operation that goes on, as they come, those that only say that it is alive left out.

        Raises:
            click.ClickException: refused, not reached or broken off; the message says which.
        """
        session, headers = self._requests, {"X-API-Key": self._key, "Content-Type": "application/json"}
        url = f"{self._base}/ops/{operation}"
        try:
            with session.post(url, data=json.dumps(request), headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
                if answer.status_code != 200:
                    raise click.ClickException(refused(answer.status_code, self._base))
                for line in answer.iter_lines():
                    yield from _line(line)
        except requests.RequestException as error:
            raise click.ClickException(f"{self._base} cannot be reached any more: {type(error).__name__}") from error
        except ValueError as error:
            raise click.ClickException(f"{self._base} gave an answer that cannot be understood") from error


def refused(status: int, base: str) -> str:
    """What an HTTP status in place of a stream says."""
    if status == 401:
        return f"{base} does not take this API key"
    if status == 503:
        return f"{base} has as many streams open as it may: try again"
    return f"{base} answered with HTTP status {status}: is the server API there?"


def _line(line: bytes) -> Iterator[dict[str, Any]]:
    told: dict[str, Any] = json.loads(line)
    if error := told.get("error"):
        raise click.ClickException(f"{printable(error['message'])} (code {error['code']})")
    if told.get("type") != "alive":
        yield told


@contextmanager
def operations(where: Where) -> Iterator[Operations]:
    """The operations of the stack that the command line names. Raises click.ClickException where none is found or its key is not known."""
    base, key = find_url(where, api=True), find_api_key(where)
    with requests.Session() as session:
        session.trust_env = not is_local(base)
        yield Operations(base, key, session)
