"""The solver's line is read by people."""

from __future__ import annotations

import pytest

from optimizer.nearness import GAP_WORDS_MAX, solver_line


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.003, "no plan costs less than this one by more than 0.30 %"),
        (GAP_WORDS_MAX, "no plan costs less than this one by more than 100.00 %"),
        (4.2194, "how much less another plan could cost is not known, because limits are missed"),
        (float("inf"), "how much less another plan could cost is not known"),
    ],
)
def test_a_gap_is_told_in_words(gap: float, words: str) -> None:
    line = solver_line(14, gap)
    assert "14 programmes, " + words in line
    assert "421" not in line
