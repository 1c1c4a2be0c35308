"""Several gateways as one: a verb is done when every living one has answered, and presence is never a shorter list without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.ids import user_digest
from causeway_gateway.adapters.clock import WheelTimers
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.ports import GoneError

Answer = Callable[[str, Any], Any]
KICK = m.DisconnectUser(user="ann", code=3503, reason="force disconnect")


class Several:
    """`ports.Gateways`: what each of them answers; one that is in none of the lists is dead."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers, self.asked = answers, list[tuple[str, str]]()

    def living(self) -> list[str]:
        return list(self.answers)

    def __getattr__(self, verb: str) -> Any:
        async def ask(node: str, request: Any, deadline: Deadline) -> Any:
            self.asked.append((verb, node))
            await asyncio.sleep(0)
            return self.answers[node](verb, request)

        return ask


def person(user: str, client: str) -> m.ClientInfo:
    return m.ClientInfo(user=user, client=client)


def here(*people: m.ClientInfo) -> Answer:
    def answer(verb: str, _request: Any) -> Any:
        return {
            "control": m.ControlReply(clients=len(people)),
            "presence": m.PresenceReply(clients=list(people), total=len(people)),
            "presence_stats": m.PresenceStatsReply(
                clients=len(people), users=[user_digest(user) for user in {each.user for each in people}]
            ),
        }[verb]

    return answer


def away(_verb: str, _request: Any) -> Any:
    raise unavailable("no answer in time")


def gone(_verb: str, _request: Any) -> Any:
    raise GoneError(ErrorName.UNAVAILABLE)


def cluster(**answers: Answer) -> tuple[Cluster, Several]:
    several = Several(answers)
    return Cluster(several, WheelTimers(), presence_max=3), several


async def test_a_control_verb_is_done_when_every_living_gateway_has_answered() -> None:
    found, several = cluster(n1=here(person("ann", "c1")), n2=here(person("ann", "c2"), person("ann", "c3")))

    assert await found.control(KICK, Deadline.after(1)) == 3
    assert several.asked == [("control", "n1"), ("control", "n2")]


async def test_a_control_verb_while_a_gateway_is_away_is_told_and_not_half_done_in_silence() -> None:
    """It lives, says its heartbeat, and does not answer: the caller must know, and ask again."""
    found, several = cluster(n1=here(person("ann", "c1")), n2=away)

    with pytest.raises(CausewayError) as raised:
        await found.control(KICK, Deadline.after(1))
    assert (raised.value.code, raised.value.temporary) == (100, True)
    several.answers["n2"] = here(person("ann", "c2"))
    assert await found.control(KICK, Deadline.after(1)) == 2


async def test_a_gateway_that_is_no_more_has_nothing_to_carry_out() -> None:
    found, _ = cluster(n1=here(person("ann", "c1")), n2=gone)

    assert await found.control(KICK, Deadline.after(1)) == 1


async def test_presence_is_all_gateways_or_an_error_and_never_a_shorter_list() -> None:
    found, several = cluster(n1=here(person("ann", "c1")), n2=here(person("bob", "c2")), n3=gone)
    assert set(await found.presence("open:a", Deadline.after(1))) == {"c1", "c2"}
    several.answers["n2"] = away

    assert set(await found.presence("open:a", Deadline.after(1))) == {"c1", "c2"}, "kept for a second"
    with pytest.raises(CausewayError, match="no answer"):
        await found.presence("open:b", Deadline.after(1))


async def test_a_thousand_who_ask_at_once_cost_one_question_to_each_gateway() -> None:
    found, several = cluster(n1=here(), n2=here())
    await asyncio.gather(*(found.presence("open:a", Deadline.after(1)) for _ in range(1000)))

    assert several.asked == [("presence", "n1"), ("presence", "n2")]


async def test_more_clients_than_may_be_listed_are_106_and_the_statistics_count_them_all() -> None:
    crowd = [person(user, f"c{number}") for number, user in enumerate(("", "", "ann", "ann"))]
    found, _ = cluster(n1=here(*crowd[:2]), n2=here(*crowd[2:]))
    with pytest.raises(CausewayError) as raised:
        await found.presence("open:a", Deadline.after(1))

    assert raised.value.code == 106
    assert await found.presence_stats("open:a", Deadline.after(1)) == (4, 2), "the anonymous count as one user"


def channels(*pages: tuple[dict[str, int], bool]) -> Answer:
    """A gateway whose first page of channels is this."""

    def answer(_verb: str, _request: Any) -> Any:
        (found, more), *_ = pages
        return m.ChannelsReply(channels=found, more=more)

    return answer


async def test_a_page_of_channels_goes_no_further_than_every_gateway_has_told() -> None:
    """Behind the last name of a cut page its gateway may have others: they would be left out, or counted in part."""
    found, _ = cluster(n1=channels(({"a": 1, "c": 1}, True)), n2=channels(({"b": 2, "c": 2, "d": 2}, False)))

    assert await found.page_of_channels("", "", 10, Deadline.after(1)) == ({"a": 1, "b": 2, "c": 3}, True)
    assert await found.page_of_channels("", "", 2, Deadline.after(1)) == ({"a": 1, "b": 2}, True)


async def test_the_largest_channels_are_those_of_all_gateways_together() -> None:
    found, _ = cluster(n1=channels(({"a": 3, "b": 2}, False)), n2=channels(({"b": 2, "c": 1}, False)))

    assert await found.largest_channels("", 2, Deadline.after(1)) == ({"b": 4, "a": 3}, True)
    assert await found.largest_channels("", 3, Deadline.after(1)) == ({"b": 4, "a": 3, "c": 1}, False)
