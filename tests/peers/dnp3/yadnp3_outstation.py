"""opendnp3's outstation as a process: `python -m … PORT` (or a serial line's path); one JSON line
on stdin, one back.

A line in: {"analog": value} moves analog input 0. A line out: all OPERATEs so far.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
from typing import Any

import opendnp3

from tests.peers.dnp3.rows import LINK_ADDRESS, MASTER_ADDRESS

o: Any = opendnp3
POINTS = 20
LOCKED = 13
OPEN_S = 10.0


class Commands(o.ICommandHandler):  # type: ignore[misc]
    """Takes every output but 13, which stands on LOCAL."""

    def __init__(self) -> None:
        super().__init__()
        self.operated: list[tuple[str, int, float]] = []

    def Begin(self) -> None:  # noqa: N802 - opendnp3's name
        return

    def End(self) -> None:  # noqa: N802
        return

    def Select(self, command: Any, index: int) -> Any:  # noqa: N802
        return o.CommandStatus.LOCAL if index == LOCKED else o.CommandStatus.SUCCESS

    def Operate(self, command: Any, index: int, handler: Any, kind: Any) -> Any:  # noqa: N802
        if isinstance(command, o.ControlRelayOutputBlock):
            code = int(command.opType) | int(command.tcc) << 6
            self.operated.append(("relay", index, float(code)))
        else:
            self.operated.append(("analog", index, float(command.value)))
        return self.Select(command, index)


class Application(o.IOutstationApplication):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()

    def SupportsWriteAbsoluteTime(self) -> bool:  # noqa: N802
        return True

    def WriteAbsoluteTime(self, time: Any) -> bool:  # noqa: N802
        return True


class Listener(o.IChannelListener):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()

        self.opened = threading.Event()

    def OnStateChange(self, state: Any) -> None:  # noqa: N802
        if state == o.ChannelState.OPEN:
            self.opened.set()


def serial_line(path: str) -> Any:
    settings = o.SerialSettings()
    settings.deviceName, settings.baud = path, 115_200
    return settings


def main(where: str) -> None:
    manager = o.DNP3Manager(1)
    atexit.register(manager.Shutdown)
    listener, commands, application = Listener(), Commands(), Application()
    if where.startswith("/"):
        retry, line = o.ChannelRetry.Default(), serial_line(where)
        channel = manager.AddSerial("peer", o.levels.NOTHING, retry, line, listener)
    else:
        channel = manager.AddTCPServer(
            "peer", o.levels.NOTHING, o.ServerAcceptMode.CloseExisting,
            o.IPEndpoint("127.0.0.1", int(where)), listener,
        )  # fmt: skip
    database = o.DatabaseConfig(POINTS)
    # It would show octet strings of no length and times with intervals by range (g110v0, g50v4 with
    # qualifier 0x00), which tshark 4.0 calls malformed.
    database.octet_string, database.time_and_interval = {}, {}
    config = o.OutstationStackConfig(database)
    config.link.LocalAddr, config.link.RemoteAddr = LINK_ADDRESS, MASTER_ADDRESS
    config.outstation.params.allowUnsolicited = True
    # Its first words on a serial line go to nobody; it answers no read before it has given that up.
    config.outstation.params.unsolConfirmTimeout = o.TimeDuration.Milliseconds(1_000)
    config.outstation.eventBufferConfig = o.EventBufferConfig(*[100] * 8)
    outstation = channel.AddOutstation("peer", commands, application, config)

    def show(values: dict[int, float]) -> None:
        builder = o.UpdateBuilder()
        for index, value in values.items():
            builder.Update(o.Analog(value, o.Flags(1)), index)
        outstation.Apply(builder.Build())

    builder = o.UpdateBuilder()
    builder.Update(o.Binary(True, o.Flags(1)), 3)
    builder.Update(o.Counter(41, o.Flags(1)), 0)
    outstation.Apply(builder.Build())
    show({0: 812.0, 7: 2.0, 8: 0.0, 9: 7.0})
    outstation.Enable()
    if where.startswith("/"):
        listener.opened.wait(OPEN_S)
    sys.stdout.write("[]\n")
    sys.stdout.flush()
    for line in sys.stdin:
        told = json.loads(line)
        if "analog" in told:
            show({0: told["analog"]})
        sys.stdout.write(json.dumps(commands.operated) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
