"""docs/tutorial/optimizer-by-itself.md: its lines run in order, and do what the page says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs/tutorial/optimizer-by-itself.md"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *words], cwd=folder, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 7
    done = run(tmp_path, "-c", "\n".join(blocks))
    assert done.returncode == 0, done.stderr
    status, ok, highest_kw = re.findall(
        r"^(\w+) (True|False) ([\d.]+)$", done.stdout, re.MULTILINE
    )[0]
    assert (status, ok) == ("optimal", "True")
    assert float(highest_kw) <= 1000.5
    assert " coolers " in done.stdout
    assert "would cost" in done.stdout, "the findings say why"
    dispatch = re.search(r"^dispatch (\w+) \[(.*)\]$", done.stdout, re.MULTILINE)
    assert dispatch is not None
    assert dispatch.group(1) in ("optimal", "feasible")
    by_hour = [int(kw) for kw in dispatch.group(2).split(", ")]
    assert by_hour[3] > 0 > min(by_hour[0], by_hour[1]), "sells at the dearest hour, buys before"
    bounded, cooled = (
        [int(kw) for kw in found.split(", ")]
        for found in re.findall(r"^cold stores \[(.*)\]$", done.stdout, re.MULTILINE)
    )
    assert min(bounded) == 0 > min(cooled)
    assert sum(bounded) <= 151 < sum(kw for kw in cooled if kw > 0), "the call is longer"
    assert "coolers 0 to 1 is cooled ahead of its call" in done.stdout
    svg = (tmp_path / "head.svg").read_text("utf-8")
    assert svg.count("<polyline") == 2

    again = run(tmp_path, "-m", "optimizer", "problem.json", "--svg", "again.svg")
    assert again.returncode == 0, again.stderr
    assert "optimal: the plan holds every limit" in again.stdout
    assert (tmp_path / "again.svg").read_text("utf-8") == svg

    result: dict[str, Any] = json.loads(
        run(tmp_path, "-m", "optimizer", "problem.json", "--json").stdout
    )
    assert max(result["head_after_kw"]) == float(highest_kw)
