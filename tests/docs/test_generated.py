"""What docs/reference says is what the code says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import distribution

import pytest

from gridctl.model.command import CommandState
from tests.docs import dependencies_page as dependencies
from tests.docs import settings_page, settings_words
from tests.docs.generated import DOCS, PAGES
from tests.docs.states_picture import states_picture


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"docs/{name} differs from the code: make docs"


def test_every_sentence_of_the_configuration_belongs_to_a_key() -> None:
    page = settings_page.configuration_page()
    for table, keys in settings_words.MEANINGS.items():
        for key, meaning in keys.items():
            assert f"| `{key}` |" in page, f"{table}.{key} is gone"
            assert meaning in page, f"{table}.{key} is gone"


def test_a_transition_that_cannot_be_drawn_is_an_error() -> None:
    backwards: Mapping[CommandState, frozenset[CommandState]] = {
        CommandState.EXPIRED: frozenset({CommandState.APPROVED})
    }
    with pytest.raises(AssertionError, match="not drawn"):
        states_picture(backwards)


def test_every_dependency_is_judged_and_no_other() -> None:
    wanted = {name for names in dependencies.wanted_by().values() for name in names}
    assert wanted == set(dependencies.RECORDS)


@pytest.mark.parametrize("name", dependencies.RECORDS)
def test_a_dependency_is_as_it_was_judged(name: str) -> None:
    assert dependencies.disagreements(name, dependencies.RECORDS[name]) == []


def test_a_dependency_that_changed_is_found() -> None:
    judged = dependencies.RECORDS["asyncua"]
    changed = replace(judged, versions=("1.0",), metadata="MIT", size_mb=100.0)
    assert len(dependencies.disagreements("asyncua", changed)) == 4


def test_what_is_not_permissive_in_the_lock_is_known() -> None:
    other = set()
    for name in dependencies.locked():
        try:
            said = dependencies.licence_of(distribution(name), text=False)
        except ModuleNotFoundError:  # locked for another system
            continue
        if "GPL" in said or "MPL" in said or "Mozilla" in said:
            other.add(name)
    assert other == {"asyncua", "certifi", "fido2", "pathspec"}
