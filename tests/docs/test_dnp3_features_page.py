"""The tables of DNP3 features and dangers: every test that they name is there."""

from __future__ import annotations

import pytest

from tests.docs.dnp3_dangers_page import SURVIVED, TRAPS, Danger
from tests.docs.dnp3_features_page import FEATURES, NOT, Feature, place_of


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.name)
def test_each_named_test_is_there(feature: Feature) -> None:
    assert feature.tests or feature.state == NOT, "done, but nothing shows it"
    _are_there(feature.tests)


@pytest.mark.parametrize("danger", [*TRAPS, *SURVIVED], ids=lambda one: one.name[:30])
def test_each_danger_has_its_test(danger: Danger) -> None:
    assert danger.tests
    _are_there(danger.tests)


def test_no_measured_trap_is_left_out() -> None:
    assert [one.name.partition(":")[0] for one in TRAPS] == [f"G{n}" for n in range(1, 15)]


def _are_there(tests: tuple[str, ...]) -> None:
    for test in tests:
        file, function = place_of(test)
        assert f"def {function}(" in file.read_text(encoding="utf-8"), test


def test_a_name_that_is_not_there_is_found() -> None:
    file, function = place_of("peers/test_mesa::test_nothing")
    assert file.is_file()
    assert f"def {function}(" not in file.read_text(encoding="utf-8")
