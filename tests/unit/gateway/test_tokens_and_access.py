"""Who is let in, and who may do what."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
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
    TokenRules,
    Tokens,
    TokenSubscription,
    public_key,
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
        ({"exp": SECOND + 5, "expire_at": None}, Granted("ann", None, NOW + 5000)),
        ({"exp": 0}, Expired()),
        ({"exp": 0.0001}, Expired()),
        ({"exp": 0, "expire_at": 0}, Expired()),
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


def pem(private: Any) -> str:
    encoded: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
EC384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
FAMILIES: list[tuple[str, Any, dict[str, str]]] = [
    *((f"RS{size}", RSA, {"rsa_public_key": pem(RSA)}) for size in (256, 384, 512)),
    ("ES256", EC, {"ecdsa_public_key": pem(EC)}),
    ("ES384", EC384, {"ecdsa_public_key": pem(EC384)}),
    ("EdDSA", ED, {"eddsa_public_key": pem(ED)}),
]


@pytest.mark.parametrize(("algorithm", "private", "keys"), FAMILIES, ids=[each[0] for each in FAMILIES])
def test_public_keys_verify_their_own_family_and_no_other(algorithm: str, private: Any, keys: dict[str, Any]) -> None:
    signed = jwt.encode({"sub": "ann"}, private, algorithm)

    assert Tokens(TokenRules(**keys)).verify(signed, NOW) == Granted("ann", None, None)
    assert isinstance(Tokens(KEY).verify(signed, NOW), Invalid)
    assert isinstance(Tokens(TokenRules(**keys)).verify(token("ann"), NOW), Invalid)
    head, _, signature = signed.split(".")
    forged = base64.urlsafe_b64encode(b'{"sub":"eve"}').decode().rstrip("=")
    assert isinstance(Tokens(TokenRules(**keys)).verify(f"{head}.{forged}.{signature}", NOW), Invalid)


def test_a_public_key_is_never_an_hmac_secret() -> None:
    """The classic confusion: HS256 with the text of the public key as its secret."""
    text = pem(RSA)
    head, payload = (base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"HS256"}', b'{"sub":"eve"}'))
    signed = head + b"." + payload
    mac = base64.urlsafe_b64encode(hmac.digest(text.encode(), signed, "sha256")).rstrip(b"=")

    assert isinstance(Tokens(TokenRules(rsa_public_key=text)).verify((signed + b"." + mac).decode(), NOW), Invalid)


def test_the_previous_secret_holds_until_its_time() -> None:
    old = token("ann", key="the previous key of the tests, long enough")
    rules = TokenRules(KEY, "the previous key of the tests, long enough", NOW + 1000)

    assert Tokens(rules).verify(old, NOW) == Granted("ann", None, None)
    assert isinstance(Tokens(rules).verify(old, NOW + 1000), Invalid)
    assert Tokens(rules).verify(token("ann"), NOW + 1000) == Granted("ann", None, None)


@pytest.mark.parametrize(
    ("rules", "claims", "good"),
    [
        ({"audience": "us"}, {"aud": "us"}, True),
        ({"audience": "us"}, {"aud": ["them", "us"]}, True),
        ({"audience": "us"}, {"aud": "them"}, False),
        ({"audience": "us"}, {}, False),
        ({"audience_regex": "u."}, {"aud": "us"}, True),
        ({"audience_regex": "u."}, {"aud": "usa"}, False),
        ({"issuer": "me"}, {"iss": "me"}, True),
        ({"issuer": "me"}, {"iss": "you"}, False),
        ({"issuer_regex": "m.*"}, {"iss": "me"}, True),
        ({"issuer_regex": "m.*"}, {}, False),
    ],
)
def test_tokens_are_for_us_and_from_whom_we_trust(rules: dict[str, Any], claims: dict[str, Any], good: bool) -> None:
    assert isinstance(Tokens(TokenRules(KEY, **rules)).verify(token("ann", **claims), NOW), Granted) is good


def test_the_users_claim_and_the_clocks_difference_are_configured() -> None:
    assert Tokens(TokenRules(KEY, user_id_claim="uid")).verify(token("ann", uid="17"), NOW) == Granted("17", None, None)
    late = token("ann", exp=SECOND - 4)
    assert Tokens(TokenRules(KEY, skew_ms=5000)).verify(late, NOW) == Granted("ann", None, NOW + 1000)
    assert Tokens(TokenRules(KEY, skew_ms=3000)).verify(late, NOW) == Expired()


@pytest.mark.parametrize("text", ["", "no pem", pem(EC)])
def test_a_key_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="it is no"):
        public_key(text, "RS")
