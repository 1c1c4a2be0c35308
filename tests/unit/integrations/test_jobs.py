"""One delivery: claim, attempt, settle."""

from __future__ import annotations

import asyncio

import pytest

from causeway_common.contracts.errors import bad_request, unavailable
from causeway_common.contracts.messages import JobDelivery, JsonMap
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.outcome import NOTE_MAX_CHARS, Done, Failed, GivenUp, Outcome, Postponed
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached
from causeway_integrations.domain.permissions import Permissions
from causeway_integrations.domain.slots import DESTINATIONS_MAX, Slots
from causeway_integrations.domain.webhook import Endpoint, fan_out, judged, parse_event
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.jobs import LOST_ATTEMPTS_MAX, Jobs
from causeway_integrations.handlers.webhook import WebhookConnector
from causeway_integrations.ports import Connector
from unit.integrations.fakes import FakeBreakers, FakeClock, FakeOutside, FakeRecords, claimed, new_record

SCHEDULE = TenacitySchedule([0, 1000, 4000, 16_000, 30_000])
ALL = Permissions({"*": ["*"]})
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENDPOINTS = tuple(Endpoint("chat", "chat.message.created", f"https://example.com/{n}", SECRET) for n in range(2))


class Scripted:
    """An operation that ends as told."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome, self.runs = outcome, 0

    async def run(self, _work: Work) -> Outcome:
        self.runs += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def jobs_of(
    records: FakeRecords,
    operation: Scripted,
    *,
    permissions: Permissions = ALL,
    slots: Slots | None = None,
    shares: Slots | None = None,
    attempt_ms: int = 10_000,
) -> Jobs:
    connector = Connector("test", {"run": operation.run}, SCHEDULE, attempt_ms, lambda work: str(work.payload.get("to", "")))
    return Jobs(records, {"test": connector}, permissions, slots or Slots(4), FakeClock(), lease_ms=15_000, shares=shares)


async def settled(outcome: Outcome | Exception, *, attempts: int = 0) -> tuple[str, int, str]:
    records = FakeRecords()
    records.add(new_record("run", connector="test"))
    for _ in range(attempts):
        await records.claim("o:1:0", 1)
    await jobs_of(records, Scripted(outcome)).handle(JobDelivery(id="o:1:0"), "test", "run")
    (request,) = records.settled
    assert request.attempt == attempts + 1
    return request.outcome, request.delay_ms, request.note


async def test_each_outcome_is_settled_as_what_it_is() -> None:
    assert await settled(Done("200")) == ("done", 0, "200")
    assert await settled(GivenUp("410")) == ("dead", 0, "410")
    assert await settled(bad_request("too large")) == ("dead", 0, "bad_request (107): bad request: too large")
    failures: list[tuple[Outcome | Exception, str]] = [
        (Failed("500"), "500"),
        (unavailable("away"), "unavailable (100): unavailable: away"),
        (KeyError("secret"), "internal: KeyError"),
    ]
    for failure, note in failures:
        outcome, delay, told = await settled(failure)
        assert (outcome, told) == ("retry", note)
        assert 1000 <= delay <= 1100


async def test_five_tries_then_dead() -> None:
    """The whole life of a job whose peer never answers well."""
    records, operation = FakeRecords(), Scripted(Failed("500"))
    records.add(new_record("run", connector="test"))
    jobs = jobs_of(records, operation)
    for _ in range(7):
        await jobs.handle(JobDelivery(id="o:1:0"), "test", "run")

    assert operation.runs == 5
    assert [request.outcome for request in records.settled] == ["retry"] * 4 + ["dead"]
    assert records.records["o:1:0"].state == "dead"


def test_the_schedule_is_data() -> None:
    delays = [SCHEDULE.delay_ms(attempt) for attempt in range(1, 8)]

    assert delays[4:] == [None, None, None]
    for delay, least in zip(delays[:4], (1000, 4000, 16_000, 30_000), strict=True):
        assert delay is not None
        assert least <= delay <= least * 1.1


@pytest.mark.parametrize("record_id", ["done", "missing"])
async def test_a_delivery_whose_record_needs_nothing_is_done_with(record_id: str) -> None:
    records, operation = FakeRecords(), Scripted(Done())
    records.add(new_record("run", connector="test", id="done"))
    jobs = jobs_of(records, operation)
    await jobs.handle(JobDelivery(id="done"), "test", "run")
    await jobs.handle(JobDelivery(id=record_id), "test", "run")

    assert operation.runs == len(records.settled) == 1


@pytest.mark.parametrize(("connector", "op"), [("test", "other"), ("fax", "run")])
async def test_an_unknown_operation_is_dead_at_once(connector: str, op: str) -> None:
    records = FakeRecords()
    records.add(new_record(op, connector=connector))
    await jobs_of(records, Scripted(Done())).handle(JobDelivery(id="o:1:0"), "test", "run")

    assert records.records["o:1:0"].state == "dead"
    assert records.records["o:1:0"].note == f"there is no operation {connector}.{op}"


async def test_a_job_that_kills_the_process_each_time_is_given_up_unrun() -> None:
    outcome, _, note = await settled(Done(), attempts=1 + LOST_ATTEMPTS_MAX)

    assert outcome == "dead"
    assert "without an outcome" in note


async def test_an_attempt_whose_lease_was_lost_does_not_count() -> None:
    records = FakeRecords(lease_lost=True)
    records.add(new_record("run", connector="test"))
    await jobs_of(records, Scripted(Done())).handle(JobDelivery(id="o:1:0"), "test", "run")

    assert records.records["o:1:0"].state == "pending"


async def test_a_note_is_bounded() -> None:
    assert len((await settled(GivenUp("x" * 5000)))[2]) == NOTE_MAX_CHARS


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answered(200), Done),
        (Answered(204), Done),
        (Answered(299), Done),
        (Answered(301, b"moved"), Failed),
        (Answered(400), Failed),
        (Answered(404), Failed),
        (Answered(410), GivenUp),
        (Answered(429), Failed),
        (Answered(500), Failed),
        (Answered(502), Failed),
        (Answered(503), Failed),
        (Answered(504), Failed),
        (NotReached("no answer within 10 s"), Failed),
        (AddressRefused("not public"), GivenUp),
    ],
)
def test_an_answer_is_judged_by_the_table(answer: Answer, kind: type[Outcome]) -> None:
    assert isinstance(judged(answer, 0), kind)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_receiver_that_says_when_to_come_again_is_left_alone_until_then(status: int) -> None:
    outcome = judged(Answered(status, headers={"retry-after": "7"}), 0)

    assert isinstance(outcome, Failed)
    assert (outcome.status, outcome.retry_after_ms) == (status, 7000)


def connector_of(records: FakeRecords, outside: FakeOutside, breakers: FakeBreakers | None = None) -> WebhookConnector:
    return WebhookConnector(
        ENDPOINTS, records, outside, breakers or FakeBreakers(), now_ms=FakeClock(), reveal=SecretFiles().reveal
    )


EVENT: JsonMap = {"type": "chat.message.created", "timestamp": "2025-01-01T00:00:00.000Z", "data": {"room": "r", "text": "hé"}}


async def test_an_event_becomes_one_delivery_per_endpoint_however_often_it_runs() -> None:
    """The fan-out may be repeated after a crash: ids and bodies are the same."""
    records = FakeRecords()
    connector = connector_of(records, FakeOutside())
    records.add(new_record("event", EVENT))
    assert await connector.event(await claimed(records, "o:1:0")) == Done("2 deliveries", reply={"deliveries": 2})
    made = dict(records.records)
    assert await connector.event(await claimed(records, "o:1:0")) == Done("2 deliveries", reply={"deliveries": 2})

    del made["o:1:0"]
    assert records.records == made | {"o:1:0": records.records["o:1:0"]}
    assert {record.payload["endpoint"] for record in made.values()} == {endpoint.id for endpoint in ENDPOINTS}
    assert {record.payload["body"] for record in made.values()} == {
        '{"type":"chat.message.created","timestamp":"2025-01-01T00:00:00.000Z","data":{"room":"r","text":"hé"}}'
    }
    assert all(record.payload["id"] == key for key, record in made.items())


async def test_an_event_that_is_too_large_is_given_up_before_anything_is_made_of_it() -> None:
    records = FakeRecords()
    records.add(new_record("event", EVENT | {"data": "x" * 200_000}))
    fits = await connector_of(records, FakeOutside()).event(await claimed(records, "o:1:0"))
    assert fits == Done("2 deliveries", reply={"deliveries": 2})
    records.add(new_record("event", EVENT | {"data": "x" * 205_000}, id="large"))
    outcome = await connector_of(records, FakeOutside()).event(await claimed(records, "large"))

    assert isinstance(outcome, GivenUp)
    assert "at most 204800" in outcome.note
    assert len(records.records) == 4


async def test_an_event_that_nobody_wants_is_done_at_once() -> None:
    records = FakeRecords()
    for number, (app, kind) in enumerate([("chat", "other"), ("auctions", "chat.message.created")]):
        records.add(new_record("event", EVENT | {"type": kind}, id=str(number), app=app))
        assert await connector_of(records, FakeOutside()).event(await claimed(records, str(number))) == Done(
            "0 deliveries", reply={"deliveries": 0}
        )

    assert len(records.records) == 2


async def test_different_events_have_different_deliveries() -> None:
    records = FakeRecords()
    records.add(new_record("event", EVENT, id="a"))
    records.add(new_record("event", EVENT, id="b"))
    event = parse_event(EVENT)
    ids = [{new.id for new in fan_out(await claimed(records, key), event, ENDPOINTS, "")} for key in "ab"]

    assert len(ids[0] | ids[1]) == 4


@pytest.mark.parametrize("op", ["event", "deliver"])
async def test_a_payload_that_is_none_is_given_up(op: str) -> None:
    records = FakeRecords()
    records.add(new_record(op, {"type": 7}))
    outcome = await connector_of(records, FakeOutside()).operations()[op](await claimed(records, "o:1:0"))

    assert isinstance(outcome, GivenUp)
    assert "the payload is wrong" in outcome.note


async def test_each_try_has_the_same_id_and_body() -> None:
    records, outside = FakeRecords(), FakeOutside([Answered(500)])
    connector = connector_of(records, outside)
    records.add(new_record("deliver", {"endpoint": ENDPOINTS[0].id, "id": "msg_1", "body": "{}"}))
    for _ in range(3):
        await connector.deliver(await claimed(records, "o:1:0"))

    assert {(sent.url, sent.headers["webhook-id"], sent.body) for sent in outside.sent} == {
        ("https://example.com/0", "msg_1", b"{}")
    }
    assert outside.sent[0].headers["webhook-timestamp"] == "1735689600"


async def test_a_delivery_to_an_endpoint_that_was_removed_is_done() -> None:
    records, outside = FakeRecords(), FakeOutside()
    records.add(new_record("deliver", {"endpoint": "gone", "id": "msg_1", "body": "{}"}))
    outcome = await connector_of(records, outside).deliver(await claimed(records, "o:1:0"))

    assert outcome == Done("the endpoint is configured no more")
    assert not outside.sent


def test_a_secret_is_never_shown() -> None:
    assert SECRET not in repr(ENDPOINTS)
    assert ENDPOINTS[0].id == Endpoint("chat", "chat.message.created", "https://example.com/0", "whsec_other").id


async def test_every_attempt_is_told_to_the_record() -> None:
    """When, how long, what came of it, the peer's own code and the begin of what it said."""
    records = FakeRecords()
    records.add(new_record("run", connector="test"))
    for outcome in (Failed("503: busy", 503), Done("200: thanks", 200)):
        await jobs_of(records, Scripted(outcome)).handle(JobDelivery(id="o:1:0"), "test", "run")

    first, second = records.records["o:1:0"].log
    assert (first.number, first.claim, first.outcome, first.status, first.answer) == (1, 1, "retry", 503, "503: busy")
    assert (second.number, second.claim, second.outcome, second.status, second.answer) == (2, 2, "done", 200, "200: thanks")
    assert first.at_ms == FakeClock().now


