"""yadnp3 as its users use it: each value boxed by the binding, one tuple made of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import opendnp3 as o

ms = o.TimeDuration.Milliseconds


class Counter:
    """Values taken by all masters of the process."""

    def __init__(self) -> None:
        self.taken = 0


class _Soe(o.ISOEHandler):
    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter
        self.values: dict[int, tuple[float, int, int]] = {}

    def BeginFragment(self, info: o.ResponseInfo) -> None:  # noqa: N802
        return

    def EndFragment(self, info: o.ResponseInfo) -> None:  # noqa: N802
        return

    def Process(self, info: o.HeaderInfo, values: list[o.Indexed]) -> None:  # noqa: N802
        for one in values:
            value = one.value
            row = (value.value, value.flags.value, value.time.value)  # type: ignore[attr-defined]
            self.values[one.index] = row
        self._counter.taken += len(values)


class _App(o.IMasterApplication):
    def __init__(self, ready: Callable[[], None]) -> None:
        super().__init__()
        self._ready = ready

    def Now(self) -> o.UTCTimestamp:  # noqa: N802
        return o.UTCTimestamp(int(time.monotonic() * 1000))

    def OnReceiveIIN(self, iin: o.IINField) -> None:  # noqa: N802
        return

    def OnTaskStart(self, type: o.MasterTaskType, id: o.TaskId) -> None:  # noqa: A002, N802
        return

    def OnTaskComplete(self, info: o.TaskInfo) -> None:  # noqa: N802
        if int(info.type) == int(o.MasterTaskType.STARTUP_INTEGRITY_POLL):
            self._ready()

    def OnOpen(self) -> None:  # noqa: N802
        return

    def OnClose(self) -> None:  # noqa: N802
        return

    def AssignClassDuringStartup(self) -> bool:  # noqa: N802
        return False


class _Listener(o.IChannelListener):
    def OnStateChange(self, state: o.ChannelState) -> None:  # noqa: N802
        return


class Boxed:
    """A manager and its masters; what the stack does not keep alive is kept here."""

    def __init__(self) -> None:
        self.manager = o.DNP3Manager(2)
        self._counter = Counter()
        self._keep: list[object] = []

    @property
    def taken(self) -> int:
        return self._counter.taken

    def add(self, name: str, port: int, scan_s: float, ready: Callable[[], None]) -> o.IMaster:
        """One master that polls everything every `scan_s`; `ready` on a native thread."""
        retry = o.ChannelRetry(ms(200), ms(2_000))
        retry.reconnectDelay = ms(1_000)
        soe, app, listener = _Soe(self._counter), _App(ready), _Listener()
        channel = self.manager.AddTCPClient(
            name,
            o.levels.NOTHING,
            retry,
            [o.IPEndpoint("127.0.0.1", port)],
            "0.0.0.0",  # noqa: S104 - the local end of an outgoing connection
            listener,
        )
        config = o.MasterStackConfig()
        config.link.LocalAddr, config.link.RemoteAddr = 1, 1024
        config.link.KeepAliveTimeout = ms(86_400_000)
        master = channel.AddMaster(name, soe, app, config)
        master.AddClassScan(o.ClassField(True, True, True, True), ms(round(scan_s * 1000)), soe)
        master.Enable()
        self._keep += [channel, master, soe, app, listener]
        return master
