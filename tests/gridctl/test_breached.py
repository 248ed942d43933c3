"""SG-33: the list of lost passwords is searched where it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gridctl.breached import BreachedList
from gridctl.model.errors import ConfigError


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
@pytest.mark.parametrize("form", ["{}\n", "{}:17\n", "{}:3\r\n"])
def test_sg33_every_line_is_found_and_nothing_else(tmp_path: Path, count: int, form: str) -> None:
    lost = [f"lost {i}" for i in range(count)]
    file = tmp_path / "lost.txt"
    file.write_text("".join(form.format(d) for d in sorted(map(digest, lost))), newline="")
    found = BreachedList(file)
    assert all(found.knows(password) for password in lost)
    assert not any(found.knows(f"kept {i}") for i in range(200))


def test_small_letters_are_digests_too(tmp_path: Path) -> None:
    file = tmp_path / "lost.txt"
    file.write_text("".join(f"{digest(w).lower()}\n" for w in sorted(["a", "b"], key=digest)))
    assert BreachedList(file).knows("b")


def test_sg33_another_file_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("password\nletmein\n")
    with pytest.raises(ConfigError, match="SHA-1"):
        BreachedList(file)
    with pytest.raises(ConfigError, match="read"):
        BreachedList(tmp_path / "nothing")
