"""Attachments by reference: a real HTTP server and a folder give the bytes, a real mail server gets them; limits, types, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from causeway_common.contracts.errors import CausewayError
from causeway_integrations.adapters.attachments import FetchedAttachments
from causeway_integrations.adapters.http import OutsideHttp
from causeway_integrations.adapters.mail import NoTemplates, SmtpMailer
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.handlers.email import FETCHING_MAX, EmailConnector
from support.mailbox import Mailbox
from support.peers import Peer
from unit.integrations.fakes import FakeRecords, work

PDF = b"%PDF-1.7 receipt"
EACH, ALL = 1000, 1500
GOOD: dict[str, Any] = {"to": ["ann@example.com"], "subject": "Receipt", "text": "attached"}


@dataclass
class Files(Peer):
    """A server of files; `/redirect`, `/drip`, `/hang`, `/broken`, `/packed` do what their names say, `/N` answers with that status."""

    asked: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/{name}", self._get)]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        match name:
            case "receipt.pdf":
                return web.Response(body=PDF, content_type="application/pdf")
            case "page.html":
                return web.Response(text="<p>sign in</p>", content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": "/receipt.pdf"})
            case "packed":
                return web.Response(body=PDF, headers={"Content-Encoding": "gzip", "Content-Type": "application/pdf"})
            case "injected":
                return web.Response(body=PDF, headers={"Content-Type": 'application/pdf; name="a\\r\\nBcc: eve@example.com"'})
            case "hang":
                await self.released.wait()
            case "broken" | "huge" | "drip":
                return await self._stream(request, name)
            case _ if name.startswith("x"):
                return web.Response(body=b"x" * int(name[1:]), content_type="text/plain")
            case _:
                pass
        return web.Response(status=int(name), headers={"Retry-After": "7"})

    async def _stream(self, request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        if name == "broken":
            response.content_length = 500
        await response.prepare(request)
        try:
            for _ in range(1 << 14 if name != "broken" else 1):
                await response.write(b"x" * (65_536 if name == "huge" else 10))
                await asyncio.sleep(0.02 if name == "drip" else 0)
        except ConnectionError:
            pass  # the fetcher closed on us, as it should
        assert request.transport
        request.transport.close()
        return response


@dataclass
class Office:
    """The connector between the two servers."""

    files: Files
    box: Mailbox
    email: EmailConnector

    async def send(self, *attachments: dict[str, Any]) -> Outcome:
        return await self.email.send(work("email", "send", GOOD | {"attachments": list(attachments)}))

    def of(self, path: str, **more: Any) -> dict[str, Any]:
        return {"name": "receipt.pdf", "url": f"{self.files.url}/{path}"} | more


@asynccontextmanager
async def office(
    folder: Path | None = None, *, hosts: tuple[str, ...] = ("127.0.0.1",), private: bool = True
) -> AsyncIterator[Office]:
    outside = OutsideHttp(timeout_s=5, allowed=frozenset({"127.0.0.1"} if private else ()), connections=4, user_agent="test/1")
    await outside.start()
    files = Files()
    try:
        async with files, Mailbox() as box:
            fetched = FetchedAttachments(
                outside, hosts=frozenset(hosts), folder=folder, each_max=EACH, all_max=ALL, timeout_s=0.5, now_ms=lambda: 0
            )
            mailer = SmtpMailer(
                host="127.0.0.1", port=box.port, tls="none", username="", password="", timeout_s=5, reveal=SecretFiles().reveal
            )
            made = EmailConnector(mailer, NoTemplates(), fetched, FakeRecords(), sender="shop@example.com", domain="example.com")
            yield Office(files, box, made)
            files.released.set()
    finally:
        await outside.stop()


async def test_a_url_and_a_file_arrive_as_attachments_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms" / "en.txt").write_bytes(b"terms")
    async with office(tmp_path) as at:
        parts = [
            at.of("receipt.pdf", type="application/pdf"),
            {"name": "terms.txt", "file": "terms/en.txt", "type": "text/plain"},
            {"name": "note.bin", "content": b"\x00"},
            at.of("page.html", name="page.html"),
        ]
        assert isinstance(await at.send(*parts), Done)

    (got,) = at.box.received
    found = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in got.message.iter_attachments()
    ]
    assert found == [
        ("receipt.pdf", "application/pdf", PDF),
        ("terms.txt", "text/plain", b"terms"),
        ("note.bin", "application/octet-stream", b"\x00"),
        ("page.html", "text/html", b"<p>sign in</p>"),
    ]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("404", GivenUp, "answered 404"),
        ("410", GivenUp, "answered 410"),
        ("403", GivenUp, "answered 403"),
        ("redirect", GivenUp, "answered 302"),
        ("page.html", GivenUp, "sends text/html, not application/pdf"),
        ("packed", GivenUp, "packs it"),
        ("x1001", GivenUp, "at most 1000 bytes"),
        ("huge", GivenUp, "at most 1000 bytes"),
        ("503", Failed, "answered 503"),
        ("429", Failed, "answered 429"),
        ("broken", Failed, "broke off"),
        ("hang", Failed, "within 0.5 s"),
        ("drip", Failed, ""),
    ],
)
async def test_what_is_gone_is_given_up_and_what_is_away_is_tried_again(
    name: str, kind: type[Failed | GivenUp], words: str
) -> None:
    async with office() as at:
        outcome = await at.send(at.of(name, type="application/pdf"))

    assert isinstance(outcome, kind)
    assert words in outcome.note
    assert at.files.url not in outcome.note, "a URL may hold a secret"
    assert not at.box.received, "no e-mail goes without what belongs to it"
    if name == "503":
        assert isinstance(outcome, Failed)
        assert (outcome.status, outcome.retry_after_ms) == (503, 7000)


async def test_a_source_that_is_not_there_is_tried_again() -> None:
    async with office() as at:
        await at.files.stop()
        assert isinstance(await at.send(at.of("receipt.pdf")), Failed)


async def test_all_attachments_of_an_email_have_a_limit_together() -> None:
    async with office() as at:
        assert isinstance(await at.send(at.of("x900", name="a"), at.of("x600", name="b")), Done)
        outcome = await at.send(at.of("x900", name="a"), at.of("x601", name="b"))
        assert isinstance(outcome, GivenUp)
        outcome = await at.send(at.of("x900", name="a"), {"name": "b", "content": b"x" * 601})
        assert isinstance(outcome, GivenUp)
        assert "all together 1500" in outcome.note


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/a",
        "http://127.0.0.1.example/a",
        "file:///etc/passwd",
        "http://user:password@127.0.0.1/a",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX: 1",
        "ftp://127.0.0.1/a",
    ],
)
async def test_a_url_that_no_attachment_may_have_is_refused_and_nothing_is_asked(url: str) -> None:
    async with office() as at:
        with pytest.raises(CausewayError) as caught:
            await at.send(at.of("receipt.pdf"), {"name": "a", "url": url})

    assert caught.value.code == 107
    assert not at.files.asked


async def test_an_address_that_is_not_public_is_refused_though_any_host_may_be_named() -> None:
    async with office(hosts=("*",), private=False) as at:
        outcome = await at.send(at.of("receipt.pdf"))

    assert isinstance(outcome, GivenUp)
    assert "not public" in outcome.note
    assert not at.files.asked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    (made / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("s3cret")
    (made / "link").symlink_to(tmp_path / "secret")
    return made


@pytest.mark.parametrize("file", ["../secret", "sub/../../secret", "/etc/passwd", "link"])
async def test_no_file_above_the_folder_is_attached(folder: Path, file: str) -> None:
    async with office(folder) as at:
        with pytest.raises(CausewayError, match="not below the folder"):
            await at.send({"name": "a", "file": file})

    assert not at.box.received


@pytest.mark.parametrize("file", ["nothing", "sub", "sub/nothing/else", "a\0b"])
async def test_a_file_that_is_not_there_is_given_up(folder: Path, file: str) -> None:
    async with office(folder) as at:
        assert isinstance(await at.send({"name": "a", "file": file}), GivenUp)
    async with office() as at:
        with pytest.raises(CausewayError, match="attachment_folder"):
            await at.send({"name": "a", "file": file})

    assert not at.box.received


async def test_what_a_source_says_of_its_type_cannot_add_a_header() -> None:
    async with office() as at:
        assert isinstance(await at.send(at.of("injected")), Done)

    (part,) = at.box.received[0].message.iter_attachments()
    assert part.get_content_type() == "application/pdf"
    assert b"Bcc" not in at.box.received[0].raw


async def test_so_many_are_fetched_at_once_and_the_others_wait_in_their_records() -> None:
    async with office() as at:
        waiting = [asyncio.create_task(at.send(at.of("hang"))) for _ in range(FETCHING_MAX)]
        async with asyncio.timeout(5):
            while len(at.files.asked) < FETCHING_MAX:
                await asyncio.sleep(0.01)
        assert isinstance(await at.send(at.of("receipt.pdf")), Postponed)
        assert isinstance(await at.send({"name": "a", "content": b"x"}), Done), "nothing is fetched for it"
        assert all(isinstance(each, Failed) for each in await asyncio.gather(*waiting))
        assert isinstance(await at.send(at.of("receipt.pdf")), Done)
