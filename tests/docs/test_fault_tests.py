"""Each fault of the registry has a name, a test that throws it, and a line on the page."""

from __future__ import annotations

import pytest

from sim.fault_kinds import KINDS, Fault
from tests.docs.fault_tests import fault_tests
from tests.docs.simulator_page import simulator_page


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_is_thrown_by_a_test_and_told_on_the_page(fault: Fault) -> None:
    tests = fault_tests()[fault]
    assert tests, f"no test throws {fault}"
    rows = [row for row in simulator_page().splitlines() if row.startswith(f"| `{fault}` |")]
    line, _seen = rows
    assert KINDS[fault].does in line
    assert all(f"`{test}`" in line for test in tests)
