"""`gridctl serve --profile openadr-test` as a process of its own, as other people start it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gridctl.assembly_vtn import CLIENTS, PREFIX
from tests.ports import free_port

SECRETS = {client_id: secret for client_id, _, secret in CLIENTS}
READY_S = 60.0


class TestVtn:
    """A running test VTN; `log` is what it has said."""

    __test__ = False

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}{PREFIX}"
        self.log = log

    def token(self, client_id: str) -> str:
        """A new token of one of the seeded clients."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": SECRETS[client_id],
        }
        data = urllib.parse.urlencode(form).encode()
        url = f"{self.url}/auth/token"
        with urllib.request.urlopen(url, data, timeout=10) as answer:  # noqa: S310 - our own
            return str(json.load(answer)["access_token"])

    def call(self, method: str, path: str, body: object = None, *, who: str = "bl_client") -> Any:
        """The JSON that it answers with; raises for anything but success."""
        request = urllib.request.Request(  # noqa: S310 - our own
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token(who)}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
            return json.load(answer)


@contextmanager
def running_test_vtn(folder: Path, *options: str) -> Iterator[TestVtn]:
    """Started, listening, and ended by SIGTERM; it has to end well and without a traceback."""
    port = free_port()
    log = folder / "vtn.log"
    gridctl = str(Path(sys.executable).parent / "gridctl")
    command = [gridctl, "serve", "--profile", "openadr-test", "--port", str(port), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            vtn = TestVtn(port, log)
            _await(vtn, process)
            yield vtn
        finally:
            process.terminate()
            code = process.wait(timeout=30)
    said = log.read_text(errors="replace")
    assert code == 0, said[-2000:]
    # what is no HTTP is told by aiohttp with a traceback of its own
    assert said.count("Traceback") == said.count("aiohttp.http_exceptions."), said[-4000:]


def _await(vtn: TestVtn, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if vtn.url in vtn.log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise AssertionError(f"the test VTN did not start: {vtn.log.read_text(errors='replace')}")
