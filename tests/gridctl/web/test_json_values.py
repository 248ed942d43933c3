"""What has no number in JSON is null: a browser stops at `Infinity`."""

from __future__ import annotations

import json
from math import inf, nan

import pytest

from gridctl.web.json_values import rounded


@pytest.mark.parametrize(
    ("value", "wire"),
    [(1.2345, "1.234"), (None, "null"), (inf, "null"), (-inf, "null"), (nan, "null")],
)
def test_a_number_or_null(value: float | None, wire: str) -> None:
    assert json.dumps(rounded(value), allow_nan=False) == wire
