"""One delivery: claim, attempt, settle."""

from __future__ import annotations

import pytest

from causeway_common.contracts.errors import bad_request, unavailable
from causeway_common.contracts.messages import JobDelivery, JsonMap, Record
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.domain.outcome import NOTE_MAX_CHARS, Done, Failed, GivenUp, Outcome
from causeway_integrations.domain.webhook import (
    AddressRefused,
    Answer,
    Answered,
    Endpoint,
    NotReached,
    fan_out,
    judged,
    parse_event,
)
from causeway_integrations.handlers.jobs import LOST_ATTEMPTS_MAX, Jobs
from causeway_integrations.handlers.webhook import WebhookConnector
from unit.integrations.fakes import FakePoster, FakeRecords, new_record

SCHEDULE = TenacitySchedule(max_attempts=5, initial_ms=1000, max_ms=30_000)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENDPOINTS = tuple(Endpoint("chat", "chat.message.created", f"https://example.com/{n}", SECRET) for n in range(2))


class Scripted:
    """An operation that ends as told."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome, self.runs = outcome, 0

    async def run(self, _record: Record) -> Outcome:
        self.runs += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def jobs_of(records: FakeRecords, operation: Scripted) -> Jobs:
    return Jobs(records, {"test": {"run": operation.run}}, SCHEDULE, max_attempts=5, lease_ms=15_000)


async def settled(outcome: Outcome | Exception, *, attempts: int = 0) -> tuple[str, int, str]:
    records = FakeRecords()
    records.add(new_record("run", connector="test"))
    for _ in range(attempts):
        await records.claim("o:1:0", 1)
    await jobs_of(records, Scripted(outcome)).handle(JobDelivery(id="o:1:0"))
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
        assert 1000 <= delay <= 2000


async def test_five_tries_then_dead() -> None:
    """The whole life of a job whose peer never answers well."""
    records, operation = FakeRecords(), Scripted(Failed("500"))
    records.add(new_record("run", connector="test"))
    jobs = jobs_of(records, operation)
    for _ in range(7):
        await jobs.handle(JobDelivery(id="o:1:0"))

    assert operation.runs == 5
    assert [request.outcome for request in records.settled] == ["retry"] * 4 + ["dead"]
    assert records.records["o:1:0"].state == "dead"


def test_the_schedule_is_data() -> None:
    delays = [SCHEDULE.delay_ms(attempt) for attempt in range(1, 8)]

    assert delays[4:] == [None, None, None]
    for delay, least in zip(delays[:4], (1000, 4000, 16_000, 30_000), strict=True):
        assert delay is not None
        assert least <= delay <= min(least + 1000, 30_000)


@pytest.mark.parametrize("record_id", ["done", "missing"])
async def test_a_delivery_whose_record_needs_nothing_is_done_with(record_id: str) -> None:
    records, operation = FakeRecords(), Scripted(Done())
    records.add(new_record("run", connector="test", id="done"))
    jobs = jobs_of(records, operation)
    await jobs.handle(JobDelivery(id="done"))
    await jobs.handle(JobDelivery(id=record_id))

    assert operation.runs == len(records.settled) == 1


@pytest.mark.parametrize(("connector", "op"), [("test", "other"), ("fax", "run")])
async def test_an_unknown_operation_is_dead_at_once(connector: str, op: str) -> None:
    records = FakeRecords()
    records.add(new_record(op, connector=connector))
    await jobs_of(records, Scripted(Done())).handle(JobDelivery(id="o:1:0"))

    assert records.records["o:1:0"].state == "dead"
    assert records.records["o:1:0"].note == f"there is no operation {connector}.{op}"


async def test_a_job_that_kills_the_process_each_time_is_given_up_unrun() -> None:
    outcome, _, note = await settled(Done(), attempts=5 + LOST_ATTEMPTS_MAX)

    assert outcome == "dead"
    assert "without an outcome" in note


async def test_an_attempt_whose_lease_was_lost_does_not_count() -> None:
    records = FakeRecords(lease_lost=True)
    records.add(new_record("run", connector="test"))
    await jobs_of(records, Scripted(Done())).handle(JobDelivery(id="o:1:0"))

    assert records.records["o:1:0"].state == "pending"


async def test_a_note_is_bounded() -> None:
    assert len((await settled(GivenUp("x" * 5000)))[2]) == NOTE_MAX_CHARS


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answered(200), Done),
        (Answered(204), Done),
        (Answered(299), Done),
        (Answered(301, "moved"), Failed),
        (Answered(400), Failed),
        (Answered(404), Failed),
        (Answered(410), GivenUp),
        (Answered(429), Failed),
        (Answered(500), Failed),
        (Answered(503), Failed),
        (NotReached("no answer within 10 s"), Failed),
        (AddressRefused("not public"), GivenUp),
    ],
)
def test_an_answer_is_judged_by_the_table(answer: Answer, kind: type[Outcome]) -> None:
    assert isinstance(judged(answer), kind)


def connector_of(records: FakeRecords, poster: FakePoster) -> WebhookConnector:
    return WebhookConnector(ENDPOINTS, records, poster, lambda: 1_735_689_600_999)


async def claimed(records: FakeRecords, id: str) -> Record:
    record = (await records.claim(id, 1)).record
    assert record is not None
    return record


EVENT: JsonMap = {"type": "chat.message.created", "timestamp": "2025-01-01T00:00:00.000Z", "data": {"room": "r", "text": "hé"}}


async def test_an_event_becomes_one_delivery_per_endpoint_however_often_it_runs() -> None:
    """The fan-out may be repeated after a crash: ids and bodies are the same."""
    records = FakeRecords()
    connector = connector_of(records, FakePoster())
    records.add(new_record("event", EVENT))
    assert await connector.event(await claimed(records, "o:1:0")) == Done("2 deliveries")
    made = dict(records.records)
    assert await connector.event(await claimed(records, "o:1:0")) == Done("2 deliveries")

    del made["o:1:0"]
    assert records.records == made | {"o:1:0": records.records["o:1:0"]}
    assert {record.payload["endpoint"] for record in made.values()} == {endpoint.id for endpoint in ENDPOINTS}
    assert {record.payload["body"] for record in made.values()} == {
        '{"type":"chat.message.created","timestamp":"2025-01-01T00:00:00.000Z","data":{"room":"r","text":"hé"}}'
    }
    assert all(record.payload["id"] == key for key, record in made.items())


async def test_an_event_that_nobody_wants_is_done_at_once() -> None:
    records = FakeRecords()
    for number, (app, kind) in enumerate([("chat", "other"), ("auctions", "chat.message.created")]):
        records.add(new_record("event", EVENT | {"type": kind}, id=str(number), app=app))
        assert await connector_of(records, FakePoster()).event(await claimed(records, str(number))) == Done("0 deliveries")

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
    outcome = await connector_of(records, FakePoster()).operations()[op](await claimed(records, "o:1:0"))

    assert isinstance(outcome, GivenUp)
    assert "the payload is wrong" in outcome.note


async def test_each_try_has_the_same_id_and_body() -> None:
    records, poster = FakeRecords(), FakePoster(Answered(500))
    connector = connector_of(records, poster)
    records.add(new_record("deliver", {"endpoint": ENDPOINTS[0].id, "id": "msg_1", "body": "{}"}))
    for _ in range(3):
        await connector.deliver(await claimed(records, "o:1:0"))

    assert {(url, headers["webhook-id"], body) for url, headers, body in poster.sent} == {("https://example.com/0", "msg_1", b"{}")}
    assert poster.sent[0][1]["webhook-timestamp"] == "1735689600"


async def test_a_delivery_to_an_endpoint_that_was_removed_is_done() -> None:
    records, poster = FakeRecords(), FakePoster()
    records.add(new_record("deliver", {"endpoint": "gone", "id": "msg_1", "body": "{}"}))
    outcome = await connector_of(records, poster).deliver(await claimed(records, "o:1:0"))

    assert outcome == Done("the endpoint is configured no more")
    assert not poster.sent


def test_a_secret_is_never_shown() -> None:
    assert SECRET not in repr(ENDPOINTS)
    assert ENDPOINTS[0].id == Endpoint("chat", "chat.message.created", "https://example.com/0", "whsec_other").id
