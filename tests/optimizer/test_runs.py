"""The best runs keep every rule, and no other runs that keep them are better (tried all)."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from optimizer.runs import RunRules, best_runs, broken_rules

COUNT = 9


def rules(**changes: object) -> RunRules:
    """Nine intervals of one day: runs of 2 to 4, two off after each, two starts."""
    plain: dict[str, object] = {
        "length_min": np.full(COUNT, 2),
        "length_max": np.full(COUNT, 4),
        "recovery": 2,
        "may_start": np.ones(COUNT, dtype=np.bool_),
        "day": np.zeros(COUNT, dtype=np.int64),
        "starts_left": {0: 2},
        "active": False,
        "held": 0,
        "held_max": 0,
    }
    return RunRules(**{**plain, **changes})  # type: ignore[arg-type]


CASES = {
    "plain": rules(),
    "one start": rules(starts_left={0: 1}),
    "no start left": rules(starts_left={0: 0}),
    "still recovering": rules(may_start=np.arange(COUNT) >= 3),
    "running": rules(active=True, held=1, held_max=3, may_start=np.arange(COUNT) >= 2),
    "running and held": rules(
        active=True, held=3, held_max=3, starts_left={0: 0}, may_start=np.arange(COUNT) >= 2
    ),
    "midnight": rules(day=np.array([0] * 5 + [1] * 4), starts_left={0: 1, 1: 1}, recovery=1),
    "longer at first": rules(length_min=np.array([3] + [2] * 8), length_max=np.full(COUNT, 3)),
    "never": rules(length_min=np.full(COUNT, 3), length_max=np.full(COUNT, 2)),
    "announced": rules(must=np.isin(np.arange(COUNT), (4, 5))),
    "what comes back": rules(longest=np.array([4, 4, 4, 0, 0, 2, 2, 3, 4])),
    "nowhere to end": rules(longest=np.zeros(COUNT, dtype=np.intp)),
    "late on the next day": rules(
        day=np.array([0] * 4 + [1] * 5),
        starts_left={0: 1, 1: 1},
        recovery=1,
        longest=np.array([0, 0, 2, 1, 1, 4, 0, 2, 4]),
    ),
    "at will": rules(
        length_min=np.full(COUNT, 1),
        length_max=np.full(COUNT, COUNT),
        recovery=0,
        starts_left={0: COUNT},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_runs_that_keep_the_rules_are_better(name: str) -> None:
    case = CASES[name]
    allowed = [
        np.array(bits, dtype=np.bool_)
        for bits in product((False, True), repeat=COUNT)
        if not broken_rules(case, np.array(bits, dtype=np.bool_))
    ]
    assert allowed
    random = np.random.default_rng(7)
    for _ in range(40):
        wish = random.normal(size=COUNT)
        chosen = best_runs(case, wish)
        assert broken_rules(case, chosen) == []
        best = max(
            float(wish[on].sum()) for on in allowed if all(on[case.must[: len(on)].nonzero()])
        )
        assert float(wish[chosen].sum()) == pytest.approx(best, abs=1e-12)


def test_each_broken_rule_is_named() -> None:
    def said(bits: str, case: RunRules) -> str:
        return " ".join(broken_rules(case, np.array([b == "1" for b in bits])))

    assert "at least 2 needed" in said("010000000", rules())
    assert "at most 4 allowed" in said("011111000", rules())
    assert "1 after its last run" in said("110110000", rules())
    assert "2 left" in said("110011001", rules())
    assert "may not" in said("110000000", rules(may_start=np.arange(COUNT) >= 1))
    assert said("110011000", rules()) == ""


def test_runs_stay_within_their_hours_and_lose_little() -> None:
    limited = rules(
        hours=np.full(COUNT, 0.5), hours_left={0: 2.0}, season_hours_left=5.0, recovery=1
    )
    allowed = [
        np.array(bits, dtype=np.bool_)
        for bits in product((False, True), repeat=COUNT)
        if not broken_rules(limited, np.array(bits, dtype=np.bool_))
    ]
    random = np.random.default_rng(8)
    found, best = 0.0, 0.0
    for _ in range(60):
        wish = np.abs(random.normal(size=COUNT))
        chosen = best_runs(limited, wish)
        assert broken_rules(limited, chosen) == []
        found += float(wish[chosen].sum())
        best += max(float(wish[on].sum()) for on in allowed)
    assert found >= 0.9 * best


def test_a_start_that_costs_more_than_it_brings_is_not_made() -> None:
    wish = np.array([0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    assert best_runs(rules(), wish, 1.0).nonzero()[0].tolist() == [2, 3, 7, 8]
    assert best_runs(rules(), wish, 2.5).nonzero()[0].tolist() == [2, 3]
    assert not best_runs(rules(), wish, 7.0).any()
