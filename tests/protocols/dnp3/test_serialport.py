"""A serial line, proven over a pair of pseudo terminals: what a link does, without a network."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.wallclock import system_clock
from protocols.dnp3.discovery import discover
from protocols.dnp3.driver import Dnp3Driver
from protocols.dnp3.serialport import open_port
from protocols.dnp3.settings import SerialPort, read_settings
from protocols.driver import LinkSettings, OptionValue, Result
from protocols.inbox import Inbox
from tests.protocols.dnp3.scripted import (
    MASTER,
    OUTSTATION,
    Bench,
    Outstation,
    analogs,
    row,
    setpoint,
)
from tests.protocols.dnp3.test_commanding import commands, execute, steady

ROWS = [row(0), setpoint(4)]


class Terminal:
    """The far end of a serial line, with an outstation on it. `path` is the near end."""

    def __init__(self, outstation: Outstation, folder: Path) -> None:
        self.outstation = outstation
        self.path = folder / "ttyS9"
        self._far: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def plug(self) -> None:
        """Connect; the near end has the same name each time, as behind udev's links."""
        self._far, near = os.openpty()
        tty.setraw(near)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(near))
        self._near = near
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        incoming, outgoing = os.fdopen(self._far, "rb", 0), os.fdopen(os.dup(self._far), "wb", 0)
        protocol = asyncio.StreamReaderProtocol(reader)
        self._reading, _ = await loop.connect_read_pipe(lambda: protocol, incoming)
        writing, _ = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, outgoing)
        writer = asyncio.StreamWriter(writing, protocol, reader, loop)
        self._writing = writing
        self._task = asyncio.create_task(self.outstation._serve(reader, writer))

    async def unplug(self) -> None:
        """The cable is pulled out."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._reading.close()
        if not self._writing.is_closing():
            self._writing.abort()
        os.close(self._near)
        self._task = None
        await asyncio.sleep(0)


def options(path: Path, **changes: OptionValue) -> LinkSettings:
    given: dict[str, OptionValue] = {
        "serial": str(path),
        "baud": 115_200,
        "master_address": MASTER,
        "outstation_address": OUTSTATION,
        "response_timeout_s": 1.0,
        "select_timeout_s": 5.0,
        "time_sync": "none",
    }
    return LinkSettings(id="L", protocol="dnp3", file="gridctl.toml", options=given | changes)


@asynccontextmanager
async def serial_bench(folder: Path) -> AsyncIterator[tuple[Bench, Terminal]]:
    terminal = Terminal(Outstation(script=steady), folder)
    await terminal.plug()
    inbox = Inbox(1_000)
    driver = Dnp3Driver(options(terminal.path), ROWS, inbox, system_clock())
    await driver.start()
    try:
        yield Bench(driver, terminal.outstation, inbox), terminal
    finally:
        await driver.stop()
        await terminal.unplug()


async def test_a_device_on_a_serial_line_is_read_and_commanded(tmp_path: Path) -> None:
    async with serial_bench(tmp_path) as (bench, terminal):
        await bench.up()
        assert await bench.until(lambda: "P30.0" in bench.latest)
        assert bench.latest["P30.0"].value == 1.5
        bench.outstation.send(bench.outstation.unsolicited(1, analogs(9.5)))
        assert await bench.until(lambda: any(m.value == 9.5 for m in bench.seen))
        assert await bench.until(lambda: any(c.unsolicited for c in bench.outstation.confirms))
        done = await execute(bench, ROWS[1], 33.25)
        assert done.result is Result.ACCEPTED, done
        assert [name for name, _ in commands(bench.outstation)] == ["SELECT", "OPERATE"]
        assert bench.driver.health().active_endpoint == f"{terminal.path} 115200 8N1"
        assert bench.driver.health().protocol_errors == 0


async def test_a_cable_that_is_pulled_is_noticed_and_found_again(tmp_path: Path) -> None:
    async with serial_bench(tmp_path) as (bench, terminal):
        await bench.up()
        assert await bench.until(lambda: "P30.0" in bench.latest)
        await terminal.unplug()
        assert await bench.until(lambda: not bench.latest["P30.0"].quality.is_good)
        refused = await execute(bench, ROWS[1], 33.25)
        assert (refused.result, refused.status) == (Result.REJECTED, "LINK_DOWN")
        await terminal.plug()
        await bench.up()
        assert await bench.until(lambda: bench.latest["P30.0"].quality.is_good)
        assert commands(bench.outstation) == []  # nothing was queued


async def test_what_a_device_has_is_found_over_a_serial_line(tmp_path: Path) -> None:
    terminal = Terminal(Outstation(script=steady), tmp_path)
    await terminal.plug()
    try:
        found = await discover(
            options(terminal.path), clock=system_clock(), ask=(), points_max=100, timeout_s=8.0
        )
    finally:
        await terminal.unplug()
    assert [(point.address, point.value) for point in found.points] == [("30:0", 1.5)]
    assert found.endpoint == f"{terminal.path} 115200 8N1"


async def test_silence_resets_the_line_as_it_does_a_socket(tmp_path: Path) -> None:
    async with serial_bench(tmp_path) as (bench, _):
        await bench.up()
        bench.outstation.script = lambda _: None
        bench.outstation.answers_keep_alive = False
        assert await bench.until(lambda: "no answer" in bench.driver.health().last_error)
        bench.outstation.script = steady
        await bench.up()
        assert bench.driver.health().reconnects >= 1


def test_the_port_is_raw_eight_bits_and_nobody_else_s(tmp_path: Path) -> None:
    far, near = os.openpty()
    port = SerialPort(device=Path(os.ttyname(near)), baud=9_600, parity="even", stop_bits=2)
    assert str(port).endswith(" 9600 8E2")
    try:
        ours = open_port(port)
        _, _, control, local, speed_in, speed_out, _ = termios.tcgetattr(ours)
        assert control & termios.CSIZE == termios.CS8
        assert control & termios.CSTOPB
        assert not local & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert speed_in == speed_out == termios.B9600
        assert fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_NONBLOCK
        os.close(ours)
    finally:
        os.close(far)
        os.close(near)
    for device, told in (
        (tmp_path / "ttyS8", "No such file"),
        (tmp_path, "directory"),
        (Path(__file__), "cannot be set up as a serial line"),
    ):
        with pytest.raises(UnavailableError, match=told):
            open_port(SerialPort(device=device, baud=9_600, parity="none", stop_bits=1))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"host": "127.0.0.1"}, "host"),
        ({"backup_port": 1}, "backup_port"),
        ({"tls_name": "rtu"}, "tls_name"),
        ({"baud": 9_601}, "baud"),
        ({"baud": 300}, "baud"),
        ({"parity": "mark"}, "parity"),
        ({"stop_bits": 3}, "stop_bits"),
    ],
)
def test_a_bad_option_of_a_serial_line_is_refused(
    changes: dict[str, OptionValue], key: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(options(tmp_path, **changes))
    assert caught.value.key == f"field.links.{key}"
    assert caught.value.hint


def test_a_speed_is_never_assumed(tmp_path: Path) -> None:
    given = {k: v for k, v in options(tmp_path).options.items() if k != "baud"}
    with pytest.raises(ConfigError, match="baud is missing"):
        read_settings(LinkSettings(id="L", protocol="dnp3", file="gridctl.toml", options=given))
