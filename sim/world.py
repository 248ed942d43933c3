"""The simulated world: a feeder on its day, its devices, and the faults an instructor throws in.

Fulfils `sim.plant.Plant`, so that DNP3 outstations and the OPC UA server can stand in front of it.
Everything follows from scenario, seed and the commands received; time comes in with `tick`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from gridctl.model.clock import Clock
from gridctl.model.network import Feeder
from sim.demand import Demand
from sim.devices.battery import BatteryDevice
from sim.devices.load_group import LoadGroupDevice
from sim.devices.pv import PvDevice
from sim.fleet import Fleet
from sim.grid import Grid
from sim.plant import Reading, Verdict
from sim.scenario import Scenario
from sim.weather import Weather

Device: TypeAlias = LoadGroupDevice | BatteryDevice | PvDevice
Getter: TypeAlias = Callable[[], float]

LINKS: Final = ("SUB", "DR", "DER")
_COMMANDS_KEPT: Final = 10_000
_COUNTER_WRAP: Final = 2**16
_FIRST_STEP_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCommand:
    """One OPERATE (or write, or method call) as it arrived at a device, taken or not."""

    at_s: float
    link: str
    point: str
    value: float
    lease_s: float | None
    verdict: Verdict


class World:
    """All devices behind the servers, and the network between them.

    `links` says behind which link each commandable point sits (for counting). The world is settled
    at `clock.now_s()` when it is built: taps where they belong, devices at their defaults.
    """

    def __init__(
        self,
        *,
        feeder: Feeder,
        fleet: Fleet,
        scenario: Scenario,
        clock: Clock,
        links: Mapping[str, str],
    ) -> None:
        self.feeder = feeder
        self.fleet = fleet
        self.scenario = scenario
        self._clock = clock
        self._links = dict(links)
        self.weather = Weather(scenario.climate)
        self._demand = Demand(feeder, self.weather, scenario.seed)
        self._groups = [LoadGroupDevice(site) for site in fleet.load_groups]
        self._batteries = [BatteryDevice(site) for site in fleet.batteries]
        self._pvs = [PvDevice(site) for site in fleet.pvs]
        devices: list[Device] = [*self._groups, *self._batteries, *self._pvs]
        self.devices: dict[str, Device] = {d.site.resource.mrid: d for d in devices}
        self._by_setpoint = {d.site.resource.points.setpoint: d for d in self.devices.values()}
        injecting: list[BatteryDevice | PvDevice] = [*self._batteries, *self._pvs]
        places = dict.fromkeys(
            (t.node, t.phase) for d in injecting for t in d.site.resource.terminals
        )
        self._place = {place: i for i, place in enumerate(places)}
        self._members = [
            np.flatnonzero(np.isin(self._demand.consumers, site.consumers))
            for site in fleet.load_groups
        ]
        self.grid = Grid(feeder, places)
        self._getters = self._make_getters()
        self._ticks = 0
        self._at_s = clock.now_s()
        self._temperature_c = 0.0
        self._irradiance = 0.0
        self._frozen: Mapping[str, Reading] | None = None
        self._frozen_revision = 0
        self._lost: dict[str, Mapping[str, Reading]] = {}
        self.log: deque[ReceivedCommand] = deque(maxlen=_COMMANDS_KEPT)
        self.received: Counter[str] = Counter()
        self._advance(_FIRST_STEP_S)
        self.grid.settle()

    # ---- time ---------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Let the world reach grid time `now_s`. Raises UnavailableError when the power flow
        does not converge; the world then stands as it was solved last."""
        dt_s = now_s - self._at_s
        if dt_s <= 0:
            return
        self._at_s = now_s
        self._ticks += 1
        self.grid.regulate(dt_s)
        self._advance(dt_s)

    def _advance(self, dt_s: float) -> None:
        at_s = self._at_s
        self._temperature_c = self.weather.temperature_c(at_s)
        self._irradiance = self.weather.irradiance_w_m2(at_s)
        sun = self.weather.pv_pu(at_s)
        load_kw = self._demand.kw(at_s)
        for group, members in zip(self._groups, self._members, strict=True):
            demand_kw = float(load_kw[members].sum())
            group.step(at_s=at_s, dt_s=dt_s, demand_kw=demand_kw)
            if demand_kw > 0:
                load_kw[members] *= group.power_kw / demand_kw
        injected_kw = np.zeros(len(self._place))
        for battery in self._batteries:
            battery.step(at_s=at_s, dt_s=dt_s)
            self._inject(injected_kw, battery)
        for pv in self._pvs:
            pv.step(at_s=at_s, dt_s=dt_s, sun_pu=sun)
            self._inject(injected_kw, pv)
        kw = np.concatenate([load_kw, -injected_kw])
        kvar = np.concatenate([self._demand.kvar(load_kw), np.zeros(len(self._place))])
        self.grid.solve(kw, kvar)

    def _inject(self, injected_kw: np.ndarray, device: BatteryDevice | PvDevice) -> None:
        for terminal in device.site.resource.terminals:
            place = self._place[terminal.node, terminal.phase]
            injected_kw[place] += terminal.share * device.power_kw

    # ---- what the servers ask (sim.plant.Plant) -----------------------------------------------

    def read(self, point: str) -> Reading:
        """The value of a readable point; KeyError for a point that the plant does not have."""
        if self._frozen is not None:
            return self._frozen[point]
        getter = self._getters[point]
        kept = self._lost.get(point.split(".", 1)[0])
        if kept is not None and point in kept:
            return kept[point]
        return Reading(value=getter(), good=True, at_s=self._at_s)

    def check(self, point: str, value: float) -> Verdict:
        """What SELECT is answered: whether the device would take the command, nothing moves."""
        device = self._by_setpoint.get(point)
        if device is None:
            return Verdict.NOT_SUPPORTED
        if device.site.resource.mrid in self._lost:
            return Verdict.BLOCKED
        return device.hold.check(value)

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        """OPERATE. Counted and logged whatever the answer is."""
        verdict = self.check(point, value)
        now_s = self._clock.now_s()
        if verdict is Verdict.ACCEPTED:
            hold = self._by_setpoint[point].hold
            verdict = hold.take(value, at_s=now_s, lease_s=lease_s)
        self.received[point] += 1
        self.log.append(
            ReceivedCommand(
                at_s=now_s,
                link=self._links.get(point, ""),
                point=point,
                value=value,
                lease_s=lease_s,
                verdict=verdict,
            )
        )
        return verdict

    def revision(self) -> int:
        """Goes up with every tick of the world; stands still while the feed is frozen."""
        return self._ticks if self._frozen is None else self._frozen_revision

    # ---- what the instructor does -------------------------------------------------------------

    def freeze(self, *, on: bool) -> None:
        """All readings, heartbeats too, stand still; the servers go on answering."""
        if on and self._frozen is None:
            self._frozen_revision = self.revision()
            self._frozen = {point: self.read(point) for point in self._getters}
        elif not on:
            self._frozen = None

    def lose_device(self, device: str, *, lost: bool) -> None:
        """The device no longer answers its concentrator: last values, not good; KeyError."""
        points = self._points_of(device)
        if lost:
            self._lost[device] = {
                p: Reading(value=self._getters[p](), good=False, at_s=self._at_s) for p in points
            }
        else:
            self._lost.pop(device, None)

    def set_fault(self, device: str, *, on: bool) -> None:
        """The device's fault flag; a faulty one does nothing and takes nothing. KeyError."""
        self.devices[device].hold.fault = on

    def set_local(self, device: str, *, on: bool) -> None:
        """The local/remote switch at the device. KeyError."""
        self.devices[device].hold.remote = not on

    @property
    def at_s(self) -> float:
        """Grid time of the last tick."""
        return self._at_s

    @property
    def ticks(self) -> int:
        """Ticks since the start, counted on also while the feed is frozen."""
        return self._ticks

    @property
    def commands_by_link(self) -> Mapping[str, int]:
        """Commands received per link."""
        found: Counter[str] = Counter(dict.fromkeys(sorted(set(self._links.values())), 0))
        for point, count in self.received.items():
            found[self._links.get(point, "")] += count
        return dict(found)

    def points(self) -> Sequence[str]:
        """Every readable point."""
        return tuple(self._getters)

    # ---- points -------------------------------------------------------------------------------

    def _points_of(self, device: str) -> Sequence[str]:
        points = self.devices[device].site.resource.points
        named = (
            points.setpoint, points.feedback, points.power, points.available, points.soc,
            points.remote, points.fault,
        )  # fmt: skip
        return tuple(p for p in named if p is not None)

    def _make_getters(self) -> dict[str, Getter]:
        found: dict[str, Getter] = {
            "FDR.TotW": lambda: self.grid.solution.head_kw,
            "FDR.TotVAr": lambda: self.grid.solution.head_kvar,
            "WX.TmpC": lambda: self._temperature_c,
            "WX.Irr": lambda: self._irradiance,
        }
        for i, phase in enumerate("ABC"):
            found[f"FDR.A.{phase}"] = lambda i=i: self.grid.solution.head_a[i]  # type: ignore[misc]
        for link in LINKS:
            found[f"{link}.HB"] = lambda: float(self._ticks % _COUNTER_WRAP)
        for node in self.feeder.nodes:
            for phase in node.phases:
                found[f"V.{node.mrid}.{phase}"] = (
                    lambda n=node.mrid, p=phase: self.grid.voltage_pu(n, p)  # type: ignore[misc]
                )
        for regulator in self.feeder.regulators:
            for i, phase in enumerate(regulator.phases):
                found[f"{regulator.mrid}.Tap.{phase}"] = (
                    lambda r=regulator.mrid, i=i: float(self.grid.taps()[r][i])  # type: ignore[misc]
                )
        for bank in self.feeder.capacitors:
            found[f"{bank.mrid}.Closed"] = (
                lambda c=bank.mrid: float(self.grid.closed(c))  # type: ignore[misc]
            )
        for device in self.devices.values():
            found.update(_device_getters(device))
        return found


def _device_getters(device: Device) -> dict[str, Getter]:
    points = device.site.resource.points
    hold = device.hold
    found: dict[str, Getter] = {
        points.setpoint: lambda: hold.value,
        points.feedback: lambda: hold.value,
        points.power: lambda: device.power_kw,
    }
    if points.available is not None and not isinstance(device, BatteryDevice):
        found[points.available] = lambda: device.available_kw
    if points.soc is not None and isinstance(device, BatteryDevice):
        found[points.soc] = lambda: device.soc_pct
    if points.remote is not None:
        found[points.remote] = lambda: float(hold.remote)
    if points.fault is not None:
        found[points.fault] = lambda: float(hold.fault)
    return found
