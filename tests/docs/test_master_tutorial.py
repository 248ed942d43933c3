"""docs/tutorial/your-own-master.md: a stranger follows it, command by command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, lines_of, shell_blocks
from tests.journeys.running_demo import gridctl

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

PAGE = ROOT / "docs/tutorial/your-own-master.md"
READY_S, END_S, RUN_S = 180.0, 90.0, 8.0


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        gridctl(*words), cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@contextmanager
def simulator(folder: Path, *words: str) -> Iterator[str]:
    """`gridctl sim …` from what it prints to Ctrl-C."""
    process = subprocess.Popen(
        gridctl("sim", "--page", "0", *words), cwd=folder, stdout=subprocess.PIPE, text=True
    )
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                ready.set()
        ready.set()

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        assert ready.wait(READY_S)
        assert process.poll() is None, "".join(said)
        yield "".join(said)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 0
        reading.join(5.0)
        assert process.stdout is not None
        process.stdout.close()


def test_the_page_can_be_followed_in_an_empty_folder(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8")
    commands = [line for block in shell_blocks(PAGE) for line in lines_of(block)]
    assert commands == [
        f".venv/bin/gridctl {words}"
        for words in (
            "sim",
            "sim status",
            "sim fault lost-operate on DR",
            "sim fault lost-operate off DR",
            "sim --record run.csv",
            "sim exam hot-afternoon --recording run.csv",
            "sim --replay run.csv",
        )
    ]
    program, client = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (variations,) = re.findall(r"^```\n(link,address.*?)^```$", text, re.MULTILINE | re.DOTALL)

    with simulator(tmp_path) as served:
        port = re.search(r"link DR +DNP3 127\.0\.0\.1:(\d+), outstation 20, master 1", served)
        assert port is not None, served
        mine = program.replace("port=24002", f"port={port[1]}")
        assert mine == program or f"port={port[1]}" in mine

        def master(text: str = mine) -> str:
            words = [sys.executable, "-c", text]
            done = subprocess.run(
                words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "204 objects\naccepted: True" in master()
        der = re.search(r"opc\.tcp://127\.0\.0\.1:(\d+)/gridctl", served)
        assert der is not None, served
        assert "told: 30.0 kW" in master(client.replace(":24003/", f":{der[1]}/"))
        assert "2 commands" in run(tmp_path, "sim", "status").stdout
        assert run(tmp_path, "sim", "fault", "lost-operate", "on", "DR").returncode == 0
        assert "accepted: True" not in master()
        assert run(tmp_path, "sim", "fault", "lost-operate", "off", "DR").returncode == 0
        device = ("--dnp3", f"127.0.0.1:{port[1]}", "--outstation", "20", "--link", "DR")
        fits = run(tmp_path, "points", "check", ".gridctl/sim/points.csv", *device)
        assert fits.returncode == 0, fits.stdout + fits.stderr

    (tmp_path / ".gridctl/sim/variations.csv").write_text(variations, "utf-8")
    with simulator(tmp_path, "--record", "run.csv"):
        time.sleep(RUN_S)
    judged = run(tmp_path, "sim", "exam", "hot-afternoon", "--recording", "run.csv")
    assert judged.returncode == 1
    assert "to be judged" in judged.stdout
    with simulator(tmp_path, "--replay", "run.csv"):
        assert "shown" in run(tmp_path, "sim", "status").stdout
