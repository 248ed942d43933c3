"""The table of DNP3 features: every test that it names is there, and what is done has one."""

from __future__ import annotations

import pytest

from tests.docs.dnp3_features_page import FEATURES, NOT, Feature, place_of


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.name)
def test_each_named_test_is_there(feature: Feature) -> None:
    assert feature.tests or feature.state == NOT, "done, but nothing shows it"
    for test in feature.tests:
        file, function = place_of(test)
        assert f"def {function}(" in file.read_text(encoding="utf-8"), test


def test_a_name_that_is_not_there_is_found() -> None:
    file, function = place_of("peers/test_mesa::test_nothing")
    assert file.is_file()
    assert f"def {function}(" not in file.read_text(encoding="utf-8")
