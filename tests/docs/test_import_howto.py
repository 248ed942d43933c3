"""docs/howto/import-a-feeder.md: its commands run one after the other in an empty folder, as a
stranger types them. What starts a pilot is run in tests/journeys/test_foreign_feeders.py."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT, lines_of, shell_blocks
from tests.sim.feeder_import.agreement import CIRCUITS

PAGE = ROOT / "docs/howto/import-a-feeder.md"
PROGRAM = ".venv/bin/gridctl"
PILOT = ("demo", "sim")


def test_the_page_can_be_followed_in_an_empty_folder(tmp_path: Path) -> None:
    shutil.copy(CIRCUITS / "split_phase.dss", tmp_path / "master.dss")
    said: dict[str, str] = {}
    for block in shell_blocks(PAGE):
        for line in lines_of(block):
            program, *words = shlex.split(line)
            assert program == PROGRAM, line
            if words[0] in PILOT:
                continue
            done = subprocess.run(
                [sys.executable, "-P", "-m", "gridctl.cli", *words],
                cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said[" ".join(words[:2])] = done.stdout
    assert "Run it: gridctl demo --feeder .gridctl/feeders/master" in said["feeder import"]
    assert "no mistakes" in said["points check"]
    assert "agree" in said["feeder check"]
    assert {"master", "rural-1000-7"} <= {
        row.split()[0] for row in said["feeder list"].splitlines()
    }
    folder = tmp_path / ".gridctl/feeders/master"
    told = [
        row.split("|")[1] for row in PAGE.read_text("utf-8").splitlines() if row.startswith("| `")
    ]
    named = {name.strip(" `/") for cell in told for name in cell.split(",")}
    assert {p.name for p in folder.iterdir()} == named
    assert (tmp_path / "ieee123.svg").read_text("utf-8").startswith("<svg")
