"""Methods are data: what a programme's own file may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from optimizer.baselines.methods import OWN_FILE, load_methods

ONE = """version = "1"
[[method]]
id = "own"
title = "Own"
rule = "days"
weekday = { look = 3, keep = 2, least = 2, choose = "highest" }
weekend = { look = 3, keep = 2, least = 2, choose = "highest" }
adjust = "ratio"
pre = [2.0, 1.0]
cap = [0.9, 1.1]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "methods.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_changed_cap_is_another_digest(tmp_path: Path) -> None:
    first = load_methods(write(tmp_path, ONE))["own"]
    second = load_methods(write(tmp_path, ONE.replace("1.1]", "1.2]")))["own"]
    assert first.cap == (0.9, 1.1)
    assert first.digest() != second.digest()
    assert load_methods(write(tmp_path, ONE.replace('"1"', '"2"')))["own"].version == "2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("cap =", "caps ="), r"method\[0\]\.caps: no such key"),
        (('"highest" }\nweekend', '"best" }\nweekend'), "best"),
        (('rule = "days"', 'rule = "moon"'), "moon"),
        (("pre = [2.0, 1.0]", "pre = [2.0]"), r"method\[0\]"),
        (('version = "1"', ""), "version"),
        (('rule = "days"', 'rule = "mean"\nof = ["other"]'), "no such method"),
        (("[[method]]", "[[method"), "methods.toml"),
    ],
)
def test_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_methods(write(tmp_path, ONE.replace(*change)))


def test_every_method_of_ours_is_of_one_version() -> None:
    assert len({method.version for method in load_methods(OWN_FILE).values()}) == 1
