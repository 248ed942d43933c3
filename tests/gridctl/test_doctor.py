"""`gridctl doctor` must not disturb what it examines."""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gridctl.demo import set_keys
from gridctl.doctor import findings_of
from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance


class Device:
    """A port that counts who connects."""

    def __init__(self, stack: ExitStack) -> None:
        self._socket = stack.enter_context(socket.socket())
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self._socket.setblocking(False)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def connections(self) -> int:
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, list[Device], Device]]:
    """A pilot whose three devices count connections, and the port of its console."""
    with ExitStack() as stack:
        devices = [Device(stack) for _ in range(3)]
        console = Device(stack)
        sub, dr, der = (device.port for device in devices)
        folder = tmp_path / "pilot"
        create_instance(
            folder,
            scenario="hot-afternoon",
            rate=10.0,
            now_real_s=system_clock().now_s(),
            ports=Ports(sub=sub, dr=dr, der=der, web=console.port),
            history_days=8,
        )
        yield folder, devices, console


def test_devices_are_tried_while_nothing_runs(
    site: tuple[Path, list[Device], Device],
) -> None:
    folder, devices, _ = site
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_keys(folder / "gridctl.toml", {("web", "port"): port})
    found = [f for f in findings_of(folder) if f.check.startswith("link ")]
    assert [f.detail.split()[-1] for f in found] == ["answers"] * 3
    assert [device.connections() for device in devices] == [1, 1, 1]


def test_no_device_is_touched_while_the_console_runs(
    site: tuple[Path, list[Device], Device],
) -> None:
    folder, devices, console = site
    found = [f for f in findings_of(folder) if f.check.startswith("link ")]
    assert all("not tried" in f.detail for f in found)
    assert [device.connections() for device in devices] == [0, 0, 0]
    assert console.connections() == 0


def test_a_serial_port_is_looked_for_and_nothing_is_sent_on_it(
    site: tuple[Path, list[Device], Device],
) -> None:
    folder, devices, _ = site
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "gridctl.toml"
    set_keys(file, {("web", "port"): port})
    far, near = os.openpty()
    try:
        for path, told in ((os.ttyname(near), "is there"), ("absent", "is no serial port")):
            text = file.read_text(encoding="utf-8")
            link = re.search(
                r'protocol = "dnp3"\n(?:.*\n)*?(host|serial) = .*\n(port|baud) = .*\n', text
            )
            assert link is not None
            begin, end = link.start(1), link.end()
            line = f'serial = "{path}"\nbaud = 9600\n'
            file.write_text(text[:begin] + line + text[end:], encoding="utf-8")
            found = [f for f in findings_of(folder) if f.check.startswith("link ")]
            (mine,) = [f for f in found if "answers" not in f.detail]
            assert told in mine.detail
            assert mine.detail.startswith("/"), "a path in the file is relative to it"
        assert not select.select([far], [], [], 0)[0]
    finally:
        os.close(far)
        os.close(near)
    assert max(device.connections() for device in devices) == 2
