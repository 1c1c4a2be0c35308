"""Endpoints that operators add: how they fare, whoever tells it first; secrets and their overlap; replays; what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.messages import CallRequest, JsonMap, KeptRecord, LifecycleEvent, NewRecord, RecordsReply
from causeway_integrations.adapters.endpoints import CheckedDestinations
from causeway_integrations.adapters.fresh import Fresh
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.adapters.vault import Vault
from causeway_integrations.domain.endpoints import ConfiguredState, Health, KeptEndpoint, Seen, SeenAttempt, merged, rotated
from causeway_integrations.domain.outcome import Done, GivenUp
from causeway_integrations.domain.outside import Answered
from causeway_integrations.domain.webhook import Endpoint
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.endpoints import EndpointOperations
from causeway_integrations.handlers.health import EndpointHealth
from causeway_integrations.handlers.replays import Replays, replay_of
from causeway_integrations.handlers.webhook import WebhookConnector
from unit.integrations.fakes import FakeBreakers, FakeClock, FakeOutside, FakeRecords, claimed, new_record, work

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT: JsonMap = {"type": "t", "timestamp": "2025-01-01T00:00:00.000Z", "data": {}}
DAY_MS = 86_400_000


@dataclass
class FakeBook:
    """`ports.endpoints.EndpointBook`, `EventLog` and `Announcer` in memory."""

    kept: dict[str, KeptEndpoint] = field(default_factory=dict)
    fares: dict[str, Health] = field(default_factory=dict)
    left: list[NewRecord] = field(default_factory=list)
    told: list[LifecycleEvent] = field(default_factory=list)
    records: FakeRecords = field(default_factory=FakeRecords)
    configured: dict[str, ConfiguredState] = field(default_factory=dict)
    away: bool = False

    async def find(self, id: str) -> KeptEndpoint | None:
        return self.kept.get(id)

    async def hearing(self, app: str, event: str) -> list[KeptEndpoint]:
        return [each for each in self.kept.values() if (each.app, each.event) == (app, event)]

    async def all(self) -> list[KeptEndpoint]:
        return list(self.kept.values())

    async def add(self, endpoint: KeptEndpoint) -> bool:
        return self.kept.setdefault(endpoint.id, endpoint) is endpoint

    async def change(
        self, id: str, change: Callable[[KeptEndpoint], KeptEndpoint], leaves: NewRecord | None = None
    ) -> KeptEndpoint | None:
        if id not in self.kept:
            return None
        before, self.kept[id] = self.kept[id], change(self.kept[id])
        if leaves and before != self.kept[id]:
            self.left.append(leaves)
        return self.kept[id]

    async def disabled(self, id: str) -> ConfiguredState:
        return self.configured.get(id, ConfiguredState())

    async def disable(self, id: str, state: ConfiguredState, leaves: NewRecord | None = None) -> bool:
        if self.away:
            raise unavailable("storage is away")
        if bool(self.configured.get(id, ConfiguredState()).disabled) == bool(state.disabled):
            return False
        self.configured[id] = state
        if leaves:
            self.left.append(leaves)
        return True

    async def remove(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None

    async def health(self, id: str) -> Health:
        return self.fares.get(id, Health())

    async def saw(self, id: str, seen: Seen) -> Health:
        self.fares[id] = merged(self.fares.get(id, Health()), seen)
        return self.fares[id]

    async def page(self, app: str, operation: str, since_ms: int, until_ms: int, after: str) -> RecordsReply:
        """One a page; the newest first, since nothing says that ids go by time."""
        found = sorted(
            (
                name
                for name, each in self.records.records.items()
                if (each.app, f"{each.connector}.{each.op}") == (app, operation)
                and since_ms <= each.created_ms <= until_ms
                and (not after or name < after)
            ),
            reverse=True,
        )
        shown = [KeptRecord(record=self.records.records[name]) for name in found[:1]]
        return RecordsReply(records=shown, more=len(found) > 1, cursor=found[0] if found else "")

    async def record(self, id: str) -> KeptRecord | None:
        return KeptRecord(record=self.records.records[id])

    async def tell(self, event: LifecycleEvent) -> None:
        self.told.append(event)


class Played:
    """The handlers over fakes."""

    def __init__(self, *answers: Answered, configured: tuple[Endpoint, ...] = (), vault: Vault | None = None) -> None:
        vault = vault or Vault(SecretFiles().reveal)
        self.book, self.records, self.clock = FakeBook(), FakeRecords(), FakeClock()
        self.outside, self.breakers = FakeOutside(list(answers) or [Answered(200)]), FakeBreakers()
        self.health = EndpointHealth(self.book, self.breakers, self.book, now_ms=self.clock, disable_after_ms=5 * DAY_MS)
        self.connector = WebhookConnector(
            configured,
            self.records,
            self.outside,
            self.breakers,
            now_ms=self.clock,
            reveal=vault.reveal,
            book=self.book,
            health=self.health,
        )
        self.operations = EndpointOperations(
            self.book,
            self.connector,
            self.records,
            CheckedDestinations(frozenset({"localhost"})),
            vault,
            now_ms=self.clock,
            random=bytes,
        )

    async def asks(self, op: str, *, caller: str = "gateway", **payload: object) -> JsonMap:
        call = Call({"caller": caller, "connector": "webhooks", "op": op}, "", Deadline.after(4))
        return (await self.operations.call(CallRequest(payload=payload), call)).payload

    async def added(self) -> str:
        return str((await self.asks("add", app="chat", event="t", url="http://localhost/a"))["id"])

    async def delivers(self, endpoint: str) -> object:
        return await self.connector.deliver(work("webhook", "deliver", {"endpoint": endpoint, "id": "msg_1", "body": "{}"}))


def attempt(at_ms: int, outcome: str) -> SeenAttempt:
    return SeenAttempt("msg", at_ms, 1, outcome)


def test_a_success_ends_the_failures_before_it_whoever_tells_first() -> None:
    """Two processes tell in either order: the same comes out."""
    failed, done = Seen().with_attempt(attempt(4, "retry")), Seen().with_attempt(attempt(5, "done"))
    later = Seen().with_attempt(attempt(6, "retry")).with_attempt(attempt(9, "dead"))

    for order in ((failed, done, later), (done, later, failed), (later, failed, done)):
        health = Health()
        for seen in order[:2]:
            health = merged(health, seen)
        if order[2] is done:
            assert health.failing_since_ms == 4
            continue
        assert merged(health, order[2]).failing_since_ms == 6


def test_the_older_secrets_sign_until_their_time_is_over_and_are_never_shown() -> None:
    kept = KeptEndpoint(id="ep_1", app="chat", event="t", url="http://localhost/a", secret=SECRET, created_ms=0)
    twice = rotated(rotated(kept, "whsec_b", 100, 0), "whsec_c", 200, 50)

    assert twice.endpoint(99).secrets == ("whsec_c", "whsec_b", SECRET)
    assert twice.endpoint(100).secrets == ("whsec_c", "whsec_b")
    assert twice.endpoint(200).secrets == ("whsec_c",)
    assert "whsec" not in repr(twice) + repr(twice.endpoint(0))


async def test_nobody_but_the_gateway_asks() -> None:
    played = Played()
    with pytest.raises(CausewayError) as refused:
        await played.asks("list", caller="chat")

    assert refused.value.code == 103


@pytest.mark.parametrize(
    ("app", "event", "url"),
    [
        ("Chat", "t", "http://localhost/a"),
        ("gateway", "t", "http://localhost/a"),
        ("chat", "", "http://localhost/a"),
        ("chat", "t" * 201, "http://localhost/a"),
        ("chat", "t", "ftp://localhost/a"),
        ("chat", "t", "http://user:secret@localhost/a"),
        ("chat", "t", "http://127.0.0.1/a"),
        ("chat", "t", "http://[::ffff:10.0.0.1]/a"),
        ("chat", "t", "http://localhost/" + "a" * 2048),
    ],
)
async def test_what_no_endpoint_may_be_is_refused(app: str, event: str, url: str) -> None:
    played = Played()
    with pytest.raises(CausewayError) as refused:
        await played.asks("add", app=app, event=event, url=url)

    assert refused.value.code == 107
    assert not played.book.kept


async def test_an_endpoint_is_there_once_and_what_is_not_there_is_104() -> None:
    """Also beside one of the configuration, which only the file changes."""
    played = Played(configured=(Endpoint("chat", "t", "http://localhost/b", SECRET),))
    name = await played.added()
    for url in ("http://localhost/a", "http://localhost/b"):
        with pytest.raises(CausewayError, match="there already"):
            await played.asks("add", app="chat", event="t", url=url)
    with pytest.raises(CausewayError, match="configuration"):
        await played.asks("rotate", id=played.connector.configured[0].id, overlap_ms=0)
    for op in ("show", "test", "rotate", "enable", "remove", "replay"):
        with pytest.raises(CausewayError) as refused:
            await played.asks(op, id="ep_none")
        assert refused.value.code == 104

    listed = (await played.asks("list"))["endpoints"]
    assert {(each["id"], each["configured"]) for each in listed} == {(name, False), (played.connector.configured[0].id, True)}


async def test_an_event_goes_to_the_endpoints_that_are_there_at_that_moment() -> None:
    """Nothing is a copy: an endpoint counts from its add, and no more once it is disabled or removed."""
    played, name = Played(), ""
    for number, count in enumerate((0, 1, 0)):
        played.records.add(new_record("event", EVENT, id=f"e{number}"))
        assert await played.connector.event(await claimed(played.records, f"e{number}")) == Done(
            f"{count} deliveries", reply={"deliveries": count}
        )
        if number == 0:
            name = await played.added()
        else:
            await played.health.disable(played.book.kept[name].endpoint(0), "why")
    assert await played.delivers(name) == GivenUp("the endpoint is disabled: why")
    await played.asks("remove", id=name)
    assert await played.delivers(name) == Done("the endpoint is configured no more")


async def test_410_disables_at_once_and_the_announcement_leaves_with_the_change() -> None:
    played = Played(Answered(410))
    name = await played.added()
    await played.delivers(name)
    await played.delivers(name)

    assert played.book.kept[name].disabled == "410"
    (left,) = played.book.left
    assert len(played.outside.sent) == 1
    await played.health.announce(work("webhook", "disabled", left.payload, app=left.app))
    assert isinstance(await played.health.announce(work("webhook", "disabled", left.payload)), GivenUp)
    assert [(each.type, each.app, each.endpoint) for each in played.book.told] == [("endpoint_disabled", "chat", name)]


async def test_an_endpoint_of_the_configuration_is_disabled_and_announced_by_one_commit_and_the_others_hear_of_it_after() -> None:
    """Where the commit fails, it is not disabled here either; what the announcement does is harmless twice; enabling ends it."""
    endpoint = Endpoint("chat", "t", "http://localhost/b", SECRET)
    played = Played(Answered(410), configured=(endpoint,))
    played.book.away = True
    with pytest.raises(CausewayError):
        await played.delivers(endpoint.id)
    assert (played.connector.disabled(endpoint.id), played.breakers.shared, played.book.left) == ("", [], [])

    played.book.away = False
    assert isinstance(await played.delivers(endpoint.id), GivenUp)
    assert await played.delivers(endpoint.id) == GivenUp("the endpoint is disabled: 410")
    (announcement,) = played.book.left
    assert (played.book.configured[endpoint.id].disabled, announcement.op, played.breakers.shared) == ("410", "disabled", [])
    for _ in range(2):
        await played.health.announce(work("webhook", "disabled", announcement.payload, app="integrations"))
    assert {(name, state.state) for _, name, state in played.breakers.shared} == {(endpoint.id, "disabled")}
    assert {(each.endpoint, each.note) for each in played.book.told} == {(endpoint.id, "410")}

    await played.asks("enable", id=endpoint.id)
    told = len(played.breakers.shared)
    await played.health.announce(work("webhook", "disabled", announcement.payload, app="integrations"))
    assert not played.book.configured[endpoint.id].disabled
    assert len(played.breakers.shared) == told, "a late announcement disables nothing again"


async def test_deliveries_to_an_ordered_endpoint_stand_in_the_line_of_their_event_and_no_others_do() -> None:
    """Also those of a replay, in their events' old turns."""
    played = Played()
    name = str((await played.asks("add", app="chat", event="t", url="http://localhost/a", ordered=True))["id"])
    other = str((await played.asks("add", app="chat", event="t", url="http://localhost/b"))["id"])
    assert {each["id"]: each["ordered"] for each in (await played.asks("list"))["endpoints"]} == {name: True, other: False}
    event = replace(await _event(played, "e1"), line="e:1", turn=7)
    await played.connector.event(event)
    made = {each.payload["endpoint"]: each for each in played.records.made if each.op == "deliver"}
    assert (made[other].line, made[other].turn, made[other].behind) == ("", 0, "")
    assert (made[name].line != "", made[name].turn, made[name].behind) == (True, 7, "e:1")

    played.book.records.add(new_record("event", EVENT, id="e1"))
    kept = played.book.records.records["e1"]
    played.book.records.records["e1"] = msgspec.structs.replace(kept, state="done", line="e:1", turn=7)
    replay = replay_of(played.book.kept[name].endpoint(0), 0, 10, "x").record()
    assert isinstance(
        await Replays(played.book, played.records).replay(work("webhook", "replay", replay.payload, app="integrations")), Done
    )
    again = played.records.made[-1]
    assert (again.line, again.turn, again.behind) == (made[name].line, 7, "e:1")


