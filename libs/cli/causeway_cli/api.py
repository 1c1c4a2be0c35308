"""The server API of a running stack, through the `cent` package's requests, with one line for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, TypeVar, cast

import cent
import click
import requests
from cent.client.session import RequestsSession
from cent.dto import CentRequest, CentResult
from cent.exceptions import CentTimeoutError

from causeway_cli.options import Where, find_api_key, find_url, is_local
from causeway_cli.text import printable

TIMEOUT_SECONDS: Final = 10.0
HARMLESS: Final = "a repeat is harmless"
R = TypeVar("R", bound=CentResult)


class RevokeResult(CentResult):
    """Revoked: no token that it names is good any more, on any gateway."""


class RevokeRequest(CentRequest[RevokeResult]):
    """Causeway's own method `revoke`: one of user, client and jti; times in Unix seconds."""

    __returning__: ClassVar[type] = RevokeResult
    __api_method__: ClassVar[str] = "revoke"

    user: str | None = None
    client: str | None = None
    jti: str | None = None
    issued_before: int | None = None
    expire_at: int | None = None


class ServerApi:
    """The API of one stack."""

    def __init__(self, base: str, key: str, session: requests.Session) -> None:
        self._base, self._key = base, key
        self._session = RequestsSession(f"{base}/api", timeout=TIMEOUT_SECONDS, session=session)

    def send(self, request: CentRequest[R], *, repeat: str = HARMLESS) -> R:
        """The result of a request.

        Args:
            request: one of `cent`'s, or of ours.
            repeat: what is to be said of sending it again.

        Raises:
            click.ClickException: refused, not reached or not understood; the message says which.
        """
        try:
            answer = self._session.make_request(self._key, request.api_method, request.api_payload)
            result = request.parse_response(answer).result
        except cent.CentError as error:
            raise click.ClickException(explain(error, self._base, repeat)) from error
        except requests.RequestException as error:
            raise click.ClickException(f"{self._base} cannot be reached: {type(error).__name__}") from error
        if result is None:
            raise click.ClickException(f"{self._base} gave an answer that cannot be understood")
        return cast("R", result)


@contextmanager
def server_api(where: Where) -> Iterator[ServerApi]:
    """The API of the stack that the command line names. Raises click.ClickException where none is found or its key is not known."""
    base, key = find_url(where, api=True), find_api_key(where)
    with requests.Session() as session:
        session.trust_env = not is_local(base)
        yield ServerApi(base, key, session)


def explain(error: cent.CentError, url: str, repeat: str) -> str:
    """What went wrong with a call of the server API, and what to do, in one line."""
    match error:
        case cent.CentApiResponseError(code=100 | 111):
            return f"{printable(error.message)} (code {error.code}): try again; {repeat}"
        case cent.CentApiResponseError():
            return f"{printable(error.message)} (code {error.code})"
        case cent.CentUnauthorizedError():
            return f"{url} does not take this API key"
        case cent.CentNetworkError():
            return f"{url} cannot be reached"
        case CentTimeoutError():
            return f"{url} gave no answer within {TIMEOUT_SECONDS:g} s: whether it was done is unknown; {repeat}"
        case cent.CentTransportError():
            return f"{url} answered with HTTP status {error.status_code}: is the server API there?"
        case _:
            return f"{url} gave an answer that cannot be understood"
