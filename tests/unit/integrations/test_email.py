"""The `email` connector against a real mail server on loopback: what arrives, what is refused, what cannot be smuggled in."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.connectors import Attachment, EmailSent, SendEmail
from causeway_common.contracts.errors import CausewayError
from causeway_integrations.adapters.mail import FolderMailer, JinjaTemplates, NoTemplates, SmtpMailer
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.mail import Attached, Rendered, address_of, attach, mail_of, one_line
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome
from causeway_integrations.handlers.email import EmailConnector
from support.certificates import server_context
from support.mailbox import Mailbox
from unit.integrations.fakes import FakeRecords, claimed, work

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three people and what joins them
GOOD: dict[str, Any] = {"to": ["Ann Ö <ann@example.com>"], "subject": f"Grüße 🦆 {FAMILY}", "text": "hello"}


class Inline:
    """`ports.mail.Attachments` for bytes that stand in the message."""

    async def fetch(self, attachments: Sequence[Attachment]) -> list[Attached]:
        return [Attached(each.name, each.type, each.content) for each in attachments]


def connector(box: Mailbox, templates: Path | None = None, records: FakeRecords | None = None, **options: Any) -> EmailConnector:
    settings: dict[str, Any] = {"tls": box.tls, "username": "", "password": "", "timeout_s": 5} | options
    mailer = SmtpMailer(host="127.0.0.1", port=box.port, reveal=SecretFiles().reveal, **settings)
    made = JinjaTemplates(templates) if templates else NoTemplates()
    return EmailConnector(mailer, made, Inline(), records or FakeRecords(), sender="Shop <shop@example.com>", domain="example.com")


async def sent(email: EmailConnector, payload: dict[str, Any], key: str = "key-1") -> Outcome:
    return await email.send(work("email", "send", payload, key=key))


async def test_a_message_arrives_with_text_html_attachment_and_the_jobs_own_id() -> None:
    async with Mailbox() as box:
        payload = GOOD | {
            "html": "<p>hello</p>",
            "cc": ["bob@example.com"],
            "bcc": ["eve@example.com"],
            "reply_to": "help@example.com",
            "attachments": [{"name": "a.txt", "content": b"\x00\x01", "type": "application/x-thing"}],
        }
        outcome = await sent(connector(box), payload)

    assert outcome == Done("sent <key-1@example.com>", 250, {"message_id": "<key-1@example.com>", "refused": {}})
    (got,) = box.received
    assert (got.sender, got.recipients) == ("shop@example.com", ["ann@example.com", "bob@example.com", "eve@example.com"])
    assert got.message["Message-ID"] == "<key-1@example.com>"
    assert got.message["Subject"] == GOOD["subject"]
    assert got.message["To"].addresses[0].display_name == "Ann Ö"
    assert got.message["Reply-To"] == "help@example.com"
    assert b"eve@example.com" not in got.raw, "who gets a blind copy stands in the envelope alone"
    assert [part.get_content_type() for part in got.message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "application/x-thing",
    ]


async def test_a_repeat_has_the_same_message_id_and_date() -> None:
    """P3: by these the receiving side knows it as the same message."""
    async with Mailbox() as box:
        for _ in range(2):
            await sent(connector(box), GOOD)
        await sent(connector(box), GOOD, key="key-2")

    ids = [(got.message["Message-ID"], got.message["Date"]) for got in box.received]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
async def test_every_way_of_tls_and_the_login(tmp_path: Path, tls: str) -> None:
    context, ca = server_context(tmp_path)
    secret = tmp_path / "password"
    secret.write_text("s3cret")
    async with Mailbox(context=context, tls=tls, password="s3cret") as box:
        mailer = connector(box, username="shop", password=f"file:{secret}", ca_file=str(ca) if tls != "none" else "")
        assert isinstance(await sent(mailer, GOOD), Done)
        assert box.received[0].user == "shop"

        secret.write_text("wrong-password")
        outcome = await sent(mailer, GOOD)
        assert isinstance(outcome, Failed), "our own login is wrong: nothing that the message is to blame for"
        assert "wrong-password" not in outcome.note


async def test_a_server_whose_certificate_does_not_verify_and_one_without_starttls_get_nothing(tmp_path: Path) -> None:
    context, _ = server_context(tmp_path)
    async with Mailbox(context=context, tls="tls") as box:
        assert isinstance(await sent(connector(box), GOOD), Failed)
    async with Mailbox() as plain:
        assert isinstance(await sent(connector(plain, tls="starttls"), GOOD), Failed)

    assert not box.received
    assert not plain.received


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("451 later", Failed), ("421 closing", Failed), ("452 full", Failed), ("550 never", GivenUp), ("554 spam", GivenUp)],
)
async def test_what_passes_and_what_stays_are_told_apart_by_the_servers_code(answer: str, kind: type[Failed | GivenUp]) -> None:
    async with Mailbox(answers=[answer]) as box:
        outcome = await sent(connector(box), GOOD)

    assert isinstance(outcome, kind)
    assert outcome.status == int(answer[:3])


async def test_recipients_that_the_server_refuses_are_told_and_the_others_get_it() -> None:
    both = GOOD | {"to": ["ann@example.com", "gone@example.com"]}
    async with Mailbox(refuse={"gone@example.com": "550 no such user"}) as box:
        outcome = await sent(connector(box), both)
        assert isinstance(outcome, Done)
        assert outcome.reply["refused"] == {"gone@example.com": "550 no such user"}
        box.refuse["ann@example.com"] = "550 no such user"
        assert isinstance(await sent(connector(box), both), GivenUp)
        box.refuse["ann@example.com"] = "450 busy"
        assert isinstance(await sent(connector(box), both), Failed), "one of them may take it later"

    assert len(box.received) == 1


async def test_those_whom_the_server_does_not_take_right_now_get_a_job_of_their_own() -> None:
    """No recipient is lost, and none gets it twice."""
    records = FakeRecords()
    payload = GOOD | {"to": ["ann@example.com", "bob@example.com"], "bcc": ["eve@example.com"]}
    async with Mailbox(refuse={"bob@example.com": "450 busy", "eve@example.com": "451 later"}) as box:
        email = connector(box, records=records)
        for _ in range(2):
            assert isinstance(await sent(email, payload), Done)
        (name,) = records.records
        box.refuse.clear()
        assert isinstance(await email.send(await claimed(records, name)), Done)

    assert [got.recipients for got in box.received] == [
        ["ann@example.com"],
        ["ann@example.com"],
        ["bob@example.com", "eve@example.com"],
    ]
    assert box.received[-1].message["To"] == "ann@example.com, bob@example.com"
    assert b"eve@example.com" not in box.received[-1].raw


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    assert isinstance(await sent(connector(Mailbox()), GOOD), Failed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": []},
        {"to": ["ann"]},
        {"to": ["ann@example.com\r\nBcc: eve@example.com"]},
        {"to": ["Ann\r\nBcc: eve@example.com <ann@example.com>"]},
        {"to": ["ann@example.com, eve@example.com"]},
        {"to": ["ann@exa mple.com"]},
        {"to": ["<ann@example.com> <eve@example.com>"]},
        {"to": [f"a{n}@example.com" for n in range(101)]},
        {"reply_to": "a@b.example\nX: 1"},
        {"subject": "hello\r\nBcc: eve@example.com"},
        {"subject": "hello\nX: 1"},
        {"subject": "hello\u2028X: 1"},
        {"subject": "hello\x85X: 1"},
        {"subject": ""},
        {"subject": "x" * 501},
        {"text": ""},
        {"text": "x" * 300_000},
        {"attachments": [{"name": "a\r\nb", "content": b""}]},
        {"attachments": [{"name": "../../etc/passwd", "content": b""}]},
        {"attachments": [{"name": "a\u2028X: 1", "content": b""}]},
        {"attachments": [{"name": "a\x85X: 1", "content": b""}]},
        {"attachments": [{"name": "a", "type": "multipart/mixed"}]},
        {"attachments": [{"name": "a", "content": b"x", "url": "https://files.example/a"}]},
        {"attachments": [{"name": "a", "url": "https://files.example/a", "file": "a"}]},
        {"attachments": [{"name": f"{n}"} for n in range(21)]},
        {"attachments": [{"name": "a", "content": b"", "type": "text/html\r\nX: 1"}]},
        {"attachments": [{"name": "a", "content": b"x" * 200_000}]},
        {"to": "ann@example.com"},
        {"only": ["somebody@example.com"]},
        {"template": "welcome"},
        {"template": "../secrets"},
    ],
)
async def test_a_message_that_is_none_is_refused_and_nothing_is_smuggled_in(wrong: dict[str, Any]) -> None:
    async with Mailbox() as box:
        with pytest.raises(CausewayError) as caught:
            await sent(connector(box), GOOD | wrong)

    assert caught.value.code == 107
    assert not box.received


@given(
    name=st.text(max_size=40),
    subject=st.text(min_size=1, max_size=60),
    body=st.text(min_size=1, max_size=100),
    file=st.one_of(st.just("a.txt"), st.text(min_size=1, max_size=40)),
)
def test_whatever_a_user_is_called_no_header_is_added(name: str, subject: str, body: str, file: str) -> None:
    """The headers of what goes out are ours, whatever stands in names, subjects, bodies and the names of files."""
    request = SendEmail(to=[f"{name} <ann@example.com>"], attachments=[Attachment(name=file, content=b"x")])
    try:
        rendered = Rendered(one_line(subject), body, body)
        mail = mail_of(request, rendered, sender="shop@example.com", message_id="<k@example.com>", date_ms=0)
        attach(mail.message, [Attached(file, "text/csv", b"x")])
        raw = bytes(mail.message)
    except CausewayError:
        return
    assert mail.recipients == ("ann@example.com",)
    back = message_from_bytes(raw, policy=default)
    assert set(back.keys()) == {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
    last = [*back.walk()][-1]
    assert set(last.keys()) == {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"}
    assert (last.get_content_disposition(), last.get_content_type()) == ("attachment", "text/csv")


@pytest.mark.parametrize("good", ["ann@example.com", "Ann <ann@example.com>", "o'x+tag@sub.example.com", '"A, B" <a@b.example>'])
def test_addresses_as_people_write_them(good: str) -> None:
    assert address_of(good).addr_spec in good


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    parts = {
        "welcome.subject.txt": "Welcome {{ name }}\n",
        "welcome.txt": "Hello {{ name }}\n",
        "welcome.html": "<p>Hello {{ name }}</p>",
        "escape.subject.txt": "x",
        "escape.txt": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "loop.subject.txt": "x",
        "loop.txt": "{% for i in range(999999999) %}x{% endfor %}",
        "broken.subject.txt": "x",
        "broken.txt": "{% if %}",
        "subjectless.txt": "x",
    }
    for name, text in parts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_a_template_escapes_html_and_its_subject_is_one_line(templates: Path) -> None:
    name = "<b>Eve</b>\r\nBcc: eve@example.com"
    async with Mailbox() as box:
        payload = {"to": ["ann@example.com"], "template": "welcome", "data": {"name": name}}
        assert isinstance(await sent(connector(box, templates), payload), Done)

    (got,) = box.received
    assert got.message["Subject"] == "Welcome <b>Eve</b> Bcc: eve@example.com"
    assert got.message["Bcc"] is None
    html = got.message.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html.get_content()


@pytest.mark.parametrize("template", ["escape", "loop", "broken", "subjectless", "nothing", "welcome"])
async def test_a_template_that_fails_is_given_up_with_its_reason(templates: Path, template: str) -> None:
    async with Mailbox() as box:
        with pytest.raises(CausewayError, match="template") as caught:
            await sent(connector(box, templates), {"to": ["ann@example.com"], "template": template})

    assert not caught.value.temporary
    assert not box.received


async def test_in_development_messages_are_files_and_a_repeat_is_the_same_one(tmp_path: Path) -> None:
    email = EmailConnector(
        FolderMailer(tmp_path / "mail"), NoTemplates(), Inline(), FakeRecords(), sender="dev@localhost", domain="localhost"
    )
    for key in ("key-1", "key-1", "key-2"):
        outcome = await sent(email, GOOD, key=key)
        assert isinstance(outcome, Done)
        assert EmailSent(**outcome.reply).message_id == f"<{key}@localhost>"

    files = sorted((tmp_path / "mail").iterdir())
    assert [file.name for file in files] == ["key-1.eml", "key-2.eml"]
    assert message_from_bytes(files[0].read_bytes(), policy=default)["Subject"] == GOOD["subject"]
