"""`gridctl demo` as a person starts it: a process with its own folder, ports and rate.

What it prints is read as a person would read it; how it ends is asked of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gridctl.config import load_settings
from gridctl.demo import set_keys
from gridctl.remote import Remote
from sim.instance_ports import reserved_ports
from tests.pilot import make_pilot

READY_S = 120.0
END_S = 25.0
SECRET = re.compile(r"^ {4}(\S+) .*(?:password|OpenADR secret) (\S+)$", re.MULTILINE)


def make_quick_pilot(folder: Path, *, url: str | None = None) -> Path:
    """A pilot that has never run, with eight days of history, that plans every five seconds."""
    make_pilot(folder)
    set_keys(folder / "gridctl.toml", {("planning", "cycle_s"): 5.0})
    if url is not None:
        set_keys(folder / "gridctl.toml", {("database", "url"): url})
    return folder


def gridctl(*arguments: str) -> list[str]:
    """The command line of this installation."""
    return [sys.executable, "-P", "-m", "gridctl.cli", *arguments]


@dataclass
class RunningDemo:
    """A demo that is up. `secrets`: by name, as it printed them; empty when it printed none."""

    instance: Path
    port: int
    process: subprocess.Popen[str]
    log: Path
    began_s: float
    ready_s: float = 0.0
    printed: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        """Everything on stdout so far."""
        return "".join(self.printed)

    @property
    def secrets(self) -> dict[str, str]:
        return dict(SECRET.findall(self.text))

    def signed_in(self, user: str, secret: str | None = None) -> Remote:
        """A session of `user`, with the secret that was printed or is given."""
        remote = Remote(self.url)
        remote.sign_in(user, secret or self.secrets[user])
        return remote

    def family(self) -> set[int]:
        """The process and everything below it, whatever session it is in."""
        children: dict[int, set[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := _parent(int(entry.name))) is not None:
                children.setdefault(parent, set()).add(int(entry.name))
        found, ask = {self.process.pid}, [self.process.pid]
        while ask:
            new = children.get(ask.pop(), set()) - found
            found |= new
            ask.extend(new)
        return found

    def ports(self) -> list[int]:
        """The console's port and those of the devices, as the settings say."""
        links = load_settings(self.instance / "gridctl.toml").field.links
        options = [link.options() for link in links]
        devices = [o.get("port") or urlsplit(str(o.get("url"))).port for o in options]
        return [self.port, *(int(port or 0) for port in devices)]

    def commands_at_devices(self) -> int:
        """How many commands the simulated devices have received, says the instructor."""
        with socket.socket(socket.AF_UNIX) as station, station.makefile("rw") as lines:
            station.settimeout(10)
            station.connect(str(self.instance / "run" / "sim.sock"))
            lines.write('{"do": "status"}\n')
            lines.flush()
            return int(json.loads(lines.readline())["commands"]["total"])

    def interrupt(self) -> int:
        """Ctrl-C. The exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(END_S)

    def why(self) -> str:
        """The end of its log, for a failed test."""
        return self.log.read_text(encoding="utf-8")[-4000:]


@contextmanager
def running_demo(
    instance: Path, *, rate: float, feeder: str = "", ready_s: float = READY_S
) -> Iterator[RunningDemo]:
    """A demo on a free port, from ready to gone: whatever a failed test left of it is killed.
    `feeder`: another one than the bundled."""
    log = instance.parent / f"{instance.name}.log"
    with reserved_ports(1) as (port,), log.open("a", encoding="utf-8") as err:
        options = ["--instance", str(instance), "--port", str(port), "--rate", str(rate)]
        options += ["--feeder", feeder] if feeder else []
        process = subprocess.Popen(
            gridctl("demo", *options), stdout=subprocess.PIPE, stderr=err, text=True
        )
        demo = RunningDemo(instance, port, process, log, began_s=time.monotonic())
        ready = threading.Event()
        reading = threading.Thread(target=_read, args=(demo, ready), daemon=True)
        reading.start()
        try:
            assert ready.wait(ready_s), f"not ready within {ready_s:g} s:\n{demo.why()}"
            assert demo.ready_s > 0, f"ended with code {process.wait()}:\n{demo.why()}"
            yield demo
        finally:
            left = demo.family()
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_S)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
            reading.join(5)


def _read(demo: RunningDemo, ready: threading.Event) -> None:
    """Collect what the demo prints; ready at the last line of its welcome, or at its end."""
    stdout = demo.process.stdout
    assert stdout is not None
    with stdout:
        for line in stdout:
            demo.printed.append(line)
            if "Ctrl-C ends the pilot" in line:
                demo.ready_s = time.monotonic() - demo.began_s
                ready.set()
    ready.set()


def _parent(pid: int) -> int | None:
    """Parent of a process that runs; None when it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def is_running(pid: int) -> bool:
    """Whether a process is still there."""
    return _parent(pid) is not None


def is_open(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
