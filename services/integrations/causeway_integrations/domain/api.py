"""Declared outside APIs: what a request to one may be, and what of its answers is kept. No I/O, no clock."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from causeway_common.contracts.connectors import HttpRequest
from causeway_common.contracts.errors import bad_request
from causeway_integrations.domain.document import Document
from causeway_integrations.domain.outside import Answered

SAFE_IN_PATH: Final = "/-._~!$&'()*+,;=:@"
BODY_MAX_BYTES: Final = 256 * 1024
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
CACHED_MAX: Final = 1000
CACHED_MAX_BYTES: Final = 16 * 1024 * 1024
AGE_MAX_MS: Final = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Api:
    """A declared API.

    Attributes:
        name: `http.<name>` is its operation.
        base_url: all its requests begin with it.
        methods: that may be used.
        headers: of every request; values may be secrets by reference.
        timeout_ms: for one request.
        max_bytes: of an answer.
        rate_limit: requests a second of one process; 0: no limit.
        cache_ms: how long an answer to GET is fresh that says nothing itself; 0: only as it says.
        stale_ms: how long after that it still serves while the API fails.
        idempotency_header: carries the key of what is asked; "" where the API knows none.
    """

    name: str
    base_url: str
    methods: frozenset[str]
    headers: Mapping[str, str] = field(repr=False)
    timeout_ms: int
    max_bytes: int
    rate_limit: float = 0
    cache_ms: int = 0
    stale_ms: int = 0
    idempotency_header: str = ""

    def repeatable(self, method: str) -> bool:
        """Whether a request may be sent again when its outcome is unknown."""
        return method in IDEMPOTENT or bool(self.idempotency_header)


def url_of(api: Api, request: HttpRequest) -> str:
    """The URL of a request: always below the base URL.

    Raises:
        CausewayError: 107, the method is not allowed, or the path would lead elsewhere.
    """
    if request.method not in api.methods:
        raise bad_request(f"{api.name} allows {', '.join(sorted(api.methods))}, got {request.method!r:.20}")
    path = request.path
    if any(ord(c) < 0x20 or ord(c) == 0x7F or c in "\\?#" for c in path):
        raise bad_request("a path holds no ?, #, backslash or control character; what is asked stands in `query`")
    if any(part in {".", ".."} for part in path.split("/")):
        raise bad_request("a path has no . or .. in it")
    base = api.base_url.rstrip("/")
    url = base + "/" + quote(path.lstrip("/"), safe=SAFE_IN_PATH) if path.strip("/") else base
    return url + ("?" + urlencode(request.query) if request.query else "")


def body_of(request: HttpRequest) -> bytes | None:
    """The JSON of a body. Raises CausewayError 107."""
    if request.body is None:
        return None
    try:
        body = json.dumps(request.body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise bad_request(f"the body is no JSON: {error}") from error
    if len(body) > BODY_MAX_BYTES:
        raise bad_request(f"the body has {len(body)} bytes, at most {BODY_MAX_BYTES} are allowed")
    return body


def data_of(answer: Answered) -> Any:
    """What an answer says: its JSON where it is one, else its text."""
    text = answer.body.decode("utf-8", "replace")
    if "json" in answer.headers.get("content-type", ""):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was kept."""

    answer: Answered
    stored_ms: int
    fresh_ms: int

    def is_fresh(self, now_ms: int) -> bool:
        """Whether it may be told without asking."""
        return now_ms < self.stored_ms + self.fresh_ms

    def serves(self, now_ms: int, stale_ms: int) -> bool:
        """Whether it may be told while the API fails (RFC 5861, section 4)."""
        return now_ms < self.stored_ms + self.fresh_ms + stale_ms


class Cache:
    """Answers to GET, the least recently used forgotten first (RFC 9111 for what a private cache needs)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def find(self, url: str) -> Kept | None:
        """What is kept of a URL, fresh or not."""
        if url in self._kept:
            self._kept.move_to_end(url)
        return self._kept.get(url)

    def store(self, url: str, answer: Answered, api: Api, now_ms: int) -> None:
        """Keep an answer as long as it and the API's settings say; one that must not be kept replaces what was."""
        self.forget(url)
        control = answer.headers.get("cache-control", "")
        if answer.cut or "no-store" in control.lower():
            return
        fresh = (
            0
            if "no-cache" in control.lower()
            else Document(0, b"", control).max_age_ms(least=0, most=AGE_MAX_MS, default=api.cache_ms)
        )
        if not (fresh or api.stale_ms or "etag" in answer.headers):
            return
        self._kept[url] = Kept(answer, now_ms, fresh)
        self._bytes += len(answer.body)
        while len(self._kept) > CACHED_MAX or self._bytes > CACHED_MAX_BYTES:
            self.forget(next(iter(self._kept)))

    def confirmed(self, url: str, kept: Kept, answer: Answered, api: Api, now_ms: int) -> None:
        """The API said that what is kept still holds (304): keep it anew, under the answer's own headers."""
        headers = {**kept.answer.headers, **{k: v for k, v in answer.headers.items() if k in {"cache-control", "etag"}}}
        self.store(url, replace(kept.answer, headers=headers), api, now_ms)

    def forget(self, url: str) -> None:
        """Keep nothing of a URL."""
        if (gone := self._kept.pop(url, None)) is not None:
            self._bytes -= len(gone.answer.body)


class Bucket:
    """A token bucket: `rate` a second, at most one second's worth (and at least one) saved up. 0: no limit."""

    def __init__(self, rate: float) -> None:
        self._rate, self._most = rate, max(rate, 1.0)
        self._left, self._at_ms = self._most, 0

    def wait_ms(self, now_ms: int) -> int:
        """0 and one token taken; or how long until there is one."""
        if not self._rate:
            return 0
        self._left = min(self._left + max(now_ms - self._at_ms, 0) * self._rate / 1000, self._most)
        self._at_ms = now_ms
        if self._left >= 1:
            self._left -= 1
            return 0
        return max(int((1 - self._left) / self._rate * 1000), 1)
