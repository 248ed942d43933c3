"""The page of plan rules: all eighteen stand there, and every file, checker, test and sentence that
it names is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs/reference/plan-rules.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]
SAID = "".join(
    re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
    for folder in ("optimizer", "gridctl/model")
    for path in sorted((ROOT / folder).rglob("*.py"))
)


def test_all_eighteen_rules_stand_there_in_order() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 19))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_rule_names_is_there(row: list[str]) -> None:
    _, _, rows, checkers, tests, says = row
    for path in re.findall(r"`([^`]+)`", rows):
        assert (ROOT / path).is_file(), path
    for file, function in re.findall(r"`(\w+\.py):(\w+)`", checkers):
        source = (ROOT / "tests/optimizer" / file).read_text("utf-8")
        assert f"def {function}(" in source, f"{file}:{function}"
    assert checkers.startswith(("`", "–"))
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    for one in named:
        file, _, function = one.partition("::")
        source = (ROOT / file).read_text("utf-8")
        assert not function or f"def {function}(" in source, one
    (sentence,) = re.findall(r'"([^"]+)"', says)
    assert sentence in SAID, f"no plan says {sentence!r}"


def test_every_file_and_test_of_the_first_table_is_there() -> None:
    """Rows are in optimizer/, tests in tests/optimizer/ where nothing else is said."""
    table = PAGE.split("## The eighteen rules", maxsplit=1)[0] + PAGE.split("## Objectives")[1]
    places = ("", "optimizer/", "optimizer/resources/", "tests/", "tests/optimizer/",
              "tests/optimizer/resources/")  # fmt: skip
    for path in re.findall(r"`([\w/]+\.py)`", table):
        assert any((ROOT / place / path).is_file() for place in places), path
