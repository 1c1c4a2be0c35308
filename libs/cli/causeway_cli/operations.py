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


class Operations:
    """The operations of one stack."""

    def __init__(self, base: str, key: str, session: requests.Session) -> None:
        self._base, self._key = base, key
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


@contextmanager
def operations(where: Where) -> Iterator[Operations]:
    """The operations of the stack that the command line names. Raises click.ClickException where none is found or its key is not known."""
    base, key = find_url(where, api=True), find_api_key(where)
    with requests.Session() as session:
        session.trust_env = not is_local(base)
        yield Operations(base, key, session)
