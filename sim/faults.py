"""The faults that an instructor can throw in, by name.

Link faults name a link (SUB, DR, DER), device faults name a device (BESS01, LG03 …). Each is
switched on and off; switching twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from gridctl.model.errors import Refusal
from sim.world import World


class Fault(StrEnum):
    """What can go wrong in the mirror."""

    FROZEN_FEED = "frozen-feed"
    DEAD_OUTSTATION = "dead-outstation"
    REJECTED_SELECT = "rejected-select"
    COMM_LOSS = "comm-loss"
    DEVICE_FAULT = "device-fault"
    LOCAL = "local"


OF_DEVICE = frozenset({Fault.COMM_LOSS, Fault.DEVICE_FAULT, Fault.LOCAL})
"""These need a device. DEAD_OUTSTATION needs a link; REJECTED_SELECT may name one, else it concerns
all; FROZEN_FEED concerns everything."""


class LinkServer(Protocol):
    """A protocol server of the mirror: what a fault does to it."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def refuse_commands(self, *, on: bool) -> None:
        """Answer every SELECT, write and method call with a refusal."""
        ...


class FaultBoard:
    """Which faults are on. `active` in the order of switching on, as (fault, target)."""

    def __init__(self, world: World, servers: Mapping[str, LinkServer]) -> None:
        self._world = world
        self._servers = servers
        self._active: dict[tuple[Fault, str], None] = {}

    @property
    def active(self) -> Sequence[tuple[Fault, str]]:
        """What is on now; target "" for a fault that concerns everything."""
        return tuple(self._active)

    def stopped(self, link: str) -> bool:
        """Whether a link's server is down on purpose."""
        return (Fault.DEAD_OUTSTATION, link) in self._active

    async def switch(self, name: str, *, on: bool, target: str = "") -> Refusal | None:
        """Switch a fault; a refusal says which names there are."""
        try:
            fault = Fault(name)
        except ValueError:
            return _refused(f"no fault {name!r}: there are {', '.join(Fault)}")
        refusal = self._check_target(fault, target)
        if refusal is not None or ((fault, target) in self._active) is on:
            return refusal
        if on:
            self._active[fault, target] = None
        else:
            del self._active[fault, target]
        await self._apply(fault, target, on=on)
        return None

    def _check_target(self, fault: Fault, target: str) -> Refusal | None:
        if fault in OF_DEVICE and target not in self._world.devices:
            return _refused(f"{fault} needs a device, and there is no {target!r}")
        if fault is Fault.DEAD_OUTSTATION and target not in self._servers:
            return _refused(f"{fault} needs a link: there are {', '.join(self._servers)}")
        if fault is Fault.REJECTED_SELECT and target and target not in self._servers:
            return _refused(f"{fault} knows the links {', '.join(self._servers)}")
        if fault is Fault.FROZEN_FEED and target:
            return _refused(f"{fault} concerns everything: it takes no target")
        return None

    async def _apply(self, fault: Fault, target: str, *, on: bool) -> None:
        match fault:
            case Fault.FROZEN_FEED:
                self._world.freeze(on=on)
            case Fault.DEAD_OUTSTATION:
                await (self._servers[target].stop() if on else self._servers[target].start())
            case Fault.REJECTED_SELECT:
                for server in [self._servers[target]] if target else self._servers.values():
                    server.refuse_commands(on=on)
            case Fault.COMM_LOSS:
                self._world.lose_device(target, lost=on)
            case Fault.DEVICE_FAULT:
                self._world.set_fault(target, on=on)
            case Fault.LOCAL:
                self._world.set_local(target, on=on)


def _refused(reason: str) -> Refusal:
    return Refusal(code="no_such_fault", reasons=(reason,))
