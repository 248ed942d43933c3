"""Pauses: they grow, they spread, they begin again."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from protocols.backoff import CAP_S, STAGGER_MAX_S, Backoff, start_delays_s


class Fixed:
    """Always the same fraction of the way from a to b."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction

    def uniform(self, a: float, b: float, /) -> float:
        return a + self.fraction * (b - a)


def test_pauses_double_up_to_the_cap_and_begin_again_when_settled() -> None:
    backoff = Backoff(randomness=Fixed(1.0), first_s=0.5, cap_s=3.0)
    assert [backoff.pause_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.settled()
    assert backoff.pause_s() == 0.5


def test_a_pause_is_at_least_half_of_the_longest() -> None:
    backoff = Backoff(randomness=Fixed(0.0), first_s=0.5, cap_s=3.0)
    assert [backoff.pause_s() for _ in range(4)] == [0.25, 0.5, 1.0, 1.5]


@pytest.mark.parametrize(("first_s", "cap_s"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_pauses_that_make_no_sense_are_refused(first_s: float, cap_s: float) -> None:
    with pytest.raises(ValueError, match="make no sense"):
        Backoff(randomness=Fixed(0.5), first_s=first_s, cap_s=cap_s)


def test_two_hundred_links_that_lost_one_server_come_back_spread() -> None:
    source = random.Random(7)  # noqa: S311 - spread, not secrecy
    at_s = []
    for _ in range(200):
        backoff = Backoff(randomness=source)
        at_s.append(sum(backoff.pause_s() for _ in range(6)))
    per_tenth = [sum(1 for t in at_s if k / 10 <= t < (k + 1) / 10) for k in range(200)]
    assert max(per_tenth) <= 20, "no tenth of a second sees more than a tenth of the links"
    assert max(at_s) <= 6 * CAP_S


def test_starts_are_spread_and_a_single_link_does_not_wait() -> None:
    assert start_delays_s(1, randomness=Fixed(0.9)) == [0.0]
    delays_s = start_delays_s(500, randomness=random.Random(7))  # noqa: S311
    assert delays_s[0] == 0.0
    assert all(a <= b for a, b in pairwise(delays_s))
    assert max(delays_s) <= STAGGER_MAX_S
    per_tenth = [sum(1 for t in delays_s if k / 10 <= t < (k + 1) / 10) for k in range(51)]
    assert max(per_tenth) <= 15


@pytest.mark.parametrize(("first_s", "cap_s"), [(0.5, 5.0), (0.5, 1.5), (1.0, 30.0)])
def test_on_one_clock_a_returning_server_sees_no_herd(first_s: float, cap_s: float) -> None:
    """500 links lose one server in the same instant and dial it for a minute, by one clock."""
    links, away_s = 500, 60.0
    source = random.Random(11)  # noqa: S311 - spread, not secrecy
    dialed_s: list[float] = []
    back_s: list[float] = []
    for _ in range(links):
        pauses = Backoff(randomness=source, first_s=first_s, cap_s=cap_s)
        at_s = pauses.pause_s()
        while at_s < away_s:
            dialed_s.append(at_s)
            at_s += pauses.pause_s()
        back_s.append(at_s)
    per_tenth = [0] * (int(10 * (away_s + cap_s)) + 1)
    for at_s in (*dialed_s, *back_s):
        per_tenth[int(10 * at_s)] += 1
    # At first all of them have the same short pause: half of it is what they are spread over.
    assert max(per_tenth) <= 1.3 * links / (10 * first_s / 2)
    # Later each tenth of a second sees its share of the mean pause, and little more.
    settled = per_tenth[int(10 * 6 * cap_s) : int(10 * away_s)] or per_tenth[int(10 * cap_s) :]
    assert max(settled) <= 2.5 * links / (10 * 0.75 * cap_s) + 5
    assert len(dialed_s) <= links * (away_s / (0.5 * cap_s) + 8)
    assert max(back_s) <= away_s + cap_s, "nobody waits longer than the cap"
    assert len({round(at_s, 3) for at_s in back_s}) > 0.5 * min(links, 1000 * 0.5 * cap_s)
