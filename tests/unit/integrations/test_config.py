"""The section `[integrations]`."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.runtime import SettingsError, load_settings
from causeway_integrations.config import IntegrationsSettings

GOOD = """
[integrations.webhook]
retry_schedule = ["0s", "200ms"]
allow_hosts = ["localhost"]
[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.message.created"
url = "http://localhost:9000/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[integrations.apis]]
name = "rates"
base_url = "http://localhost:9001/v1"
headers = { authorization = "MfKQ" }
[[integrations.sources]]
name = "shop"
scheme = "standard-webhooks"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"
[integrations.permissions]
chat = ["email.send", "http.*"]
[integrations.connectors.fax]
token = "MfKQ"
allow_hosts = ["localhost"]
[integrations.email]
host = "localhost"
sender = "Chat <chat@example.com>"
"""


def load(tmp_path: Path, text: str, **env: str) -> IntegrationsSettings:
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    return load_settings(IntegrationsSettings, service="integrations", section="integrations", path=path, env=env)


def test_a_good_file_is_read_and_its_secret_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD, CAUSEWAY_INTEGRATIONS_WEBHOOK__ALLOW_HOSTS='["127.0.0.1"]')

    assert settings.webhook.retry_schedule == [0, 200]
    assert len(settings.apis[0].retry_schedule) == 5
    assert settings.webhook.allow_hosts == ["127.0.0.1"]
    assert settings.webhook.endpoints[0].endpoint().url == "http://localhost:9000/hook"
    assert "MfKQ" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("http://localhost:9000/hook", "ftp://localhost/", "http:// or https://"),
        ("http://localhost:9000/hook", "http://user:pw@localhost/", "no user, password"),
        ("http://localhost:9000/hook", "http://localhost/a b", "space"),
        ("http://localhost:9000/hook", "http://localhost:0/", "port"),
        ("http://localhost:9000/hook", "http://localhost:99999/", "ort"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_ and base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_ and base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_ and base64"),
        ('app = "chat"', 'app = "Chat.App"', "lower-case"),
        ('"200ms"', '"soon"', "duration"),
        ('["0s", "200ms"]', '["1s"]', "the first of them"),
        ('["0s", "200ms"]', "[]", "1 to 100 delays"),
        ("http://localhost:9001/v1", "http://localhost:9001/?key=x", "no user, query"),
        ('name = "rates"', 'name = "Rates"', "lower-case"),
        ('authorization = "MfKQ"', 'authorization = "MfKQ\\nX: 1"', "control character"),
        ('authorization = "MfKQ"', 'host = "MfKQ"', "no header that can be set"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", "whpk_MfKQ", "whsec_"),
        ('"standard-webhooks"', '"pgp"', "github"),
        ('"email.send"', '"email"', "no operation"),
        ("Chat <chat@example.com>", "chat", "e-mail address"),
        ('sender = "Chat <chat@example.com>"', "", "email.sender is needed"),
        ("allow_hosts", "allow_host", "did you mean allow_hosts"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load(tmp_path, GOOD.replace(old, new))

    assert "MfKQ" not in str(caught.value)


def test_an_endpoint_stands_there_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="same app, event and url"):
        load(tmp_path, GOOD + GOOD[GOOD.index("[[") : GOOD.index("[[integrations.apis")])


@pytest.mark.parametrize("what", ["apis", "sources"])
def test_two_of_one_name_are_refused(tmp_path: Path, what: str) -> None:
    start = GOOD.index(f"[[integrations.{what}")
    end = GOOD.index("[", start + 2)
    with pytest.raises(SettingsError, match="same name"):
        load(tmp_path, GOOD + GOOD[start:end])


def test_the_examples_of_the_page_are_valid(tmp_path: Path) -> None:
    """Every TOML block of docs/integrations.md can be used as it stands."""
    page = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]

    assert len(blocks) >= 5
    for block in blocks:
        load(tmp_path, block)
