"""A record's life: one attempt at a time, only its outcome counts, and none vanishes."""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.messages import Attempt, SettleRequest
from causeway_storage.domain.record import (
    ANSWERS_MAX,
    LOG_MAX,
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    new_life,
    plan_claim,
    plan_settle,
    unpack_log,
)

LEASE = 10


def settle(attempt: int, outcome: Literal["done", "retry", "dead"], delay: int = 0) -> SettleRequest:
    return SettleRequest(id="r", attempt=attempt, outcome=outcome, delay_ms=delay, note=outcome)


def claimed(life: RecordLife, now: int = 0) -> RecordLife:
    plan = plan_claim(life, now_ms=now, lease_ms=LEASE)
    assert isinstance(plan, Claimed)
    return plan.life


def settled(life: RecordLife, request: SettleRequest, now: int = 0) -> RecordLife:
    plan = plan_settle(life, request, now_ms=now)
    assert isinstance(plan, Settled)
    return plan.life


def test_a_new_record_may_be_claimed_at_once_and_is_delivered_again_later() -> None:
    life = claimed(new_life(30), now=5)

    assert (life.attempts, life.free_at_ms, life.next_at_ms) == (1, 15, 15)


def test_nobody_else_gets_a_record_before_its_lease_is_over() -> None:
    life = claimed(new_life(30), now=5)

    assert plan_claim(life, now_ms=14, lease_ms=LEASE) == NotClaimed("leased")
    assert claimed(life, now=15).attempts == 2


def test_a_retry_waits_its_delay() -> None:
    life = settled(claimed(new_life(30)), settle(1, "retry", 100), now=5)

    assert (life.state, life.next_at_ms, life.note) == ("pending", 105, "retry")
    assert plan_claim(life, now_ms=104, lease_ms=LEASE) == NotClaimed("leased")
    assert claimed(life, now=105).attempts == 2


def test_only_the_newest_attempts_outcome_counts() -> None:
    life = claimed(claimed(new_life(30)), now=LEASE)

    assert plan_settle(life, settle(1, "done"), now_ms=11) == LeaseLost()
    assert plan_settle(life, settle(3, "done"), now_ms=11) == LeaseLost()
    assert settled(life, settle(2, "done"), now=11).state == "done"


def test_a_settle_told_again_is_answered_as_the_first_time_and_changes_nothing() -> None:
    retried = settled(claimed(new_life(30)), settle(1, "retry", 100), now=5)
    done = settled(claimed(new_life(30)), settle(1, "done"), now=5)

    assert settled(retried, settle(1, "retry", 100), now=50) == retried
    assert settled(done, settle(1, "done"), now=50) == done
    assert plan_settle(done, settle(1, "retry", 1), now_ms=50) == LeaseLost()
    assert plan_settle(claimed(retried, now=105), settle(1, "retry", 100), now_ms=106) == LeaseLost()


def test_what_is_done_dead_or_missing_is_not_run() -> None:
    outcomes: tuple[Literal["done"], Literal["dead"]] = ("done", "dead")
    for outcome in outcomes:
        life = settled(claimed(new_life(30)), settle(1, outcome))
        assert plan_claim(life, now_ms=10**9, lease_ms=LEASE) == NotClaimed(outcome)
    assert plan_claim(None, now_ms=0, lease_ms=LEASE) == NotClaimed("missing")
    assert plan_settle(None, settle(1, "done"), now_ms=0) == LeaseLost()


@given(st.lists(st.tuples(st.sampled_from(["claim", "done", "retry", "dead"]), st.integers(0, 4), st.integers(0, 15)), max_size=40))
def test_leases_never_overlap_and_a_record_ends_once(
    steps: list[tuple[Literal["claim", "done", "retry", "dead"], int, int]],
) -> None:
    """Whatever workers do, late or twice: at most one unfinished lease at a time, and an ended record stays as it is."""
    life, now, lease_end, ended = new_life(30), 0, 0, None
    for what, attempt, elapsed in steps:
        now += elapsed
        if what == "claim":
            plan = plan_claim(life, now_ms=now, lease_ms=LEASE)
            if isinstance(plan, Claimed):
                assert ended is None
                assert now >= lease_end
                life, lease_end = plan.life, now + LEASE
        else:
            outcome = plan_settle(life, settle(attempt, what, 3), now_ms=now)
            if isinstance(outcome, Settled):
                assert attempt == life.attempts
                lease_end = now if life.settled < attempt else lease_end
                life = outcome.life
        if ended is not None:
            assert life == ended
        elif life.state != "pending":
            ended = life
        else:
            assert life.next_at_ms >= life.free_at_ms, "it is delivered again, and not before it may be claimed"


def test_the_log_of_attempts_is_bounded_and_keeps_the_newest() -> None:
    life = new_life(0)
    for number in range(1, LOG_MAX + 51):
        entry = Attempt(number=number, claim=number, at_ms=number, duration_ms=1, outcome="retry", answer="x" * 1024)
        life = settled(claimed(life, now=number * 100), SettleRequest(id="r", attempt=number, outcome="retry", attempt_log=entry))
    log = unpack_log(life.log)

    assert [entry.number for entry in log] == list(range(51, LOG_MAX + 51))
    assert [len(entry.answer) for entry in log[-ANSWERS_MAX - 1 :]] == [100] + [1024] * ANSWERS_MAX
    assert len(life.log) < 40 * 1024