async def test_a_pause_that_the_peer_asks_for_is_kept() -> None:
    assert (await settled(Failed("429", 429, 90_000)))[1] == 90_000
    assert judged(Answered(429, headers={"retry-after": "90"}), 0) == Failed("429", 429, 90_000)
    date = {"retry-after": "Wed, 01 Jan 2025 00:02:00 GMT"}
    assert judged(Answered(503, headers=date), 1_735_689_600_000) == Failed("503", 503, 120_000)
    for odd in ("-1", "soon", "9" * 30, "Wed, 01 Jan 2020 00:00:00 GMT"):
        assert isinstance(judged(Answered(503, headers={"retry-after": odd}), 1_735_689_600_000), Failed)


async def test_a_job_that_finds_no_slot_waits_in_its_record_and_has_not_been_tried() -> None:
    """A destination that is busy never uses up the tries of a job."""
    records, operation, slots = FakeRecords(), Scripted(Failed("500")), Slots(1)
    assert slots.take("test/")
    records.add(new_record("run", connector="test"))
    jobs = jobs_of(records, operation, slots=slots)
    for _ in range(LOST_ATTEMPTS_MAX * 2):
        await jobs.handle(JobDelivery(id="o:1:0"), "test", "run")
    assert operation.runs == 0
    assert all(request.outcome == "retry" and 200 <= request.delay_ms <= 60_000 for request in records.settled)
    (entry,) = records.records["o:1:0"].log
    assert (entry.outcome, entry.number) == ("postponed", 0)

    slots.free("test/", 100)
    for _ in range(5):
        await jobs.handle(JobDelivery(id="o:1:0"), "test", "run")
    assert operation.runs == 5
    assert records.records["o:1:0"].state == "dead"