async def _event(played: Played, id: str) -> Work:
    played.records.add(new_record("event", EVENT, id=id))
    return await claimed(played.records, id)


async def test_nothing_but_failures_for_five_days_disables_and_enabling_begins_anew() -> None:
    played = Played(Answered(500))
    name = await played.added()
    for _ in range(5):
        await played.delivers(name)
        await played.health.step()
        assert not played.book.kept[name].disabled
        played.clock.now += DAY_MS
    await played.delivers(name)
    await played.health.step()
    assert played.book.kept[name].disabled == "nothing but failures for 5d"

    await played.asks("enable", id=name)
    played.clock.now += DAY_MS
    await played.delivers(name)
    await played.health.step()
    assert not played.book.kept[name].disabled
    shown = await played.asks("show", id=name)
    assert shown["failing_since_ms"] == played.clock.now
    assert [each["status"] for each in shown["attempts"]] == [500] * 7


async def test_one_success_in_five_days_keeps_an_endpoint() -> None:
    played = Played(*[Answered(500)] * 4, Answered(200), Answered(500))
    name = await played.added()
    for _ in range(9):
        await played.delivers(name)
        await played.health.step()
        played.clock.now += DAY_MS

    assert not played.book.kept[name].disabled


async def test_a_replay_takes_the_events_of_its_app_and_type_each_once_however_often_it_runs() -> None:
    played = Played()
    name = await played.added()
    for number, (app, kind) in enumerate([("chat", "t"), ("chat", "other"), ("auctions", "t"), ("chat", "t")]):
        played.book.records.add(new_record("event", EVENT | {"type": kind}, id=f"e{number}", app=app))
    played.book.records.add(new_record("deliver", EVENT, id="d"))
    for each, record in list(played.book.records.records.items()):
        played.book.records.records[each] = type(record)(
            **{f: getattr(record, f) for f in record.__struct_fields__} | {"state": "done"}
        )
    replays = Replays(played.book, played.records)
    replay = replay_of(played.book.kept[name].endpoint(0), 0, 10, "x")
    played.records.add(replay.record())
    for _ in range(2):  # the second time after a crash
        for record in [each for each in played.records.records.values() if each.op == "replay"]:
            assert isinstance(await replays.replay(work("webhook", "replay", record.payload, app=record.app)), Done)
        for record in [each for each in played.records.records.values() if each.op == "replay"]:
            assert isinstance(await replays.replay(work("webhook", "replay", record.payload, app=record.app)), Done)

    made = [each for each in played.records.records.values() if each.op == "deliver"]
    assert len(made) == 2
    assert all(each.id == each.payload["id"] and each.id.startswith("replay_") for each in made)
    assert isinstance(await replays.replay(work("webhook", "replay", replay.record().payload)), GivenUp)


async def test_a_replay_has_an_end_that_is_not_before_its_begin() -> None:
    played = Played()
    name = await played.added()
    with pytest.raises(CausewayError, match="ends before it begins"):
        await played.asks("replay", id=name, since_ms=2, until_ms=1)
    await played.asks("replay", id=name, since_ms=1, until_ms=2)
    (record,) = [each for each in played.records.records.values() if each.op == "replay"]
    assert (record.payload["since_ms"], record.payload["until_ms"]) == (1, 2)


async def test_a_read_is_shared_only_by_those_who_asked_before_it_began() -> None:
    """Whoever asks while a read is under way gets the next one: the first may have missed what was changed meanwhile."""
    value, gate, reads = [1], asyncio.Event(), 0

    async def load(_key: str) -> int:
        nonlocal reads
        reads += 1
        found = value[0]
        await gate.wait()
        return found

    fresh = Fresh[str, int](load)
    first = asyncio.create_task(fresh.read("k"))
    while not reads:
        await asyncio.sleep(0)
    value[0] = 2
    later = [asyncio.create_task(fresh.read("k")) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()

    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 100
    assert reads == 2
