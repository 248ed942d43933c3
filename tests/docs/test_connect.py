"""docs/howto/connect-your-system.md, followed line by line against the test profile."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gridctl.assembly_vtn import PREFIX
from tests.docs.markdown import ROOT, shell_blocks
from tests.peers.openadr.vtn import running_test_vtn

PAGE = ROOT / "docs/howto/connect-your-system.md"
WRITTEN = "http://127.0.0.1:8081"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    blocks = [block for block in shell_blocks(PAGE) if not block.startswith(".venv/bin/")]
    script = "\n".join(blocks)
    assert WRITTEN in script
    with running_test_vtn(tmp_path) as vtn:
        host = vtn.url.removesuffix(PREFIX)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(WRITTEN, host)],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"READING"' in done.stdout
        assert '"unverified": 0' in done.stdout or '"unverified":0' in done.stdout
        assert ",37.5,good," in done.stdout
        # the carrier of dispatches takes the event of the cancelled one away within a second or so
        names = [event["eventName"] for event in vtn.call("GET", "/events")]
        assert set(names) <= {"TEST spring probe"}
