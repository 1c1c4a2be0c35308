"""AppTester: an app under its real handlers and storage's, as its users see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from causeway_testing import AppTester, CallError, HarnessError, NothingCameError, Received, User
from unit.testing.shop import Item, Rates, app


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        await made.user("owner").call("open_item", {"id": "tea", "left": 9})
        yield made


async def refused(user: User, method: str, data: object = None) -> tuple[int, str]:
    with pytest.raises(CallError) as caught:
        await user.call(method, data)
    return caught.value.code, caught.value.message


async def test_an_answer_is_python_and_a_refusal_is_the_clients_error(tester: AppTester) -> None:
    ann = tester.user("ann")

    assert await ann.call("buy", {"id": "tea", "count": 2}) == 2
    assert await ann.call("shop.buy", {"id": "tea"}) == 3
    assert tester.entity(Item, "tea") == Item(left=6, sold=3)
    assert await refused(ann, "buy", {"id": "tea", "count": 7}) == (409, "sold out")
    assert await refused(ann, "buy", {"id": "milk"}) == (404, "no such item")
    assert await refused(ann, "nothing") == (104, "method not found")
    code, message = await refused(ann, "buy", {"id": "tea", "count": "1"})
    assert (code, "count" in message) == (107, True)


async def test_a_handlers_own_fault_is_internal_to_the_client_and_the_cause_to_the_test(tester: AppTester) -> None:
    with pytest.raises(CallError) as caught:
        await tester.user("ann").call("fail")

    assert (caught.value.code, caught.value.temporary) == (100, True)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__.__cause__, ZeroDivisionError)


async def test_what_leaves_with_a_commit_is_there_when_the_call_returns(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await ann.subscribe("item:tea")
    await bob.call("buy", {"id": "tea"})
    await ann.call("buy", {"id": "tea"})

    assert watched.data == {"left": 9}
    assert watched.messages == [{"by": "bob", "left": 8}, {"by": "ann", "left": 7}]
    assert watched.publications[0] == Received({"by": "bob", "left": 8}, offset=1)
    assert [job.payload["to"] for job in tester.jobs] == [["bob"], ["ann"]]


async def test_next_gives_each_message_once_and_does_not_wait_for_what_will_not_come(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await ann.subscribe("item:tea")
    first = asyncio.create_task(watched.next())
    await bob.call("buy", {"id": "tea"})
    await bob.call("buy", {"id": "tea"})

    assert [(await first)["left"], (await watched.next())["left"]] == [8, 7]
    with pytest.raises(NothingCameError, match="item:tea"):
        await watched.next()


async def test_who_comes_back_gets_what_was_missed_as_far_as_the_log_reaches(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await ann.subscribe("item:tea")
    await bob.call("buy", {"id": "tea"})
    ann.disconnect()
    for _ in range(3):
        await bob.call("buy", {"id": "tea"})
    assert len(watched.messages) == 1

    assert await watched.recover()
    assert [each.offset for each in watched.publications] == [1, 2, 3, 4]
    ann.disconnect()
    for _ in range(9):  # one more than the log keeps
        await bob.call("buy", {"id": "tea", "count": 0})
    assert not await watched.recover()
    assert watched.offset == 13
    ann.disconnect()
    await bob.call("buy", {"id": "tea", "count": 0})
    await tester.advance(hours=2)  # longer than the log keeps it
    assert not await watched.recover()


async def test_the_rules_are_the_gateways(tester: AppTester) -> None:
    ann, nobody = tester.user("ann"), tester.user("")
    await ann.subscribe("item:tea")
    codes = []
    for attempt in (
        ann.subscribe("item:tea"),
        ann.subscribe("nowhere:1"),
        ann.subscribe("item:milk"),
        nobody.subscribe("mood:all"),
        ann.publish("item:tea", {}),
        ann.history("item:tea"),
        ann.presence("mood:all"),
        nobody.presence("item:tea"),
    ):
        with pytest.raises(CallError) as caught:
            await attempt
        codes.append(caught.value.code)

    assert codes == [105, 102, 404, 403, 103, 103, 108, 103]
    assert [each.user for each in (await ann.presence("item:tea")).values()] == ["ann"]
    ann.disconnect()
    with pytest.raises(HarnessError, match="ann is disconnected"):
        await ann.call("now")


async def test_what_clients_publish_goes_through_the_hook_and_its_limit(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    felt = await bob.subscribe("mood:all")
    await ann.publish("mood:all", {"mood": "well"})
    with pytest.raises(CallError) as wrong:
        await ann.publish("mood:all", {"mood": 1})
    with pytest.raises(CallError) as often:
        await ann.publish("mood:all", {"mood": "tired"})
    await tester.advance(seconds=1)
    await ann.publish("mood:all", {"mood": "fine"})

    assert felt.messages == [{"user": "ann", "mood": "well"}, {"user": "ann", "mood": "fine"}]
    assert (wrong.value.code, often.value.code) == (107, 111)


async def test_the_connect_hook_says_who_a_client_is(tester: AppTester) -> None:
    ann = await tester.connect({"name": "ann"})
    with pytest.raises(CallError) as caught:
        await tester.connect()

    assert (ann.name, ann.data, caught.value.code) == ("ann", {"hello": "ann"}, 401)
    assert await ann.call("buy", {"id": "tea"}) == 1


async def test_time_is_virtual_and_moves_for_who_waits(tester: AppTester) -> None:
    ann, began = tester.user("ann"), time.monotonic()
    assert await ann.call("now") == "2025-01-01T00:00:00+00:00"
    assert await ann.call("nap", 2.5) == "2025-01-01T00:00:02.500000+00:00"
    await tester.advance(timedelta(days=1), hours=1)
    assert tester.now() == datetime(2025, 1, 2, 1, 0, 2, 500_000, UTC)
    assert await ann.call("now") == tester.now().isoformat()
    assert (await refused(ann, "nap", 3600))[0] == 100, "a handler past its caller's deadline is cancelled"
    assert tester.now() - datetime(2025, 1, 2, 1, 0, 2, 500_000, UTC) == timedelta(seconds=4)
    with pytest.raises(HarnessError):
        await tester.advance(seconds=-1)

    assert time.monotonic() - began < 20, "a day and more have passed in no time"


async def test_calls_of_one_connection_keep_their_order_and_others_do_not_wait(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    ended: list[str] = []

    async def one(name: str, user: User, method: str, data: object) -> None:
        await user.call(method, data)
        ended.append(name)

    await asyncio.gather(
        one("long", ann, "nap", 1),
        one("behind it", ann, "now", None),
        one("concurrent", ann, "look", "tea"),
        one("other", bob, "now", None),
    )

    assert ended == ["concurrent", "other", "long", "behind it"]


async def test_a_methods_own_limit_and_timeout_hold(tester: AppTester) -> None:
    answers = await asyncio.gather(*(tester.user(name).attempt("rare", 0.5) for name in ("ann", "bob", "cem")))
    late = await tester.user("dan").attempt("rare", 2)

    assert answers[:2] == ["ann", "bob"]
    assert (answers[2].code, answers[2].temporary) == (111, True)
    assert await tester.user("cem").call("rare", 0.5) == "cem"
    assert (late.code, late.temporary) == (100, True)


async def test_an_app_cannot_drive_its_own_tester(tester: AppTester) -> None:
    tester.calls["email.send"] = lambda _payload: tester.run(tester.advance(seconds=1))
    await tester.user("ann").call("buy", {"id": "tea"})
    with pytest.raises(HarnessError, match="from within the app"):
        await tester.run_jobs()


async def test_services_are_made_by_the_app_or_given_by_the_test(tester: AppTester) -> None:
    class FakeRates(Rates):
        def of(self, currency: str) -> int:
            return 42

    assert await tester.user("ann").call("rate", "EUR") == 3
    async with AppTester(app, services={Rates: FakeRates()}) as other:
        assert await other.user("ann").call("rate", "EUR") == 42


async def test_jobs_run_when_the_test_says_so_with_the_answers_that_it_gives(tester: AppTester) -> None:
    ann = tester.user("ann")
    await ann.call("buy", {"id": "tea"})
    unanswered = await tester.run_jobs()
    tester.calls["email.send"] = lambda payload: {"message_id": payload["to"][0]}
    done = await tester.run_jobs()

    assert [(job.operation, job.state) for job in unanswered] == [("email.send", "pending")]
    assert "tester.calls" in unanswered[0].note
    assert [(job.state, job.attempts) for job in done] == [("done", 1 + 1)]
    assert [call.payload for call in tester.calls.made] == [{"to": ["ann"]}]
    assert await tester.run_jobs() == []


def test_a_plain_test_drives_an_app_too(app_tester: Callable[..., AppTester]) -> None:
    tester = app_tester(app)
    ann = tester.user("ann")
    tester.run(ann.call("open_item", {"id": "tea", "left": 1}))

    assert tester.run(ann.call("buy", {"id": "tea"})) == 1


async def test_the_fixture_outlives_the_loop_of_an_async_test(app_tester: Callable[..., AppTester]) -> None:
    """Its end comes when the test's own loop is closed already."""
    tester = app_tester(app)
    await tester.user("ann").call("open_item", {"id": "tea", "left": 1})

    assert tester.find(Item, "tea") is not None


async def test_each_tester_is_a_world_of_its_own(tester: AppTester) -> None:
    async with AppTester(app) as other:
        assert tester.entities(Item) == {"tea": Item(left=9)}
        assert other.entities(Item) == {}
        assert other.find(Item, "tea") is None
        with pytest.raises(LookupError):
            other.entity(Item, "tea")
