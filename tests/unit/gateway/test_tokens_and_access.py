"""Who is let in, and who may do what."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.messages import NamespaceSpec
from causeway_gateway.adapters.origins import origin_allowed
from causeway_gateway.domain.access import Decision, may_publish, may_read_history, may_subscribe
from causeway_gateway.domain.tokens import (
    LIFETIME_MAX_MS,
    Expired,
    Granted,
    GrantedSubscription,
    Invalid,
    Override,
    Tokens,
    TokenSubscription,
)
from unit.gateway.fakes import KEY, token

NOW = 1_700_000_000_000
SECOND = NOW // 1000


def verdict(**claims: Any) -> Any:
    return Tokens(KEY).verify(token(**{"user": "ann", **claims}), NOW)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_hmac_tokens_are_taken(algorithm: str) -> None:
    assert verdict(algorithm=algorithm) == Granted("ann", None, None)


def test_a_key_of_any_length_is_taken_without_a_word() -> None:
    """The one warning is at start; warnings are errors here."""
    signature = jwt.PyJWS().encode(b'{"sub":"ann"}', "x" * 32, "HS256")
    assert Tokens("x" * 32).verify(signature, NOW) == Granted("ann", None, None)

    with pytest.warns(UserWarning, match="below"):
        short = jwt.encode({"sub": "ann"}, "short", "HS256")
    assert Tokens("short").verify(short, NOW) == Granted("ann", None, None)


def test_the_header_does_not_choose_the_algorithm() -> None:
    unsigned = ".".join(
        [
            *(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, {"sub": "x"})),
            "",
        ]
    )

    assert isinstance(Tokens(KEY).verify(unsigned, NOW), Invalid)
    assert isinstance(verdict(key="another key of the tests, long too!"), Invalid)
    assert isinstance(Tokens("").verify(token("ann"), NOW), Invalid)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": SECOND + 1}, Granted("ann", None, NOW + 1000)),
        ({"exp": SECOND}, Expired()),
        ({"nbf": SECOND + 1}, Expired()),
        ({"nbf": SECOND}, Granted("ann", None, None)),
        ({"exp": SECOND + 5, "expire_at": 0}, Granted("ann", None, None)),
        ({"expire_at": SECOND + 9}, Granted("ann", None, NOW + 9000)),
        ({"exp": SECOND + 10**9}, Granted("ann", None, NOW + LIFETIME_MAX_MS)),
        ({"info": {"name": "Ann \u00e4"}}, Granted("ann", '{"name":"Ann \u00e4"}'.encode(), None)),
        ({"b64info": base64.b64encode(b'{"a": 1}').decode()}, Granted("ann", b'{"a": 1}', None)),
        ({"channels": ["a", "b"]}, Granted("ann", None, None, {"a": TokenSubscription(), "b": TokenSubscription()})),
        (
            {"subs": {"a": {"info": 1, "override": {"presence": {"value": True}}}}, "channels": ["b"]},
            Granted("ann", None, None, {"a": TokenSubscription(b"1", None, Override(presence=True))}),
        ),
        ({"jti": "j", "iat": SECOND, "meta": {"a": 1}}, Granted("ann", None, None, {}, b'{"a":1}', "j", NOW)),
    ],
)
def test_claims_mean_what_the_protocol_says(claims: dict[str, Any], expected: object) -> None:
    assert verdict(**claims) == expected


@pytest.mark.parametrize(
    "claims",
    [
        *({"subs": value} for value in ([1], {"a": 1}, "x")),
        *({"channels": value} for value in ({"a": 1}, [1], "x")),
        *({"subs": {"a": {"override": value}}} for value in ("x", {"presence": 1}, {"presence": {"value": "x"}})),
        {"jti": 5},
        {"channel": "a"},
        {"sub": 5},
        {"exp": "soon"},
        {"exp": True},
        {"b64info": "?"},
        {"b64info": "eA=="},
        {"exp": 1e400},
    ],
)
def test_claims_that_make_no_sense_are_invalid(claims: dict[str, Any]) -> None:
    signed = jwt.PyJWS().encode(json.dumps({"sub": "ann", **claims}).encode(), KEY, "HS256")

    assert isinstance(Tokens(KEY).verify(signed, NOW), Invalid)


def test_a_subscription_token_is_for_its_user_and_channel() -> None:
    def of(**claims: Any) -> Any:
        return Tokens(KEY).verify_subscription(token("ann", **claims), NOW)

    expected = GrantedSubscription("ann", "a", "c", b"1", NOW + 5000, b"2", Override(force_recovery=True), "j", NOW)
    override = {"force_recovery": {"value": True}}
    full = of(channel="a", client="c", info=1, data=2, exp=SECOND + 5, override=override, jti="j", iat=SECOND)
    assert full == expected
    assert isinstance(of(), Invalid)
    assert of(channel="a", exp=SECOND) == Expired()


@given(st.text(max_size=60) | st.builds(lambda *parts: ".".join(parts), *[st.text("eyJ0ABab_-9", max_size=20)] * 3))
def test_any_text_as_a_token_has_a_verdict(text: str) -> None:
    assert isinstance(Tokens(KEY).verify(text, NOW), Invalid)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_signed_payload_has_a_verdict(payload: Any) -> None:
    signed = jwt.PyJWS().encode(json.dumps(payload).encode(), KEY, "HS256")
    assert Tokens(KEY).verify(signed, NOW) is not None


BITS = list(itertools.product([False, True], repeat=5))


@pytest.mark.parametrize(("client", "anonymous", "subscriber", "subscribed", "known"), BITS)
def test_publish_and_history_rights_are_this_table(
    client: bool, anonymous: bool, subscriber: bool, subscribed: bool, known: bool
) -> None:
    spec = NamespaceSpec(
        name="n",
        allow_publish_for_client=client,
        allow_publish_for_anonymous=anonymous,
        allow_publish_for_subscriber=subscriber,
        allow_history_for_client=client,
        allow_history_for_anonymous=anonymous,
        allow_history_for_subscriber=subscriber,
    )
    user = "ann" if known else ""
    expected = (known or anonymous) and (client or (subscriber and subscribed))

    for may in (may_publish, may_read_history):
        assert may(spec, user, subscribed=subscribed, insecure=False) is expected
        assert may(spec, user, subscribed=subscribed, insecure=True) is True


@pytest.mark.parametrize(
    ("options", "channel", "user", "insecure", "expected"),
    [
        ({}, "n:a", "ann", False, Decision.DENY),
        ({"allow_subscribe_for_client": True}, "n:a", "ann", False, Decision.ALLOW),
        ({"allow_subscribe_for_client": True}, "n:a", "", False, Decision.DENY),
        ({"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}, "n:a", "", False, Decision.ALLOW),
        ({"allow_subscribe_for_anonymous": True}, "n:a", "", False, Decision.DENY),
        ({"allow_subscribe_for_client": True}, "$n:a", "ann", False, Decision.DENY),
        ({"allow_subscribe_for_client": True, "subscribe_hook": True}, "n:a", "ann", False, Decision.ASK),
        ({"subscribe_hook": True}, "$n:a", "ann", False, Decision.DENY),
        ({"subscribe_hook": True}, "n:a", "", True, Decision.ALLOW),
        ({}, "$n:a", "", True, Decision.ALLOW),
    ],
)
def test_subscribe_rights_are_this_table(
    options: dict[str, Any], channel: str, user: str, insecure: bool, expected: Decision
) -> None:
    assert may_subscribe(NamespaceSpec(name="n", **options), channel, user, insecure=insecure) is expected


@pytest.mark.parametrize(
    ("origin", "allowed", "expected"),
    [
        (None, [], True),
        ("http://here:8000", [], True),
        ("http://HERE:8000", [], True),
        ("http://here", [], False),
        ("http://[", [], False),
        ("null", [], False),
        ("https://app.example.com", ["https://*.example.com"], True),
        ("https://example.org", ["https://*.example.com"], False),
        ("https://anything", ["*"], True),
    ],
)
def test_origins(origin: str | None, allowed: list[str], expected: bool) -> None:
    assert origin_allowed(origin, "here:8000", allowed) is expected
