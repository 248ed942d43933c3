"""The key file of an instance seals; a copy of the database alone opens nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from gridctl.sealing import load_sealer


def test_the_key_is_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    file = tmp_path / "users.key"
    sealed = load_sealer(file).seal(b"secret", about="anna")
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in sealed
    assert load_sealer(file).open(sealed, about="anna") == b"secret"


def test_another_person_another_key_and_a_flipped_bit_open_nothing(tmp_path: Path) -> None:
    sealer = load_sealer(tmp_path / "users.key")
    sealed = sealer.seal(b"secret", about="anna")
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    with pytest.raises(ConfigError, match="bert"):
        sealer.open(sealed, about="bert")
    with pytest.raises(ConfigError, match="anna"):
        sealer.open(flipped, about="anna")
    with pytest.raises(ConfigError, match="put back the key file"):
        load_sealer(tmp_path / "other.key").open(sealed, about="anna")


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "users.key"
    file.write_text("hello")
    with pytest.raises(ConfigError, match="32 bytes"):
        load_sealer(file)
