"""The table of simulated devices: every test that it names is there."""

from __future__ import annotations

import pytest

from tests.docs.devices_page import KINDS, Behaviour, place_of

ROWS = tuple(one for behaviours in KINDS.values() for one in behaviours)


@pytest.mark.parametrize("behaviour", ROWS, ids=lambda one: one.name)
def test_each_named_test_is_there(behaviour: Behaviour) -> None:
    assert behaviour.tests, "nothing shows it"
    for test in behaviour.tests:
        file, function = place_of(test)
        assert f"def {function}(" in file.read_text(encoding="utf-8"), test


def test_a_name_that_is_not_there_is_found() -> None:
    file, function = place_of("test_faults::test_nothing")
    assert file.is_file()
    assert f"def {function}(" not in file.read_text(encoding="utf-8")
