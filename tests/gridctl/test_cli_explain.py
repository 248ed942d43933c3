"""`gridctl plan explain`: the findings of a plan as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridctl import cli_desk

DETAIL: dict[str, Any] = {
    "id": "P-1",
    "digest": "abc",
    "state": "proposed",
    "reason": "",
    "held": None,
    "why": [
        {
            "resource": "LG07",
            "name": "Quarry",
            "from": "15:30",
            "to": "18:00",
            "text": "moves to keep the import within the limit",
        },
    ],
    "findings": [
        {"kind": "forecast", "text": "If the load is 10 % above the forecast, all is well."},
        {"kind": "binding", "text": "The head import (150) holds the plan back."},
        {"kind": "binding", "text": "The contract target (Peak) holds the plan back."},
    ],
}


class _Office:
    def get(self, path: str) -> dict[str, Any]:
        assert path == "/plans/P-1"
        return DETAIL


@pytest.fixture(autouse=True)
def office(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def signed_in(instance: Path, user: str) -> Iterator[_Office]:
        yield _Office()

    monkeypatch.setattr(cli_desk, "signed_in", signed_in)


def test_findings_stand_under_headings_in_the_order_of_the_questions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "Plan P-1, proposed",
        "",
        "What holds it back",
        "  The head import (150) holds the plan back.",
        "  The contract target (Peak) holds the plan back.",
        "",
        "If the forecast is wrong",
        "  If the load is 10 % above the forecast, all is well.",
    ]


def test_a_plan_that_is_held_says_so_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"plan": "P-1", "since": "2026-07-15T20:00:00Z", "reason": "no plan within 20 s"}
    monkeypatch.setitem(DETAIL, "held", held)
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "No new plan since 2026-07-15T20:00:00Z: no plan within 20 s"
    assert "the last that passed its AC check" in said[2]


def test_of_one_device_why_it_moves(capsys: pytest.CaptureFixture[str]) -> None:
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=False, device="LG07")
    assert capsys.readouterr().out.splitlines() == [
        "15:30 to 18:00: Quarry moves to keep the import within the limit",
    ]
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=False, device="LG08")
    assert capsys.readouterr().out == "The plan does not move LG08.\n"


def test_json_is_the_findings_and_the_reasons_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == {key: DETAIL[key] for key in ("id", "digest", "findings", "why")}


def test_a_plan_without_findings_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETAIL, "findings", [])
    monkeypatch.setitem(DETAIL, "reason", "no control needed")
    cli_desk.explain_plan(Path(), "P-1", user="a", as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "Plan P-1, proposed: no control needed",
        "Nothing holds it back, nothing is missed, nobody is left out.",
    ]
