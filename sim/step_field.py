"""The field as an operator sees it in a stepped run: the same links and faults, without sockets.

What only exists on a wire (replies that are late, lost or doubled, storms of events) is passed over
here; a link that is down, silent or hung shows its last readings and takes no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.fault_kinds import Fault
from sim.faults import FaultBoard
from sim.fleet import Fleet
from sim.plant import Reading, Verdict
from sim.world import LINKS, World

_STILL: Final = frozenset({Fault.HALF_OPEN, Fault.OUTSTATION_FREEZE})
PROTOCOLS: Final[Mapping[str, str]] = {"SUB": "dnp3", "DR": "dnp3", "DER": "opcua"}
"""As in a pilot (`sim.instance`)."""


def links_of(fleet: Fleet) -> dict[str, str]:
    """Where each point is served: load groups and units by DR, batteries and PV by DER, the rest
    by the substation."""
    found = {f"{link}.HB": link for link in LINKS}
    substation = ("FDR.TotW", "FDR.TotVAr", "FDR.A.A", "FDR.A.B", "FDR.A.C", "WX.TmpC", "WX.Irr")
    found |= dict.fromkeys(substation, "SUB")
    by_link = [("DR", group.resource.points) for group in fleet.load_groups]
    by_link += [("DR", unit.resource.points) for unit in fleet.units]
    by_link += [("DER", battery.resource.points) for battery in fleet.batteries]
    by_link += [("DER", pv.resource.points) for pv in fleet.pvs]
    for link, points in by_link:
        named = (
            points.setpoint, points.feedback, points.power, points.available, points.soc,
            points.remote, points.fault,
        )  # fmt: skip
        found |= dict.fromkeys((point for point in named if point is not None), link)
    return found


class StepLink:
    """One link as a `sim.faults.LinkServer`."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.up = True
        self.refusing = False
        self.on: dict[Fault, float] = {}

    async def start(self) -> None:
        self.up = True

    async def stop(self) -> None:
        self.up = False

    def refuse_commands(self, *, on: bool) -> None:
        self.refusing = on

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        if on:
            self.on[fault] = amount
        else:
            self.on.pop(fault, None)

    @property
    def speaks(self) -> bool:
        """Whether anything comes through."""
        return self.up and not _STILL & set(self.on)


class StepField:
    """Readings and commands through the links of a pilot. `links`: by point, where it is served."""

    def __init__(self, world: World, links: Mapping[str, str]) -> None:
        self._world = world
        self._link_of = dict(links)
        self.links = {name: StepLink(PROTOCOLS[name]) for name in LINKS}
        self.board = FaultBoard(world, self.links)
        self._last: dict[str, Reading] = {}
        self.commands = 0
        self.refused = 0
        """Commands that did not get through to a device."""

    def look(self) -> None:
        """Take in what the links tell now."""
        for point, link in self._link_of.items():
            if self.links[link].speaks:
                self._last[point] = self._world.read(point)

    def read(self, point: str) -> Reading:
        """The last reading that came through; KeyError for a point that never did."""
        return self._last[point]

    def command(self, point: str, value: float, *, lease_s: float) -> bool:
        """Whether the device took it (as far as the link tells)."""
        link = self.links[self._link_of[point]]
        if not link.speaks or link.refusing or Fault.LOST_OPERATE in link.on:
            self.commands += 1
            self.refused += 1
            return False
        return self._world.command(point, value, lease_s=lease_s) is Verdict.ACCEPTED
