"""Faults on demand: checks name, target and amount, and switches them in world and servers.

Each is switched on and off; switching twice changes nothing. What there is: `sim/fault_kinds.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Protocol

from gridctl.model.errors import Refusal
from sim import mischief
from sim.fault_kinds import KINDS, OF_SERVER, Aim, Fault, FaultKind
from sim.world import World

log = logging.getLogger(__name__)


class LinkServer(Protocol):
    """A protocol server of the mirror: what a fault does to it."""

    protocol: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def refuse_commands(self, *, on: bool) -> None:
        """Answer every SELECT, write and method call with a refusal."""
        ...

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        """A fault of the line or of the device's clock and events, see `sim.line_troubles`."""
        ...


_SHOWN_ONLY: Final = (Fault.FROZEN_FEED, Fault.COMM_LOSS)
"""They change nothing in the world, only what is shown of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _On:
    """How much of a fault is on, in its unit, and since which grid time."""

    amount: float
    since_s: float


class FaultBoard:
    """Which faults are on. `active` in the order of switching on, as (fault, target)."""

    def __init__(self, world: World, servers: Mapping[str, LinkServer]) -> None:
        self._world = world
        self._servers = servers
        self._active: dict[tuple[Fault, str], _On] = {}

    @property
    def active(self) -> Sequence[tuple[Fault, str]]:
        """What is on now; target "" for a fault that concerns everything."""
        return tuple(self._active)

    def amount(self, fault: Fault, target: str) -> float:
        """How much of it is on now; KeyError when it is not."""
        return self._active[fault, target].amount

    def kept(self) -> list[dict[str, Any]]:
        """What is on, how much of it and since which grid time, as JSON can hold it."""
        return [
            {"name": fault.value, "target": target, "amount": on.amount, "since_s": on.since_s}
            for (fault, target), on in self._active.items()
        ]

    async def resume(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Switch on again what was `kept`. What the world remembers by itself is only noted."""
        for one in kept:
            fault, target, amount = Fault(one["name"]), str(one["target"]), float(one["amount"])
            if KINDS[fault].aim in OF_SERVER or fault in _SHOWN_ONLY:
                refusal = await self.switch(fault, on=True, target=target, amount=amount or None)
                if refusal is not None:
                    log.error("kept state: %s", "; ".join(refusal.reasons))
                    continue
            since_s = float(one.get("since_s", self._world.at_s))
            self._active[fault, target] = _On(amount=amount, since_s=since_s)

    def stopped(self, link: str) -> bool:
        """Whether a link's server is down on purpose."""
        return (Fault.DEAD_OUTSTATION, link) in self._active

    async def switch(
        self, name: str, *, on: bool, target: str = "", amount: float | None = None
    ) -> Refusal | None:
        """Switch a fault; a refusal says which names and targets there are."""
        refusal = self.refusal(name, target=target, amount=amount)
        if refusal is not None:
            return refusal
        fault = Fault(name)
        kind = KINDS[fault]
        if kind.momentary:
            if on:
                await self._restart(target)
            return None
        if ((fault, target) in self._active) is on:
            return None
        chosen = kind.amount if amount is None else amount
        if on:
            self._active[fault, target] = _On(amount=chosen, since_s=self._world.at_s)
        else:
            del self._active[fault, target]
        await self._apply(kind, target, on=on, amount=chosen)
        return None

    def refusal(
        self, name: str, *, target: str = "", amount: float | None = None
    ) -> Refusal | None:
        """Why a fault cannot be switched here, with the names and targets that there are."""
        try:
            kind = KINDS[Fault(name)]
        except ValueError:
            near = get_close_matches(name, [f.value for f in Fault], n=1)
            meant = f"; did you mean {near[0]}?" if near else "."
            return _refused(f"no fault {name!r}{meant} There are {', '.join(Fault)}")
        return self._check_target(kind, target) or _check_amount(kind, amount)

    def _check_target(self, kind: FaultKind, target: str) -> Refusal | None:
        known = self.targets(kind.aim)
        may_be_none = kind.aim in (Aim.EVERYTHING, Aim.LINK_OR_ALL, Aim.SWITCH)
        if (not target and may_be_none) or target in known:
            return None
        if kind.aim is Aim.EVERYTHING:
            return _refused(f"{kind.fault} concerns everything: it takes no target")
        near = get_close_matches(target, known, n=3)
        some = ", ".join(near or known[:8]) or "none here"
        more = "" if near or len(known) <= len(known[:8]) else ", …"
        return _refused(f"{kind.fault} needs {kind.aim}, and {target!r} is none: {some}{more}")

    def targets(self, aim: Aim) -> list[str]:
        """What a fault of this aim can be aimed at."""
        if aim in OF_SERVER:
            only = "dnp3" if aim is Aim.DNP3_LINK else ""
            return [n for n, s in self._servers.items() if not only or s.protocol == only]
        return mischief.targets(self._world, aim)

    async def _restart(self, link: str) -> None:
        if self.stopped(link):
            return
        await self._servers[link].stop()
        await self._servers[link].start()

    async def _apply(self, kind: FaultKind, target: str, *, on: bool, amount: float) -> None:
        match kind.fault:
            case Fault.DEAD_OUTSTATION:
                await (self._servers[target].stop() if on else self._servers[target].start())
            case Fault.REJECTED_SELECT:
                for server in [self._servers[target]] if target else self._servers.values():
                    server.refuse_commands(on=on)
            case fault if kind.aim in OF_SERVER:
                self._servers[target].disturb(fault, on=on, amount=amount)
            case fault:
                mischief.apply(self._world, fault, target, on=on, amount=amount)


def _check_amount(kind: FaultKind, amount: float | None) -> Refusal | None:
    if amount is None:
        return None
    if not kind.unit:
        return _refused(f"{kind.fault} takes no amount")
    if not 0 <= amount <= kind.amount_max:
        return _refused(f"{kind.fault} takes 0 … {kind.amount_max:g} {kind.unit}")
    return None


def _refused(reason: str) -> Refusal:
    return Refusal(code="no_such_fault", reasons=(reason,))
