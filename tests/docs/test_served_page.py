"""What the simulator serves: every test that a line names is there."""

from __future__ import annotations

import pytest

from tests.docs.served_page import DNP3, OPC_UA, Served, place_of


@pytest.mark.parametrize("served", [*DNP3, *OPC_UA], ids=lambda one: one.name)
def test_each_named_test_is_there(served: Served) -> None:
    assert served.tests, "served, but nothing shows it"
    for test in served.tests:
        file, function = place_of(test)
        assert f"def {function}(" in file.read_text(encoding="utf-8"), test
