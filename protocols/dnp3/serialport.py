"""A serial line as an asyncio transport: a tty in raw mode, read and written on the event loop.

The line (`line.py`) sits on it as it does on a socket. What was written and has not left when it is
aborted never leaves: the kernel's buffer is flushed, as a socket is reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
from typing import Final

from gridctl.model.errors import UnavailableError
from protocols.dnp3.settings import SerialPort

_PARITY: Final = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _SPEED_IN, _SPEED_OUT, _CHARACTERS = range(7)


def open_port(port: SerialPort) -> int:
    """The descriptor of `port`, raw, non-blocking, and closed to everybody else.

    Raises UnavailableError with the reason.
    """
    try:
        descriptor = os.open(port.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnavailableError(f"{port}: {error.strerror}") from error
    try:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
        _set_raw(descriptor, port)
    except (OSError, termios.error) as error:
        os.close(descriptor)
        raise UnavailableError(f"{port}: cannot be set up as a serial line: {error}") from error
    return descriptor


def _set_raw(descriptor: int, port: SerialPort) -> None:
    """8 data bits, no echo, no translation, no flow control; modem lines are not waited for."""
    speed = getattr(termios, f"B{port.baud}")
    settings = termios.tcgetattr(descriptor)
    settings[_INPUT] = settings[_OUTPUT] = settings[_LOCAL] = 0
    settings[_CONTROL] = termios.CS8 | termios.CREAD | termios.CLOCAL | _PARITY[port.parity]
    if port.stop_bits == 2:  # noqa: PLR2004
        settings[_CONTROL] |= termios.CSTOPB
    settings[_SPEED_IN] = settings[_SPEED_OUT] = speed
    settings[_CHARACTERS][termios.VMIN], settings[_CHARACTERS][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    # What lies in the buffers belongs to a conversation that is over.
    termios.tcflush(descriptor, termios.TCIOFLUSH)


class SerialTransport(asyncio.Transport):
    """An open tty between the loop and a buffered protocol. `write` never blocks."""

    def __init__(self, descriptor: int, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._closed = False
        self._loop.add_reader(descriptor, self._readable)

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        if not self._closed:
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._descriptor, self._readable)

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            return
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._writable()

    def abort(self) -> None:
        self._end(None)

    def close(self) -> None:
        self._end(None)

    def _readable(self) -> None:
        try:
            count = os.readv(self._descriptor, [self._protocol.get_buffer(-1)])
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if count:
            self._protocol.buffer_updated(count)
        else:
            self._end(None)

    def _writable(self) -> None:
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(error)
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._descriptor, self._writable)
        else:
            self._loop.remove_writer(self._descriptor)

    def _end(self, error: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._unsent.clear()
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        os.close(self._descriptor)
        self._loop.call_soon(self._protocol.connection_lost, error)


def open_serial(protocol: asyncio.BufferedProtocol, port: SerialPort) -> SerialTransport:
    """`protocol` on `port`. Raises UnavailableError with the reason."""
    transport = SerialTransport(open_port(port), protocol)
    protocol.connection_made(transport)
    return transport
