"""opendnp3's master by its Python binding, as a process: `python -m … PORT SECONDS`.

It starts up, commands analog outputs 12 (33.25) and 13 by select before operate, says so in one
JSON line, listens for SECONDS, and tells in a second line everything that it has read.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
import time
from typing import Any

import opendnp3

o: Any = opendnp3
START_S = 10.0


class Readings(o.ISOEHandler):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, dict[int, float]] = {}
        self.events: list[tuple[str, int, float, int]] = []

    def BeginFragment(self, info: Any) -> None:  # noqa: N802 - opendnp3's name
        return

    def EndFragment(self, info: Any) -> None:  # noqa: N802
        return

    def Process(self, info: Any, values: list[Any]) -> None:  # noqa: N802
        for one in values:
            kind = type(one.value).__name__
            if not hasattr(one.value, "flags"):
                continue
            self.values.setdefault(kind, {})[int(one.index)] = float(one.value.value)
            if info.isEventVariation:
                stamp = int(one.value.time.value)
                self.events.append((kind, int(one.index), float(one.value.value), stamp))


class Application(o.IMasterApplication):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.started = threading.Event()

    def OnReceiveIIN(self, iin: Any) -> None:  # noqa: N802
        return

    def OnTaskStart(self, kind: Any, task: Any) -> None:  # noqa: N802
        return

    def OnTaskComplete(self, info: Any) -> None:  # noqa: N802
        if int(info.type) == int(o.MasterTaskType.ENABLE_UNSOLICITED):
            self.started.set()

    def OnOpen(self) -> None:  # noqa: N802
        return

    def OnClose(self) -> None:  # noqa: N802
        return

    def AssignClassDuringStartup(self) -> bool:  # noqa: N802
        return False

    def Now(self) -> Any:  # noqa: N802
        return o.UTCTimestamp(int(time.time() * 1000))


class Listener(o.IChannelListener):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()

    def OnStateChange(self, state: Any) -> None:  # noqa: N802
        return


def main(port: int, seconds: float) -> None:
    ms = o.TimeDuration.Milliseconds
    manager = o.DNP3Manager(1)
    atexit.register(manager.Shutdown)
    readings, application, listener = Readings(), Application(), Listener()
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
    told = {str(index): operate(master, index) for index in (12, 13)}
    sys.stdout.write(json.dumps({"started": started, "operated": told}) + "\n")
    sys.stdout.flush()
    time.sleep(seconds)
    sys.stdout.write(json.dumps({"values": readings.values, "events": readings.events}) + "\n")
    sys.stdout.flush()


def operate(master: Any, index: int) -> list[tuple[int, str, str]]:
    """Per point: index, state, status."""
    done = threading.Event()
    told: list[tuple[int, str, str]] = []

    def answered(result: Any) -> None:
        told.extend((int(p.index), p.state.name, p.status.name) for p in result.to_list())
        done.set()

    master.SelectAndOperate(o.AnalogOutputFloat32(33.25), index, answered)
    done.wait(START_S)
    return told


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