async def test_one_destination_that_is_busy_does_not_hold_another() -> None:
    records, operation, slots = FakeRecords(), Scripted(Done()), Slots(1)
    assert slots.take("test/slow")
    for to in ("slow", "fast"):
        records.add(new_record("run", {"to": to}, connector="test", id=to))
        await jobs_of(records, operation, slots=slots).handle(JobDelivery(id=to), "test", "run")

    assert [records.records[to].state for to in ("slow", "fast")] == ["pending", "done"]


async def test_a_connector_whose_destinations_all_hang_leaves_room_for_the_others() -> None:
    """Its jobs wait in their records, untried, and hold no slot of their destination meanwhile."""
    records, operation, slots, shares = FakeRecords(), Scripted(Done()), Slots(2), Slots(1)
    records.add(new_record("run", {"to": "a"}, connector="test", id="a"))
    jobs = jobs_of(records, operation, slots=slots, shares=shares)
    assert shares.take("test")
    await jobs.handle(JobDelivery(id="a"), "test", "run")
    (told,) = records.settled
    assert (told.note, told.attempt_log and told.attempt_log.outcome) == ("the connector is busy", "postponed")
    assert [slots.take("test/a") for _ in range(3)] == [True, True, False]
    slots.give_back("test/a")

    shares.free("test", 1)
    await jobs.handle(JobDelivery(id="a"), "test", "run")
    assert records.records["a"].state == "done"


