"""Which positions are of which log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.epochs import continues, epoch_of

LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
GENERATIONS = st.integers(1, 2**53)


@pytest.mark.parametrize(
    ("told", "now", "same"),
    [
        ("", "abcdefgh.1", True),
        ("", ".1", True),
        (".1", ".1", True),
        (".1", "abcdefgh.1", True),
        (".1", "abcdefgh.11", False),
        (".1", ".2", False),
        ("abcdefgh.1", ".1", False),
        ("abcdefgh.1", "abcdefgh.2", False),
        ("-100.1", "-100.1", True),
        ("-100.1", "-127.1", True),
        ("-100.1", "-128.1", False),
        ("-100.1", "-99.1", True),
        ("-100.1", "-98.1", False),
        ("-100.1", "abcdefgh-100.1", True),
        ("-100.1", "abcdefgh-127.1", True),
        ("-100.1", "abcdefgh-128.1", False),
        ("-100.1", "abcdefgh-100.2", False),
        ("-100.1", "abcdefgh.1", False),
        (".1", "abcdefgh-100.1", True),
        (".1", "-100.1", True),
        ("abcdefgh-100.1", "-100.1", False),
        ("abcdefgh-100.1", "ijklmnop-100.1", False),
        ("100.1", "abcdefgh-100.1", False),
        ("-100", "-100.1", False),
        ("-" + "9" * 5000 + ".1", "-100.1", False),
        ("-x.1", "-y.1", False),
        ("-1-.1", "-1.1", False),
    ],
)
def test_a_position_is_of_its_own_log_or_of_the_first_one_after_it(told: str, now: str, same: bool) -> None:
    assert continues(told, now) is same


@given(LETTERS, GENERATIONS, GENERATIONS)
def test_what_was_told_before_the_first_publication_holds_in_its_generation_alone(letters: str, told: int, now: int) -> None:
    assert continues(epoch_of("", told), epoch_of(letters, now)) is (told == now)
