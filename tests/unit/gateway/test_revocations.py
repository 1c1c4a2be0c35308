"""Tokens that are good no more, and when that is news."""

from __future__ import annotations

import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import Revocation
from causeway_gateway.domain.revocations import Revocations
from causeway_gateway.domain.tokens import Granted, Invalid
from causeway_gateway.handlers.identity import Identity
from unit.gateway.fakes import token, tokens

NOW = 1_700_000_000_000
NAMED = [Revocation(user="ann", issued_before_ms=NOW), Revocation(client="c"), Revocation(jti="j")]


async def no_key(kid: str, _deadline: Deadline) -> None:
    raise AssertionError(kid)


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.kept = Revocations()
        self.identity = Identity(
            connection=tokens(),
            subscription=tokens(),
            revocations=self.kept,
            need_key=no_key,
            need_channel_key=no_key,
            wall=lambda: self.now,
        )

    def good(self) -> bool:
        verdict = self.identity.connection_now(token("ann", jti="j", iat=NOW // 1000 - 1), "c")
        assert isinstance(verdict, Granted | Invalid)
        return isinstance(verdict, Granted)


def until(revocation: Revocation, expire_at_ms: int) -> Revocation:
    fields = {name: getattr(revocation, name) for name in Revocation.__struct_fields__}
    return Revocation(**{**fields, "expire_at_ms": expire_at_ms})


@pytest.mark.parametrize("revocation", NAMED)
def test_a_revocation_is_news_once_however_often_its_bucket_is_read(revocation: Revocation) -> None:
    world = World()
    assert world.good()
    assert [world.identity.revoke(revocation) for _ in range(3)] == [True, False, False]
    assert not world.good()
    assert world.identity.revoke(until(revocation, NOW + 1000))


@pytest.mark.parametrize("revocation", NAMED)
def test_a_revocation_that_is_over_is_no_news_and_forgotten(revocation: Revocation) -> None:
    world, ending = World(), until(revocation, NOW + 1000)
    assert world.identity.revoke(ending)
    world.now = NOW + 1000
    assert world.good()
    world.identity.forget()
    assert len(world.kept) == 0
    assert not world.identity.revoke(ending)
    assert world.good()
