"""Clients of other people, unmodified from PyPI, each in an environment of its own.

Each `drive.py` runs in its client's environment against `gridctl serve --profile openadr-test`:
register, subscribe, event, report, delete, as far as the client can do it. What is not in a
client is done by business logic here, and what has come of it is looked at on our side.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.peers.environments import python_from, python_of
from tests.peers.openadr.vtn import TestVtn, running_test_vtn

# Builds five environments from the registry: a campaign of its own, `make soak`.
pytestmark = pytest.mark.soak

HERE = Path(__file__).parent
WAIT_S = 15.0


@pytest.fixture(scope="module")
def vtn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestVtn]:
    with running_test_vtn(tmp_path_factory.mktemp("vtn")) as running:
        yield running
        for room in ("vens", "programs", "events", "reports", "subscriptions", "resources"):
            assert running.call("GET", f"/{room}") == [], f"{room} are left"


def drive(client: str, folder: Path, *arguments: str, python: Path | None = None) -> dict[str, Any]:
    """What `client` says of its run: the last line of its output."""
    done = subprocess.run(
        [str(python or python_of(HERE / client)), str(HERE / client / "drive.py"), *arguments],
        cwd=folder,
        env={**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def an_event(vtn: TestVtn, name: str) -> tuple[str, str]:
    program = vtn.call("POST", "/programs", {"programName": name})["id"]
    interval = {"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}
    event = {"programID": program, "eventName": f"from {name}", "intervals": [interval]}
    return program, vtn.call("POST", "/events", event)["id"]


def deleted(vtn: TestVtn, program: str, event: str) -> list[Any]:
    """The reports about `event`, which goes with its programme and all that hangs on them."""
    reports: list[Any] = vtn.call("GET", f"/reports?eventID={event}")
    for report in reports:
        vtn.call("DELETE", f"/reports/{report['id']}", who="ven_client")
    vtn.call("DELETE", f"/events/{event}")
    vtn.call("DELETE", f"/programs/{program}")
    return reports


def test_openadr3(vtn: TestVtn, tmp_path: Path) -> None:
    with a_receiver() as (url, heard, arrived):
        told = drive("openadr3", tmp_path, vtn.url, url)
        assert arrived.wait(WAIT_S)
    assert told["seen"] == ["from openadr3"]
    assert told["reported"]
    assert told["deleted"] == [200] * 5
    assert [(one["operation"], one["object"]["id"]) for one in heard][:1] == [
        ("CREATE", told["event"])
    ]


def test_python_oa3_client(vtn: TestVtn, tmp_path: Path) -> None:
    told = drive("python-oa3-client", tmp_path, vtn.url)
    assert told == {
        "seen": ["from oa3"],
        "reported": True,
        "deleted": [200] * 5,
        "heard": ["CREATE", "DELETE"],
        "mqtt": False,
    }


def test_openadr3_client(vtn: TestVtn, tmp_path: Path) -> None:
    interpreter = python_from(12)
    if interpreter is None:
        pytest.skip("openadr3-client needs Python 3.12 or later")
    python = python_of(HERE / "openadr3-client", interpreter)
    told = drive("openadr3-client", tmp_path, vtn.url, python=python)
    assert told == {
        "seen": ["from elaad"],
        "reported": True,
        "deleted": True,
        "start": "2030-01-01 00:00:00+00:00",
    }


def test_oadr30_ven_ud(vtn: TestVtn, tmp_path: Path) -> None:
    program, event = an_event(vtn, "eisy")
    told = drive("oadr30-ven-ud", tmp_path, vtn.url, program, event)
    assert told == {"ven": "eisy", "again": True, "programs": ["eisy"], "seen": ["from eisy"]}
    (report,) = deleted(vtn, program, event)
    assert report["resources"][0]["resourceName"] == "eisy.system"
    (ven,) = vtn.call("GET", "/vens?venName=eisy")
    vtn.call("DELETE", f"/vens/{ven['id']}")


def test_toadr3(vtn: TestVtn, tmp_path: Path) -> None:
    program, event = an_event(vtn, "toadr3")
    told = drive("toadr3", tmp_path, vtn.url, program)
    assert told == {"programs": ["toadr3"], "seen": ["from toadr3"], "missing": ["programID"]}
    (report,) = deleted(vtn, program, event)
    assert report["clientName"] == "toadr3"


class a_receiver:  # noqa: N801 - reads as a call
    """A callback that echoes its challenge: (url, what it heard, set when it heard something)."""

    def __enter__(self) -> tuple[str, list[Any], threading.Event]:
        heard: list[Any] = []
        arrived = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(parse_qs(urlsplit(self.path).query)["echo"][0].encode())

            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                arrived.set()
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/hook", heard, arrived

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
