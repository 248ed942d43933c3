"""opendnp3's master, as a process, at an outstation that serves everything: `… PORT SECONDS`.

It starts up, freezes the counters, pulses output 0, trips output 1, pulses output 2 (which latches
only), assigns classes (running counters to 3, analog 4 to none), polls everything, listens for
SECONDS, and tells in one JSON line what it has read and been answered.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
import time
from typing import Any

from tests.peers.dnp3.yadnp3_master import START_S, Application, Listener, o


class Everything(o.ISOEHandler):  # type: ignore[misc]
    """Static values and events by type, index and object."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, int, float, int]] = []

    def BeginFragment(self, info: Any) -> None:  # noqa: N802 - opendnp3's name
        return

    def EndFragment(self, info: Any) -> None:  # noqa: N802
        return

    def Process(self, info: Any, values: list[Any]) -> None:  # noqa: N802
        form = f"{int(info.gv.value) >> 8}:{int(info.gv.value) & 0xFF}"
        for one in values:
            kind = type(one.value).__name__
            if hasattr(one.value, "flags"):
                value = one.value.value
                number = (
                    float(value) if isinstance(value, (bool, int, float)) else float(int(value))
                )
                flags = int(one.value.flags.value)
                self.seen.append((kind, form, int(one.index), number, flags))


def main(port: int, seconds: float) -> None:
    ms = o.TimeDuration.Milliseconds
    manager = o.DNP3Manager(1)
    atexit.register(manager.Shutdown)
    readings, application, listener = Everything(), Application(), Listener()
    retry = o.ChannelRetry(ms(100), ms(1_000))
    channel = manager.AddTCPClient(
        "peer", o.levels.NOTHING, retry, [o.IPEndpoint("127.0.0.1", port)], "127.0.0.1", listener
    )
    config = o.MasterStackConfig()
    config.link.LocalAddr, config.link.RemoteAddr = 1, 1024
    config.master.timeSyncMode = o.TimeSyncMode.LAN
    master = channel.AddMaster("peer", readings, application, config)
    master.Enable()
    started = application.started.wait(START_S)
    freeze = o.FunctionCode.IMMED_FREEZE
    master.PerformFunction("freeze", freeze, [o.Header.AllObjects(20, 0)])
    pulse, kind = o.OperationType.PULSE_ON, o.TripCloseCode
    told = [
        operate(master, o.ControlRelayOutputBlock(pulse, kind.NUL, False, 1, 100, 100), 0),
        operate(master, o.ControlRelayOutputBlock(pulse, kind.TRIP, False, 1, 100, 100), 1),
        operate(master, o.ControlRelayOutputBlock(pulse, kind.NUL, False, 1, 100, 100), 2),
    ]
    classes = [o.Header.AllObjects(60, 4), o.Header.AllObjects(20, 0)]
    classes += [o.Header.AllObjects(60, 1), o.Header.Range16(30, 0, 4, 4)]
    master.PerformFunction("assign", o.FunctionCode.ASSIGN_CLASS, classes)
    master.ScanClasses(o.ClassField.AllClasses(), readings)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(seconds)
    sys.stdout.write(json.dumps({"started": started, "told": told, "seen": readings.seen}) + "\n")
    sys.stdout.flush()


def operate(master: Any, command: Any, index: int) -> list[tuple[str, str]]:
    """State and status of one point."""
    done = threading.Event()
    told: list[tuple[str, str]] = []

    def answered(result: Any) -> None:
        told.extend((p.state.name, p.status.name) for p in result.to_list())
        done.set()

    master.SelectAndOperate(command, index, answered)
    done.wait(START_S)
    return told


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
