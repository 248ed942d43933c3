"""No grade without a proof: every test that the page of drivers names is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.drivers_page import CONTRACT, CONTRACT_ROWS, named_tests
from tests.docs.markdown import ROOT


@pytest.mark.parametrize("named", sorted(named_tests()))
def test_a_grade_has_its_test(named: str) -> None:
    path, _, name = named.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), named


def test_the_contract_is_listed_whole_enough() -> None:
    """A new test of the contract is a new line of the page, or belongs to one that is there."""
    text = (ROOT / CONTRACT).read_text(encoding="utf-8")
    there = set(re.findall(r"^async def (test_\w+)\(", text, re.MULTILINE))
    listed = {row.grades[0].test.partition("::")[2] for row in CONTRACT_ROWS}
    beside = {
        "test_the_way_home_is_open_after_the_lease",
        "test_expired_permit_is_refused",
        "test_unknown_point_is_refused",
    }
    assert listed | beside == there
