"""The section `[integrations]`."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.runtime import SettingsError, load_settings
from causeway_integrations.config import IntegrationsSettings

GOOD = """
[integrations.webhook]
retry_initial = "200ms"
allow_hosts = ["localhost"]
[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.message.created"
url = "http://localhost:9000/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""


def load(tmp_path: Path, text: str, **env: str) -> IntegrationsSettings:
    path = tmp_path / "causeway.toml"
    path.write_text(text)
    return load_settings(IntegrationsSettings, service="integrations", section="integrations", path=path, env=env)


def test_a_good_file_is_read_and_its_secret_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD, CAUSEWAY_INTEGRATIONS_WEBHOOK__ALLOW_HOSTS='["127.0.0.1"]')

    assert settings.webhook.retry_initial == 200
    assert settings.webhook.max_attempts == 5
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
        ("allow_hosts", "allow_host", "did you mean allow_hosts"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load(tmp_path, GOOD.replace(old, new))

    assert "MfKQ" not in str(caught.value)


def test_an_endpoint_stands_there_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="same app, event and url"):
        load(tmp_path, GOOD + GOOD[GOOD.index("[[") :])
