"""The simulated world: a feeder on its day, its devices, and the faults an instructor throws in.

Fulfils `sim.plant.Plant`, so that DNP3 outstations and the OPC UA server can stand in front of it.
Everything follows from scenario, seed and the commands received; time comes in with `tick`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gridctl.model.clock import Clock
from gridctl.model.network import Feeder
from sim.demand import Demand
from sim.devices.battery import BatteryDevice
from sim.devices.breaker import OPEN, BreakerDevice, BreakerLatch
from sim.devices.control import SetpointHold
from sim.devices.load_group import LoadGroupDevice
from sim.devices.pv import PvDevice
from sim.devices.surroundings import Surroundings
from sim.devices.units import UnitDevice, unit_device
from sim.disturbances import Disturbances, LateCommand
from sim.fleet import Fleet
from sim.grid import Grid
from sim.islands import (
    dark_voltage_pu,
    is_dark,
    is_off,
    leave_in_the_dark,
    served_without_grid,
)
from sim.outages import Outages
from sim.plant import Reading, Verdict
from sim.readings import Getter, device_getters, grid_getters
from sim.scenario import Scenario
from sim.weather import DAY_S, Weather

Device: TypeAlias = LoadGroupDevice | BatteryDevice | PvDevice | UnitDevice
Commandable: TypeAlias = Device | BreakerDevice

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
        self.weather = Weather(scenario.climate, scenario.turn.series)
        self._demand = Demand(feeder, self.weather, scenario.seed, scenario.turn)
        self._groups = [LoadGroupDevice(site) for site in fleet.load_groups]
        self._batteries = [BatteryDevice(site) for site in fleet.batteries]
        self._pvs = [PvDevice(site) for site in fleet.pvs]
        self._units: list[UnitDevice] = [unit_device(site) for site in fleet.units]
        self._breakers = [BreakerDevice(site) for site in fleet.breakers]
        devices: list[Device] = [*self._groups, *self._batteries, *self._pvs, *self._units]
        self.devices: dict[str, Device] = {d.site.resource.mrid: d for d in devices}
        commandable: list[Commandable] = [*devices, *self._breakers]
        self.commandable = {d.site.resource.mrid: d for d in commandable}
        self._by_setpoint = {d.site.resource.points.setpoint: d for d in commandable}
        injecting: list[Device] = [*self._batteries, *self._pvs, *self._units]
        places = dict.fromkeys(
            (t.node, t.phase) for d in injecting for t in d.site.resource.terminals
        )
        self._place = {place: i for i, place in enumerate(places)}
        self._members = [
            np.flatnonzero(np.isin(self._demand.consumers, site.consumers))
            for site in fleet.load_groups
        ]
        self.grid = Grid(feeder, places)
        self.outages = Outages(feeder, self._demand.consumers)
        self.disturbances = Disturbances(scenario.seed)
        self.tripped: set[str] = set()
        """Inverters that are held off the grid by a fault."""
        self.unserved_kw = 0.0
        """What customers without supply would draw now."""
        self.diverged = False
        """Whether the last tick's power flow did not converge: the picture is the one before."""
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
        self.disturbances.execute_due(now_s, self._execute)
        for breaker in self._breakers:
            if breaker.step(at_s=now_s):
                self._operated(breaker)
        self.grid.regulate(dt_s)
        self._advance(dt_s)

    def _operated(self, breaker: BreakerDevice) -> None:
        branch = breaker.site.resource.mrid
        if breaker.position == OPEN:
            self.outages.open(branch, island=False)
        else:
            self.outages.close(branch)
        self.grid.engine.set_branch(branch, closed=branch not in self.outages.cut)

    def _advance(self, dt_s: float) -> None:
        at_s = self._at_s
        self._temperature_c = self.weather.temperature_c(at_s)
        self._irradiance = self.weather.irradiance_w_m2(at_s)
        sun = self.weather.pv_pu(at_s)
        load_kw = self._demand.kw(at_s) * self.scenario.turn.factor(at_s)
        pickup = self.outages.step(dt_s)
        if pickup is not None:
            load_kw *= pickup
        for group, members in zip(self._groups, self._members, strict=True):
            demand_kw = float(load_kw[members].sum())
            group.step(at_s=at_s, dt_s=dt_s, demand_kw=demand_kw)
            if demand_kw > 0:
                load_kw[members] *= group.power_kw / demand_kw
        self.unserved_kw = 0.0
        if self.outages.dark:
            self.unserved_kw = float(load_kw[self.outages.dark_loads].sum())
            self.unserved_kw -= served_without_grid(
                self.outages, load_kw, self._batteries, self.tripped
            )
            load_kw = leave_in_the_dark(self.outages, load_kw, self._groups, self._members)
        injected_kw, injected_kvar = np.zeros(len(self._place)), np.zeros(len(self._place))
        self._step_devices(dt_s, sun, injected_kw, injected_kvar)
        kw = np.concatenate([load_kw, -injected_kw])
        kvar = np.concatenate([self._demand.kvar(load_kw), -injected_kvar])
        self.diverged = True
        self.grid.solve(kw, kvar)
        self.diverged = False

    def _step_devices(
        self,
        dt_s: float,
        sun: Mapping[str, float],
        injected_kw: NDArray[np.float64],
        injected_kvar: NDArray[np.float64],
    ) -> None:
        at_s = self._at_s
        for battery in self._batteries:
            held = battery.site.resource.mrid in self.tripped
            battery.tie.tripped = is_off(self.outages, battery) or held
            battery.step(at_s=at_s, dt_s=dt_s, air_c=self._temperature_c)
            # What an island draws from its battery never reaches the feeder.
            if battery.carried_kw is None:
                self._inject(injected_kw, battery, battery.power_kw)
        for pv in self._pvs:
            held = pv.site.resource.mrid in self.tripped
            pv.tie.tripped = held or is_dark(self.outages, pv.site.resource.terminals)
            pv.step(at_s=at_s, dt_s=dt_s, sun_pu=sun, voltage_pu=self._voltage_at(pv))
            self._inject(injected_kw, pv, pv.power_kw)
            if pv.power_kvar:
                self._inject(injected_kvar, pv, pv.power_kvar)
        if not self._units:
            return
        day, second = divmod(at_s + self.scenario.utc_offset_s, DAY_S)
        for unit in self._units:
            lit = not is_dark(self.outages, unit.site.resource.terminals)
            unit.step(
                Surroundings(
                    at_s=at_s, dt_s=dt_s, local_h=second / 3600.0, day=int(day),
                    temperature_c=self._temperature_c, lit=lit,
                )
            )  # fmt: skip
            if lit:
                self._inject(injected_kw, unit, unit.injected_kw)

    def _inject(self, injected: NDArray[np.float64], device: Device, amount: float) -> None:
        for terminal in device.site.resource.terminals:
            place = self._place[terminal.node, terminal.phase]
            injected[place] += terminal.share * amount

    def _voltage_at(self, pv: PvDevice) -> float:
        if not pv.site.functions:
            return 1.0
        seen = [self.voltage_pu(t.node, t.phase) for t in pv.site.resource.terminals]
        return sum(seen) / len(seen)

    def voltage_pu(self, node: str, phase: str) -> float:
        """Voltage at one phase of a node: nothing where it is dark, nominal in a carried island."""
        if node in self.outages.dark:
            return dark_voltage_pu(self.outages, node, self._batteries)
        return self.grid.voltage_pu(node, phase)

    # ---- what the servers ask (sim.plant.Plant) -----------------------------------------------

    def read(self, point: str) -> Reading:
        """The value of a readable point; KeyError for a point that the plant does not have."""
        if self._frozen is not None:
            return self._frozen[point]
        kept = self._lost.get(point.split(".", 1)[0])
        if kept is not None and point in kept:
            return kept[point]
        truth = self.truth(point)
        return self.disturbances.shown(point, truth) if self.disturbances.sensors else truth

    def truth(self, point: str) -> Reading:
        """What a point would show if nothing were wrong on the way; KeyError. What the power flow
        owes is not good while it does not converge."""
        good = not (self.diverged and point in self._solved)
        return Reading(value=self._getters[point](), good=good, at_s=self._at_s)

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
            verdict = self._take(point, value, now_s, lease_s)
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

    def _take(self, point: str, value: float, now_s: float, lease_s: float | None) -> Verdict:
        device = self._by_setpoint[point]
        mrid = device.site.resource.mrid
        late_s = self.disturbances.late_s.get(mrid)
        if mrid in self.disturbances.deaf:
            return Verdict.ACCEPTED
        if late_s is not None:
            self.disturbances.delay(
                LateCommand(due_s=now_s + late_s, point=point, value=value, lease_s=lease_s)
            )
            return Verdict.ACCEPTED
        return device.hold.take(value, at_s=now_s, lease_s=lease_s)

    def _execute(self, command: LateCommand) -> None:
        hold = self._by_setpoint[command.point].hold
        hold.take(command.value, at_s=command.due_s, lease_s=command.lease_s)

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
        self.commandable[device].hold.fault = on

    def set_local(self, device: str, *, on: bool) -> None:
        """The local/remote switch at the device. KeyError."""
        self.commandable[device].hold.remote = not on

    def holds_of(self, link: str) -> Sequence[SetpointHold | BreakerLatch]:
        """What the master of `link` may have set."""
        return tuple(d.hold for p, d in self._by_setpoint.items() if self._links.get(p) == link)

    def resume(self, *, at_s: float, ticks: int, received: Mapping[str, int]) -> None:
        """Go on from a saved state; devices and grid are in place already (`sim.checkpoint`)."""
        self._at_s, self._ticks = at_s, ticks
        self.received = Counter(received)
        self._temperature_c = self.weather.temperature_c(at_s)
        self._irradiance = self.weather.irradiance_w_m2(at_s)

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
        points = self.commandable[device].site.resource.points
        named = (
            points.setpoint, points.feedback, points.power, points.available, points.soc,
            points.remote, points.fault,
        )  # fmt: skip
        return tuple(p for p in named if p is not None)

    def _make_getters(self) -> dict[str, Getter]:
        found = grid_getters(self.grid, self.feeder, self.voltage_pu)
        self._solved = frozenset(found)
        found["WX.TmpC"] = lambda: self._temperature_c
        found["WX.Irr"] = lambda: self._irradiance
        for link in LINKS:
            found[f"{link}.HB"] = lambda: float(self._ticks % _COUNTER_WRAP)
        for device in self.commandable.values():
            found.update(device_getters(device))
        return found
