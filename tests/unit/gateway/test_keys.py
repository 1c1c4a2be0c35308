"""Key sets: what is taken from one, when it is fetched, and what an unknown key id costs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import JwksReply
from causeway_gateway.adapters.clock import TaskGroup
from causeway_gateway.domain import keyset
from causeway_gateway.domain.tokens import Granted, Invalid, KeyMissing, TokenRules, Tokens
from causeway_gateway.handlers.keys import UNKNOWN_EVERY_MS, Keys
from unit.gateway.fakes import token
from unit.gateway.test_feeds import Clock

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
NOW = 1_700_000_000_000


def jwk(kid: str, private: Any, **more: Any) -> dict[str, Any]:
    algorithm = {"RSAPrivateKey": RSAAlgorithm, "ECPrivateKey": ECAlgorithm}.get(type(private).__name__, OKPAlgorithm)
    found: dict[str, Any] = json.loads(algorithm.to_jwk(private.public_key()))  # type: ignore[attr-defined]
    return found | {"kid": kid} | more


def document(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


class Source:
    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = keys
        self.fetches = 0
        self.away = False

    async def fetch(self, url: str, deadline: Deadline) -> JwksReply:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.away:
            raise unavailable("away")
        return JwksReply(document=document(*self.keys), max_age_ms=600_000)


class World:
    def __init__(self, *keys: dict[str, Any]) -> None:
        self.source, self.clock = Source(*keys), Clock()
        self.keys = Keys(self.source, "https://id.example/jwks", self.clock, TaskGroup())
        self.tokens = Tokens(TokenRules(key_set=True), self.keys.known)

    async def verdict(self, private: Any, algorithm: str, kid: str) -> Any:
        signed = jwt.encode({"sub": "ann"}, private, algorithm, headers={"kid": kid})
        found = self.tokens.verify(signed, NOW)
        if isinstance(found, KeyMissing):
            await self.keys.need(found.kid, Deadline.after(1))
            found = self.tokens.verify(signed, NOW)
        return found


async def test_each_family_of_a_key_set_verifies_its_own_tokens() -> None:
    world = World(jwk("r", RSA), jwk("e", EC), jwk("o", ED))

    for private, algorithm, kid in ((RSA, "RS256", "r"), (EC, "ES256", "e"), (ED, "EdDSA", "o")):
        assert await world.verdict(private, algorithm, kid) == Granted("ann", None, None)
    assert isinstance(await world.verdict(RSA, "RS256", "e"), Invalid), "the key's family, not the header's"
    assert world.source.fetches == 1


async def test_a_flood_of_unknown_key_ids_costs_one_fetch_a_minute() -> None:
    world = World(jwk("r", RSA))
    for number in range(50):
        assert isinstance(await world.verdict(RSA, "RS256", f"unknown {number}"), KeyMissing)
    assert world.source.fetches == 1
    await world.clock.pass_by(UNKNOWN_EVERY_MS)
    assert isinstance(await world.verdict(RSA, "RS256", "unknown"), KeyMissing)

    assert world.source.fetches == 2


async def test_those_who_wait_share_a_fetch_and_a_rotated_key_is_found() -> None:
    world = World(jwk("old", RSA))
    verdicts = await asyncio.gather(*(world.verdict(RSA, "RS256", "old") for _ in range(20)))
    assert verdicts == [Granted("ann", None, None)] * 20
    assert world.source.fetches == 1
    world.source.keys = (jwk("new", EC),)
    await world.clock.pass_by(UNKNOWN_EVERY_MS)

    assert await world.verdict(EC, "ES256", "new") == Granted("ann", None, None)
    assert isinstance(await world.verdict(RSA, "RS256", "old"), KeyMissing), "a key that was taken out is good no more"


async def test_known_keys_stay_good_while_the_endpoint_is_away_and_it_is_tried_again() -> None:
    world = World(jwk("r", RSA))
    await world.verdict(RSA, "RS256", "r")
    world.source.away = True
    await world.clock.pass_by(600_000)
    assert world.source.fetches == 2
    assert await world.verdict(RSA, "RS256", "r") == Granted("ann", None, None)
    await world.clock.pass_by(10_000)

    assert world.source.fetches == 3


@pytest.mark.parametrize("text", [b"", b"[]", b'{"keys":1}', document(*[{"kty": "RSA"}] * 101)])
def test_what_is_no_key_set_is_told(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"key set|Expecting value"):
        keyset.parse(text)


def test_private_symmetric_foreign_and_broken_keys_are_left_out() -> None:
    private = json.loads(RSAAlgorithm.to_jwk(RSA)) | {"kid": "private"}
    odd = [{"kty": "oct", "k": "AAAA", "kid": "secret"}, {"kty": "RSA", "kid": "broken"}, {"kty": "RSA"}, 5]
    found = keyset.parse(document(private, jwk("enc", RSA, use="enc"), *odd, jwk("good", EC)))  # type: ignore[arg-type]

    assert list(found) == ["good"]


def test_hmac_tokens_need_no_key_set() -> None:
    assert isinstance(Tokens(TokenRules(key_set=True)).verify(token("ann"), NOW), Invalid)
