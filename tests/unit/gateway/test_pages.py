"""The web application at `/`: the built files and nothing else, each as a browser should have it."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from causeway_gateway.adapters.pages import HEADERS, Pages, Playground, SignIn
from causeway_gateway.config import OidcSettings, WebSettings
from unit.gateway.fakes import API_KEY, Gateway

HTML = {"Accept": "text/html,*/*"}
SCRIPT = "/assets/index-B4x_9-Qa.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built application, with a secret beside it."""
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("a secret")
    (dist / "index.html").write_text("<title>the application</title>")
    (dist / "favicon.svg").write_text("<svg/>")
    (dist / "notes.key").write_text("no kind of page")
    script = dist / SCRIPT[1:]
    script.write_text("run()")
    script.with_name(script.name + ".br").write_bytes(b"brotli")
    script.with_name(script.name + ".gz").write_bytes(b"gzipped")
    return dist


@pytest.fixture
async def http(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        Gateway(pages=Pages(folder)) as gateway,
        aiohttp.ClientSession(gateway.http, auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as session,
    ):
        yield session


async def test_the_index_is_asked_for_each_time_and_hashed_names_are_kept_for_ever(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as index, http.get(SCRIPT) as script, http.get("/favicon.svg") as icon:
        assert await index.text() == "<title>the application</title>"
        assert (index.content_type, index.headers["Cache-Control"]) == ("text/html", "no-cache")
        assert await script.text() == "run()"
        assert (script.content_type, script.headers["Cache-Control"]) == ("text/javascript", "public, max-age=31536000, immutable")
        assert (icon.content_type, icon.headers["Cache-Control"]) == ("image/svg+xml", "no-cache")
    async with http.get("/", headers={"If-None-Match": index.headers["ETag"]}) as again:
        assert (again.status, await again.read()) == (304, b"")


async def test_every_answer_forbids_scripts_from_elsewhere_and_inline(http: aiohttp.ClientSession) -> None:
    for path in ("/", SCRIPT, "/nothing"):
        async with http.get(path) as answer:
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.0", None),
        ("identity", None),
        ("", None),
        (";;,=", None),
    ],
)
async def test_a_file_is_sent_compressed_as_it_was_built_to_who_takes_it(
    http: aiohttp.ClientSession, accepted: str, encoding: str | None
) -> None:
    async with http.get(SCRIPT, headers={"Accept-Encoding": accepted}) as answer:
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_type == "text/javascript"
        body = await answer.read()
    assert body == {"br": b"brotli", "gzip": b"gzipped", None: b"run()"}[encoding]


@pytest.mark.parametrize("path", ["/chat/lobby", "/lots/7"])
async def test_a_place_in_the_application_is_the_index_for_who_browses(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path, headers=HTML) as browsed, http.get(path, headers={"Accept": "*/*"}) as asked:
        assert (browsed.status, await browsed.text()) == (200, "<title>the application</title>")
        assert asked.status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "//etc/passwd",
        "/etc/passwd",
        "/notes.key",
        "/assets/",
        "/assets/index-B4x_9-Qa.js.br",
        "/%00",
    ],
)
async def test_nothing_but_the_built_files_is_ever_sent(folder: Path, target: str) -> None:
    async with Gateway(pages=Pages(folder)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()

    assert answer.split(b" ")[1] in {b"404", b"400"}
    assert b"secret" not in answer.split(b"\r\n\r\n", 1)[1]


async def test_the_other_endpoints_answer_as_before(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/info", json={}, headers={"X-API-Key": API_KEY}) as info:
        assert info.status == 200
    async with http.post("/api/presence_of_mind", json={}, headers={"X-API-Key": API_KEY}) as unknown:
        assert unknown.status == 404
    for path in ("/api/x/y", "/connection/nowhere", "/assets/gone-12345678.js"):
        async with http.get(path, headers=HTML) as wrong:
            assert wrong.status == 404
    async with http.post("/") as written:
        assert (written.status, written.headers["Allow"]) == (405, "GET, HEAD")
    async with http.head("/") as head:
        assert (head.status, await head.read()) == (200, b"")


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no index\.html"):
        Pages(tmp_path)


async def test_in_dev_the_page_is_told_of_the_playground_and_may_reach_it_alone(folder: Path) -> None:
    (folder / "index.html").write_text("<head><title>x</title></head><body></body>")
    playground = Playground("http://127.0.0.1:20001", 'a"token')
    async with Gateway(pages=Pages(folder, playground)) as gateway, aiohttp.ClientSession(gateway.http) as http:
        for encoding in ("identity", "gzip", "br"):
            async with http.get("/", headers={"Accept-Encoding": encoding}) as index:
                (told,) = re.findall(r'<meta name="causeway-playground" content="([^"]*)" />', await index.text())
                assert json.loads(html.unescape(told)) == {"url": playground.url, "token": playground.token}
                assert "connect-src 'self' http://127.0.0.1:20001;" in index.headers["Content-Security-Policy"]
                assert index.headers["Cache-Control"] == "no-cache"
    assert playground.token not in repr(playground)


async def test_elsewhere_there_is_no_trace_of_a_playground(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as index:
        assert "playground" not in await index.text()
        assert "connect-src 'self';" in index.headers["Content-Security-Policy"]


async def test_the_page_is_told_of_its_issuer_and_may_reach_the_origins_of_that(folder: Path) -> None:
    (folder / "index.html").write_text("<head><title>x</title></head><body></body>")
    sign_in = SignIn("https://id.example.com/realms/a", 'a"client', "openid", "id_token", "sub", ("https://token.example.com/x",))
    async with (
        Gateway(pages=Pages(folder, None, sign_in)) as gateway,
        aiohttp.ClientSession(gateway.http) as http,
        http.get("/") as index,
    ):
        (told,) = re.findall(r'<meta name="causeway-oidc" content="([^"]*)" />', await index.text())
        policy = index.headers["Content-Security-Policy"]
    assert json.loads(html.unescape(told)) == {
        "authority": "https://id.example.com/realms/a",
        "client_id": 'a"client',
        "scope": "openid",
        "token": "id_token",
        "user_claim": "sub",
    }
    assert "connect-src 'self' https://id.example.com https://token.example.com;" in policy


@pytest.mark.parametrize(
    "url", ["http://id.example.com", "https://x; script-src *", "https://x 'unsafe-inline'", "javascript:1", "https://a*b"]
)
def test_an_issuer_that_a_policy_cannot_name_is_refused(url: str) -> None:
    for given in ({"authority": url, "client_id": "c"}, {"origins": [url]}):
        with pytest.raises(ValidationError):
            OidcSettings.model_validate(given)
    with pytest.raises(ValidationError, match="client_id"):
        OidcSettings(authority="https://id.example.com")


@pytest.mark.parametrize("url", ["https://example.com", "http://127.0.0.1:1; script-src *", "http://10.0.0.1:80", "127.0.0.1:1"])
def test_a_playground_is_on_this_machine_or_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="playground_url"):
        WebSettings(playground_url=url)
