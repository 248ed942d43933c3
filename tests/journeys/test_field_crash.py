"""The native DNP3 library ends its process by a signal: the office does not even stumble.

The field agent is a process of its own for exactly this (dnp3.md G1, G4, G5: one raising callback
aborts it, one call in the wrong place is a segmentation fault).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridctl.model.errors import UnavailableError
from gridctl.remote import Remote
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

START_S = 90.0
RETURN_S = 10.0
SLACK_S = 5.0
"""What a test machine with other work may add."""


class Pilot:
    """`gridctl demo` as a process, seen through its console."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.remote = Remote(f"http://127.0.0.1:{port}")
        self.told: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(line)

    def close(self) -> None:
        self._reader.join(5.0)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def sign_in(self) -> None:
        found = self.until(
            lambda: re.search(r"operator-a\s+\S+\s+password (\S+)", "".join(self.told)), START_S
        )
        assert found, "".join(self.told)[-3_000:]
        self.remote.sign_in("operator-a", found[1])

    def links(self) -> dict[str, str]:
        return {link["id"]: link["state"] for link in self.remote.get("/overview")["links"]}

    def all_up(self) -> bool:
        frame = self.remote.get("/overview")
        states = [link["state"] for link in frame["links"]]
        return bool(frame["field_connected"]) and len(states) == 3 and set(states) == {"up"}

    def field_pid(self) -> int | None:
        """The field agent among the office's children."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if b"field" in words:
                    return int(child)
        return None

    def until(self, condition: Any, seconds: float) -> Any:
        """What `condition` gives as soon as it is true; its last word when time is up."""
        deadline_s = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < deadline_s:
            assert self.process.poll() is None, "".join(self.told)[-3_000:]
            time.sleep(0.1)
        return found


@contextmanager
def pilot(folder: Path) -> Iterator[Pilot]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "gridctl.cli", "demo", "--rate", "1",
         "--instance", str(folder / "pilot"), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    one = Pilot(process, port)
    try:
        yield one
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30.0)
        finally:
            process.kill()
            one.close()


def test_a_crash_of_the_native_library_is_the_fields_alone(tmp_path: Path) -> None:
    with pilot(tmp_path) as one:
        one.sign_in()
        assert one.until(one.all_up, 60.0), one.links()
        for number in (signal.SIGSEGV, signal.SIGABRT):
            dead = one.field_pid()
            assert dead is not None
            os.kill(dead, number)
            killed_s = time.monotonic()
            silences = _until_back(one, dead, killed_s)
            back_s = time.monotonic() - killed_s
            assert one.all_up(), (number.name, one.links(), "".join(one.told)[-3_000:])
            assert back_s < RETURN_S + SLACK_S
            assert not silences, f"the console was silent: {silences}"
            assert one.process.poll() is None
        text = "".join(one.told)
        assert text.count("field agent ended with code") == 2, text[-3_000:]


def _until_back(one: Pilot, dead: int, killed_s: float) -> list[str]:
    """Ask the console all the time until the links are up again; what it failed to answer."""
    silences = []
    seen_down = False
    while time.monotonic() < killed_s + RETURN_S + SLACK_S:
        asked_s = time.monotonic()
        try:
            up = one.all_up()
        except UnavailableError as error:
            silences.append(str(error))
            up = False
        if (took_s := time.monotonic() - asked_s) > 2.0:
            silences.append(f"{took_s:.1f} s for an answer")
        seen_down = seen_down or not up
        if up and seen_down and one.field_pid() not in (None, dead):
            break
        time.sleep(0.1)
    return silences
