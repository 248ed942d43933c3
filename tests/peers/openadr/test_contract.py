"""The published contract against the test profile, by schemathesis, as business logic and as a VEN.

schemathesis makes requests of every kind that the contract allows and forbids, and judges every
answer by it. What is different on purpose stands in schemathesis/hooks.py, each with its reason.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.peers.environments import python_of
from tests.peers.openadr.vtn import TestVtn, running_test_vtn

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("GRIDCTL_SHARED", Path(__file__).parents[4] / "shared"))
CONTRACT = SHARED / "openadr" / "openadr3-3.1.0-fixed.yaml"
OPERATIONS = 45

NOT_CHECKED = "positive_data_acceptance"
"""We refuse what the contract's types would let through: NUL in a text, integers beyond 2**53,
JSON deeper than 16 levels, callbacks that cannot be called."""

STEPS = """
[phases.stateful]
max-steps = 6

[phases.stateful.generation]
max-examples = {examples}
"""
"""To read, replace and delete what was made takes more tries than one request alone."""


def judged(vtn: TestVtn, who: str, folder: Path, *, examples: int, seed: int) -> dict[str, Any]:
    """Schemathesis's report on what `who` may do."""
    tool = HERE / "schemathesis"
    report = folder / "report.json"
    steps = STEPS.format(examples=10 * examples)
    (folder / "schemathesis.toml").write_text(steps, encoding="utf-8")
    command = [
        str(python_of(tool).parent / "schemathesis"),
        *("run", str(CONTRACT), "--url", vtn.url),
        *("--header", f"Authorization: Bearer {vtn.token(who)}"),
        *("--max-examples", str(examples), "--seed", str(seed)),
        *("--exclude-checks", NOT_CHECKED, "--continue-on-failure", "--no-shrink"),
        # One worker: in CPython 3.11 two threads that parse at once trip over each other.
        # How fast data are made on a busy machine says nothing of us.
        *("--suppress-health-check", "too_slow"),
        *("--report", "json", "--report-json-path", str(report), "--workers", "1"),
    ]
    environ = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": str(tool / "hooks.py"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **seeded(vtn),
    }
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=3000, check=False
    )
    assert report.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
    told: dict[str, Any] = json.loads(report.read_text())
    faults = done.stdout.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]
    assert done.returncode == 0, f"{told['failures']}\n{faults[:8000]}"
    return told


def seeded(vtn: TestVtn) -> dict[str, str]:
    """Something to refer to."""
    program = vtn.call("POST", "/programs", {"programName": "seed"})["id"]
    event = vtn.call("POST", "/events", {"programID": program})["id"]
    ven = vtn.call("POST", "/vens", {"venName": "seed"}, who="ven_client")["id"]
    return {"SEED_PROGRAM": program, "SEED_EVENT": event, "SEED_VEN": ven}


def check(folder: Path, who: str, *, examples: int, seed: int) -> None:
    if not CONTRACT.is_file():
        pytest.skip(f"{CONTRACT} is not there (set GRIDCTL_SHARED)")
    with running_test_vtn(folder) as vtn:
        told = judged(vtn, who, folder, examples=examples, seed=seed)
    assert told["failures"] == []
    assert told["errors"] == []
    assert told["operations"]["tested"] == OPERATIONS


@pytest.mark.parametrize("who", ["bl_client", "ven_client"])
def test_contract(tmp_path: Path, who: str) -> None:
    check(tmp_path, who, examples=2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("who", ["bl_client", "ven_client"])
def test_contract_at_length(tmp_path: Path, who: str) -> None:
    check(tmp_path, who, examples=60, seed=int(os.environ.get("GRIDCTL_SEED", "1")))
