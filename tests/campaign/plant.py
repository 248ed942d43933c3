"""The recording outstation of the campaign: its own process's memory survives every kill.

One JSON object a line over a Unix socket: {"op": "read"} asks for every value, {"op": "operate", …}
sets one. What was operated is kept in the order in which it came, with the name of its command.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gridctl.small_site import ToyPlant

ANSWER_S = 5.0


@dataclass
class Recorder:
    """All devices, and what each of them was told: (command, point, value)."""

    plant: ToyPlant = field(default_factory=ToyPlant)
    operated: list[tuple[str, str, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if asked["op"] == "operate":
                self.operated.append((asked["command"], asked["point"], asked["value"]))
                self.plant.setpoints[asked["point"]] = asked["value"]
                return {}
            self.plant.beats += 1
            return self.plant.values()


@contextmanager
def recording(path: Path) -> Iterator[Recorder]:
    """Serve on `path` until the block ends."""
    recorder = Recorder()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(json.dumps(recorder.answer(json.loads(line))).encode() + b"\n")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


class Wire:
    """The driver's end."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")

    def ask(self, **asked: object) -> dict[str, Any]:
        self._file.write(json.dumps(asked).encode() + b"\n")
        self._file.flush()
        return dict(json.loads(self._file.readline()))
