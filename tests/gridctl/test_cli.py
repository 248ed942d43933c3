"""What every command begins with."""

from __future__ import annotations

import os

import pytest

from gridctl import cli


def test_the_linear_algebra_of_every_command_has_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen: list[str | None] = []
    monkeypatch.setattr(cli, "app", lambda: seen.append(os.environ.get("OMP_NUM_THREADS")))
    cli.main()
    assert seen == ["1"]


def test_who_wants_more_threads_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(cli, "app", lambda: None)
    cli.main()
    assert os.environ["OMP_NUM_THREADS"] == "4"
