"""Our own OpenAPI document against the server that serves it, by schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from gridctl.assembly_vtn import PLATFORM_PREFIX, PREFIX
from gridctl.platform_api.operations import OPERATIONS
from tests.peers.environments import python_of
from tests.peers.openadr.vtn import running_test_vtn

TOOL = Path(__file__).parent / "schemathesis"
NOT_CHECKED = "positive_data_acceptance"
"""A document cannot say that an id has to be that of something, or that an end comes after its
start."""


SECTIONS = ("= ERRORS =", "= FAILURES =")


def check(folder: Path, who: str, *, examples: int, seed: int) -> None:
    with running_test_vtn(folder) as vtn:
        base = vtn.url.removesuffix(PREFIX) + PLATFORM_PREFIX
        with urllib.request.urlopen(f"{base}/openapi.json", timeout=10) as answer:  # noqa: S310 - our own
            served = answer.read()
        document = folder / "openapi.json"
        document.write_bytes(served)
        report = folder / "report.json"
        command = [
            str(python_of(TOOL).parent / "schemathesis"),
            *("run", str(document), "--url", base),
            *("--header", f"Authorization: Bearer {vtn.token(who)}"),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--exclude-checks", NOT_CHECKED, "--continue-on-failure", "--no-shrink"),
            *("--phases", "examples,coverage,fuzzing", "--workers", "1"),
            # One worker: in CPython 3.11 two threads that parse at once trip over each other.
            # How fast data are made on a busy machine says nothing of us.
            *("--suppress-health-check", "too_slow"),
            *("--report", "json", "--report-json-path", str(report)),
        ]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
        )
    assert report.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(report.read_text())
    # From the first of the two sections, whichever there is.
    faults = done.stdout[
        min(i for i in (*map(done.stdout.find, SECTIONS), len(done.stdout)) if i >= 0) :
    ]
    assert done.returncode == 0, f"{told['failures']}\n{faults[:8000]}"
    assert told["failures"] == []
    assert told["errors"] == []
    assert told["operations"]["tested"] == len(OPERATIONS)


def test_document(tmp_path: Path) -> None:
    check(tmp_path, "bl_client", examples=1, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("who", ["bl_client", "ven_client"])
def test_document_at_length(tmp_path: Path, who: str) -> None:
    check(tmp_path, who, examples=40, seed=int(os.environ.get("GRIDCTL_SEED", "1")))
