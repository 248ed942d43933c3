"""Logs: for machines as JSON, for a person as text, and a child as its parent."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gridctl.observe import FORMAT, set_up_logging

SAYS = (
    "import logging\n"
    "from gridctl.observe import set_up_logging\n"
    "set_up_logging(level='info')\n"
    "logging.getLogger('x').info('to say')\n"
)


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(FORMAT, raising=False)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def _child() -> str:
    done = subprocess.run(
        [sys.executable, "-c", SAYS], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stderr


def test_a_child_writes_as_its_parent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT, "")
    set_up_logging(level="info", as_json=False)
    assert "INFO    x: to say" in _child()
    set_up_logging(level="info", as_json=True)
    assert json.loads(_child())["message"] == "to say"


def test_json_when_nobody_said() -> None:
    assert json.loads(_child())["logger"] == "x"