def test_a_destination_that_hangs_keeps_few_of_its_slots_until_it_is_quick_again() -> None:
    slots = Slots(16)
    for _ in range(2):  # two time-outs
        assert slots.take("a")
        slots.free("a", 15_000)
    assert [slots.take("a") for _ in range(3)] == [True, True, False]
    for _ in range(2):
        slots.free("a", 10)
    assert all(slots.take("a") for _ in range(16))
    unslowed = Slots(16, slow=False)
    for _ in range(3):
        assert unslowed.take("webhook")
        unslowed.free("webhook", 15_000)
    assert all(unslowed.take("webhook") for _ in range(16))


async def test_an_operation_may_give_its_attempt_back() -> None:
    outcome, delay, note = await settled(Postponed("the breaker is open", 7000))

    assert (outcome, delay, note) == ("retry", 7000, "the breaker is open")


async def test_an_attempt_that_does_not_end_is_ended() -> None:
    records = FakeRecords()
    records.add(new_record("run", connector="test"))

    class Hanging(Scripted):
        async def run(self, _work: Work) -> Outcome:
            await asyncio.Event().wait()
            raise AssertionError

    await jobs_of(records, Hanging(Done()), attempt_ms=20).handle(JobDelivery(id="o:1:0"), "test", "run")

    assert records.settled[0].note == "no end within 20 ms"


