"""The built web application at `/`: read once at the start, so that nothing but those files can ever be asked for."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from causeway_gateway.adapters.head import refusal
from causeway_gateway.adapters.limits import Refused

INDEX: Final = "/index.html"
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""What a browser may take instead of the file itself, best first, and how such a file's name ends."""
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOREVER: Final = "public, max-age=31536000, immutable"
NOT_PAGES: Final = ("api", "ops", "connection", "emulation", "assets")
"""Below these a wrong path is a mistake of a program, and no place in the application."""

_HASHED: Final = re.compile(r"^/assets/.+-[\w-]{8,}\.\w+$")
_ENCODING: Final = re.compile(r"([\w*-]+)(?:\s*;\s*q=([0-9.]+))?")


@dataclass(frozen=True, slots=True)
class Page:
    """One file: its type, its content, the same compressed by encoding, and a name that changes with the content."""

    kind: str
    content: bytes = field(repr=False)
    tag: str
    packed: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Playground:
    """Where the page may have processes killed, in dev alone: told in its head, and the one other place that it may reach."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where the page's users sign in, told in its head, and the origins that it may reach for that.

    `token` names the one that is for the gateway, `user_claim` the claim of it that is the user's id.
    """

    authority: str
    client_id: str
    scope: str
    token: str
    user_claim: str
    origins: tuple[str, ...] = ()

    @property
    def reached(self) -> tuple[str, ...]:
        """Every origin, as a policy names it."""
        return tuple(dict.fromkeys("{0.scheme}://{0.netloc}".format(urlsplit(each)) for each in (self.authority, *self.origins)))

    @property
    def told(self) -> dict[str, str]:
        """What the page is told."""
        return {name: getattr(self, name) for name in ("authority", "client_id", "scope", "token", "user_claim")}


class Pages:
    """The files of a folder by their paths, as they were when it was read.

    Args:
        folder: of the built files.
        playground: None: the page is told of none, and it cannot reach one.
        sign_in: None: the page has no issuer.
        index: the page itself, which every place in the application is.

    Raises:
        FileNotFoundError: the folder has no index.
        OSError: it cannot be read.
    """

    def __init__(
        self, folder: Path, playground: Playground | None = None, sign_in: SignIn | None = None, *, index: str = INDEX
    ) -> None:
        self._index = index
        root = folder.resolve()
        self._headers = _headers([*([playground.url] if playground else []), *(sign_in.reached if sign_in else [])])
        self._pages = {f"/{path.relative_to(root).as_posix()}": _page(path) for path in sorted(root.rglob("*")) if _is_page(path)}
        if index not in self._pages:
            raise FileNotFoundError(f"{folder} has no {index[1:]}")
        if playground:
            self._pages[index] = _told(self._pages[index], "playground", {"url": playground.url, "token": playground.token})
        if sign_in:
            self._pages[index] = _told(self._pages[index], "oidc", sign_in.told)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A file; for a place in the application, which the script finds by itself, the index."""
        return self.answer(request, request.path)

    def answer(self, request: web.Request, asked: str) -> web.StreamResponse:
        """Likewise, for who serves them below a path of its own: `asked` is what stands behind that."""
        path = self._found(request, asked)
        if path is None:
            return refusal(Refused(404, "there is nothing here"), self._headers)
        if request.method not in {"GET", "HEAD"}:
            return refusal(Refused(405, "this is only to be read", {"Allow": "GET, HEAD"}), self._headers)
        page = self._pages[path]
        headers = {**self._headers, "Content-Type": page.kind, "ETag": page.tag, "Vary": "Accept-Encoding"}
        headers["Cache-Control"] = FOREVER if _HASHED.match(path) else "no-cache"
        if page.tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers={name: value for name, value in headers.items() if name != "Content-Type"})
        wanted = _accepted(request.headers.get("Accept-Encoding", ""))
        for encoding, packed in page.packed.items():
            if encoding in wanted:
                return web.Response(body=packed, headers={**headers, "Content-Encoding": encoding})
        return web.Response(body=page.content, headers=headers)

    def _found(self, request: web.Request, path: str) -> str | None:
        if path != "/" and path in self._pages:
            return path
        is_place = path == "/" or ("text/html" in request.headers.get("Accept", "") and path.split("/")[1] not in NOT_PAGES)
        return self._index if is_place else None


def _headers(reached: Sequence[str]) -> dict[str, str]:
    policy = HEADERS["Content-Security-Policy"].replace("connect-src 'self'", " ".join(("connect-src 'self'", *reached)))
    return {**HEADERS, "Content-Security-Policy": policy}


def _told(index: Page, name: str, told: Mapping[str, str]) -> Page:
    """The index with what the script needs to know of this part."""
    meta = f'<meta name="causeway-{name}" content="{html.escape(json.dumps(told))}" /></head>'.encode()
    content = index.content.replace(b"</head>", meta, 1)
    return Page(index.kind, content, _tag(content), {"gzip": gzip.compress(content, mtime=0)})


def _is_page(path: Path) -> bool:
    return path.is_file() and path.suffix in TYPES


def _page(path: Path) -> Page:
    content = path.read_bytes()
    others = {encoding: path.with_name(path.name + ending) for encoding, ending in ENCODINGS.items()}
    packed = {encoding: other.read_bytes() for encoding, other in others.items() if other.is_file()}
    return Page(TYPES[path.suffix], content, _tag(content), packed)


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:20]}"'


def _accepted(header: str) -> set[str]:
    found = (_ENCODING.fullmatch(each.strip().lower()) for each in header.split(","))
    return {each[1] for each in found if each and (each[2] is None or each[2].strip("0.") != "")}
