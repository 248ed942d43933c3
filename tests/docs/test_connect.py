"""docs/howto/connect-your-system.md, followed line by line against the test profile."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs.markdown import ROOT, shell_blocks
from tests.peers.openadr.vtn import running_test_vtn

PAGE = ROOT / "docs/howto/connect-your-system.md"
WRITTEN = "http://127.0.0.1:8081/openadr3/3.1.0"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    blocks = [block for block in shell_blocks(PAGE) if not block.startswith(".venv/bin/")]
    script = "\n".join(blocks)
    assert WRITTEN in script
    with running_test_vtn(tmp_path) as vtn:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(WRITTEN, vtn.url)],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"READING"' in done.stdout
        assert vtn.call("GET", "/events") == []