async def test_a_job_of_an_app_that_may_not_is_dead_at_once() -> None:
    records, operation = FakeRecords(), Scripted(Done())
    records.add(new_record("run", connector="test", app="chat"))
    await jobs_of(records, operation, permissions=Permissions({"auctions": ["*"]})).handle(JobDelivery(id="o:1:0"), "test", "run")

    assert records.records["o:1:0"].state == "dead"
    assert "integrations.permissions" in records.records["o:1:0"].note
    assert not operation.runs


async def test_an_endpoint_that_is_gone_is_disabled_for_all() -> None:
    """410: nothing more is sent, by this process or by one that hears of it."""
    records, outside, breakers = FakeRecords(), FakeOutside([Answered(410)]), FakeBreakers()
    connector, other = connector_of(records, outside, breakers), connector_of(records, outside)
    records.add(new_record("deliver", {"endpoint": ENDPOINTS[0].id, "id": "msg_1", "body": "{}"}))
    assert isinstance(await connector.deliver(await claimed(records, "o:1:0")), GivenUp)
    ((_, endpoint, state),) = breakers.shared
    other.heard(endpoint, state)
    for each in (connector, other):
        outcome = await each.deliver(await claimed(records, "o:1:0"))
        assert isinstance(outcome, GivenUp)
        assert "disabled" in outcome.note
    assert len(outside.sent) == 1

    other.heard(endpoint, None)
    await other.deliver(await claimed(records, "o:1:0"))
    assert len(outside.sent) == 2


async def test_an_app_cannot_send_to_an_endpoint_of_another() -> None:
    records, outside = FakeRecords(), FakeOutside()
    records.add(new_record("deliver", {"endpoint": ENDPOINTS[0].id, "id": "msg_1", "body": "{}"}, app="auctions"))

    assert isinstance(await connector_of(records, outside).deliver(await claimed(records, "o:1:0")), GivenUp)
    assert not outside.sent


def test_what_waits_for_a_destination_comes_back_later_the_more_of_it_there_is() -> None:
    slots = Slots(2)
    assert slots.take("a")
    assert slots.take("a")
    assert not slots.take("a")
    assert slots.take("b")
    delays = [slots.delay_ms("a", 1000) for _ in range(1000)]
    assert delays == sorted(delays)
    assert delays[0] == 200
    assert delays[-1] == 60_000

    for _ in range(2):
        slots.free("a", 1)
    assert slots.take("a")
    assert slots.delay_ms("a", 61_001) == 200, "those who waited have come back meanwhile, here or elsewhere"


def test_a_destination_that_takes_long_is_asked_less_often() -> None:
    slots = Slots(1)
    for took in (10_000,) * 20:
        assert slots.take("slow")
        slots.free("slow", took)
    assert slots.take("slow")
    assert 9000 <= slots.delay_ms("slow", 0) <= 10_000
    assert 18_000 <= slots.delay_ms("slow", 0) <= 20_000


def test_destinations_are_forgotten_when_there_are_too_many_but_for_those_in_use() -> None:
    slots = Slots(1)
    assert slots.take("held")
    for number in range(DESTINATIONS_MAX * 2):
        assert slots.take(str(number))
        slots.free(str(number), 1)

    assert len(slots._destinations) <= DESTINATIONS_MAX
    assert not slots.take("held")
