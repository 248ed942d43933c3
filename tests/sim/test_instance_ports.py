"""No two pilots get the same ports, however close together they start."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from gridctl.model.errors import UnavailableError
from sim.instance_ports import reserved_ports

PROCESSES = 6
CHOOSE = """
import sys
from sim.instance_ports import reserved_ports
sys.stdin.readline()
with reserved_ports(4, first_choice=[int(port) for port in sys.argv[1:]]) as ports:
    print(*ports, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def favourite() -> list[str]:
    """Ports that are free, and that every process would like."""
    with reserved_ports(4) as ports:
        return [str(port) for port in ports]


def choosers(stack: ExitStack, favourite: list[str]) -> list[subprocess.Popen[str]]:
    """Processes that choose ports at the first line of their input and keep them to the second."""
    return [
        stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", CHOOSE, *favourite],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        for _ in range(PROCESSES)
    ]


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_processes_that_choose_at_the_same_moment_choose_differently(favourite: list[str]) -> None:
    with ExitStack() as stack:
        running = choosers(stack, favourite)
        for process in running:
            tell(process)
        found = [process.stdout.readline().split() for process in running if process.stdout]
        for process in running:
            tell(process)
    chosen = [port for ports in found for port in ports]
    assert len(chosen) == len(set(chosen)) == 4 * PROCESSES
    assert favourite in found


def test_ports_come_back_when_their_process_is_killed(favourite: list[str]) -> None:
    with ExitStack() as stack:
        first, second, *_ = choosers(stack, favourite)
        tell(first)
        assert first.stdout is not None
        assert second.stdout is not None
        assert first.stdout.readline().split() == favourite
        first.kill()
        first.wait()
        tell(second)
        assert second.stdout.readline().split() == favourite


def test_the_first_choice_is_left_alone_when_somebody_listens_on_one_of_it() -> None:
    with reserved_ports(3) as ports:
        pass
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports[1]))
        listener.listen()
        with reserved_ports(3, first_choice=ports) as found:
            assert not {*found} & {*ports}


def test_the_first_choice_is_taken_again_while_old_connections_linger() -> None:
    """A second start of the same pilot, seconds after the first: TIME_WAIT on its ports."""
    with reserved_ports(2) as ports, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server does
        listener.bind(("127.0.0.1", ports[0]))
        listener.listen()
        client = socket.create_connection(("127.0.0.1", ports[0]))
        accepted, _ = listener.accept()
        accepted.close()  # the server closes first: its port lingers
        assert client.recv(1) == b""
        client.close()
    with reserved_ports(2, first_choice=ports) as again:
        assert again == ports


def test_a_program_that_only_looks_finds_them_taken() -> None:
    taken = pytest.raises(OSError, match="in use")
    with reserved_ports(2) as ports, socket.socket() as stranger, taken:
        stranger.bind(("127.0.0.1", ports[1]))


def test_no_free_block_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.instance_ports._TO", 24_000)
    with pytest.raises(UnavailableError, match="no 2 free ports"), reserved_ports(2):
        pass
