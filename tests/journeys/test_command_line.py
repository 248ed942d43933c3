"""What programs get from the command line beside a running pilot: `--json` and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridctl.config import load_settings
from tests.journeys.running_demo import RunningDemo, gridctl, make_quick_pilot, running_demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(200)]

DONE, REFUSED, USAGE, CONFIG, NO_ANSWER = 0, 1, 2, 3, 4


def ask(instance: Path, *words: str, **environment: str) -> tuple[int, Any, str]:
    """Exit code, the one JSON value on stdout (None when there is none), stderr."""
    done = subprocess.run(
        gridctl(*words, "--json", "--instance", str(instance)),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    value = json.loads(done.stdout) if done.stdout else None
    return done.returncode, value, done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    instance = make_quick_pilot(tmp_path_factory.mktemp("cli") / "pilot")
    with running_demo(instance, rate=10.0) as running:
        yield running


@pytest.fixture
def operator(demo: RunningDemo) -> dict[str, str]:
    return {"GRIDCTL_USER": "operator-a", "GRIDCTL_PASSWORD": demo.secrets["operator-a"]}


def test_doctor_finds_nothing_bad_beside_the_running_pilot(demo: RunningDemo) -> None:
    code, report, err = ask(demo.instance, "doctor")
    findings = report["findings"]
    assert (code, [f for f in findings if f["state"] == "bad"]) == (DONE, []), err
    assert report["ok"] is True
    assert {"packages", "machine clock", "gridctl.toml", "limits", "points", "database"} <= {
        f["check"] for f in findings
    }
    assert all(f["mend"] for f in findings if f["state"] != "ok")


def test_status_and_plans(demo: RunningDemo, operator: dict[str, str]) -> None:
    code, status, err = ask(demo.instance, "status", **operator)
    assert code == DONE, err
    assert {link["id"] for link in status["links"]} == {"SUB", "DR", "DER"}
    code, listed, err = ask(demo.instance, "plan", "list", **operator)
    assert code == DONE, err
    assert isinstance(listed["plans"], list)


def test_the_record_is_verified_beside_its_writer(demo: RunningDemo) -> None:
    code, check, err = ask(demo.instance, "audit", "verify")
    assert code == DONE, err
    assert check["ok"] is True
    assert check["rows"] > 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("status",), REFUSED, "password"),
        (("plan", "show", "P-0000000000"), REFUSED, "No such plan"),
        (("plan", "approve", "P-0000000000", "--digest", "abc"), REFUSED, "12 characters"),
        (("plan", "approve", "P-0000000000"), USAGE, "digest"),
        (("db", "upgrade"), CONFIG, "control.db"),
        (("user", "add", "c", "--role", "VIEWER", "--full-name", "C"), CONFIG, "control.db"),
    ],
)
def test_a_refusal_has_its_exit_code_and_nothing_on_stdout(
    demo: RunningDemo, operator: dict[str, str], words: tuple[str, ...], code: int, says: str
) -> None:
    """The last two: the office has the database; nobody else writes to it meanwhile."""
    if words == ("status",):
        operator["GRIDCTL_PASSWORD"] = "wrong"
    found, value, err = ask(demo.instance, *words, **operator)
    assert (found, value) == (code, None), err
    assert says in err


def test_a_plan_is_packed_verified_elsewhere_and_made_again(
    demo: RunningDemo, operator: dict[str, str], tmp_path: Path
) -> None:
    """The real mind's decision, from the record and from the pack: the same bit for bit."""
    plan = ""
    for _ in range(30):
        _, listed, _ = ask(demo.instance, "plan", "list", **operator)
        if listed["plans"]:
            plan = listed["plans"][0]["id"]
            break
        time.sleep(1.0)
    assert plan, "no plan in half a minute"
    pack = tmp_path / "pack.zip"
    code, made, err = ask(demo.instance, "evidence", plan, "-o", str(pack))
    assert (code, made["about"]) == (DONE, plan), err
    assert set(made["absent"]) == {f"plans/{plan}/wire.json"}, "nothing was ordered yet"
    key = load_settings(demo.instance / "gridctl.toml").link.office_public_key
    done = elsewhere("evidence", "verify", str(pack), "--key", str(key), "--json", folder=tmp_path)
    assert json.loads(done.stdout)["ok"] is True, done.stdout
    changed = tmp_path / "changed.zip"
    changed.write_bytes(pack.read_bytes().replace(b'"kw":', b'"kW":', 1))
    assert elsewhere("evidence", "verify", str(changed), folder=tmp_path).returncode == REFUSED
    code, again, err = ask(demo.instance, "replay", plan)
    assert (code, again["same"]) == (DONE, True), f"{again} {err}"
    done = elsewhere("replay", str(pack), "--json", folder=tmp_path)
    assert json.loads(done.stdout)["same"] is True, done.stdout


def elsewhere(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As on a machine that has gridctl and the pack, and nothing of the instance."""
    return subprocess.run(
        gridctl(*words), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_nobody_answers(tmp_path: Path, demo: RunningDemo, operator: dict[str, str]) -> None:
    code, value, err = ask(tmp_path, "status", **operator)
    assert (code, value) == (CONFIG, None)
    assert "gridctl.toml" in err


def test_stop_then_end_then_mend(demo: RunningDemo, operator: dict[str, str]) -> None:
    """The last of this file: STOP, Ctrl-C, and what works on a pilot that does not run."""
    code, stopped, err = ask(demo.instance, "stop", "--reason", "the last test")
    assert code == DONE, err
    assert stopped["stopped"] is True
    assert demo.interrupt() == 0
    code, value, err = ask(demo.instance, "status", **operator)
    assert (code, value) == (NO_ANSWER, None), err
    code, upgraded, err = ask(demo.instance, "db", "upgrade")
    assert code == DONE, err
    assert upgraded["before"] == upgraded["after"]
    code, made, err = ask(
        demo.instance, "user", "add", "viewer-c", "--role", "VIEWER", "--full-name", "A viewer"
    )
    assert code == DONE, err
    assert made["user"] == "viewer-c"
    assert len(made["password"]) >= 16
    code, check, err = ask(demo.instance, "audit", "verify")
    assert (code, check["ok"]) == (DONE, True), err
