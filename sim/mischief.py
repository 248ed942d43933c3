"""What each fault of the plant does to the world, and what it can be aimed at."""

from __future__ import annotations

from sim.devices.battery import BatteryDevice
from sim.devices.generator import GeneratorDevice
from sim.devices.pv import PvDevice
from sim.disturbances import SENSOR_FAULTS
from sim.fault_kinds import Aim, Fault
from sim.outages import HEAD
from sim.world import World


def targets(world: World, aim: Aim) -> list[str]:
    """The names that a fault of this aim takes, in the world's order."""
    devices = world.devices
    match aim:
        case Aim.DEVICE:
            return list(world.commandable)
        case Aim.LOAD_GROUP:
            return [
                n
                for n, d in devices.items()
                if not isinstance(d, BatteryDevice | PvDevice | GeneratorDevice)
            ]
        case Aim.SIGNED_DEVICE:
            return [n for n, d in devices.items() if not isinstance(d, PvDevice | GeneratorDevice)]
        case Aim.INVERTER:
            return [n for n, d in devices.items() if isinstance(d, BatteryDevice | PvDevice)]
        case Aim.POINT:
            return list(world.points())
        case Aim.SWITCH:
            return [s.mrid for s in world.feeder.switches if not s.is_open]
        case Aim.BRANCH:
            return sorted(world.outages.branches)
        case Aim.REGULATOR:
            return [r.mrid for r in world.feeder.regulators]
        case _:
            return []


def apply(world: World, fault: Fault, target: str, *, on: bool, amount: float) -> None:
    """Switch a fault of the plant whose target is one of `targets`."""
    if fault in SENSOR_FAULTS:
        if on:
            world.disturbances.disturb(target, fault, truth=world.truth(target), amount=amount)
        else:
            world.disturbances.mend(target, fault)
        return
    match fault:
        case Fault.FROZEN_FEED:
            world.freeze(on=on)
        case Fault.BREAKER_TRIP | Fault.LINE_OUT | Fault.ISLANDED_LATERAL:
            open_branch(world, target, is_open=on, island=fault is Fault.ISLANDED_LATERAL)
        case Fault.STUCK_REGULATOR:
            for control in world.grid.regulators:
                if control.regulator.mrid == target:
                    control.stuck = on
        case _:
            _device(world, fault, target, on=on, amount=amount)


def _device(world: World, fault: Fault, target: str, *, on: bool, amount: float) -> None:
    match fault:
        case Fault.COMM_LOSS:
            world.lose_device(target, lost=on)
        case Fault.DEVICE_FAULT:
            world.set_fault(target, on=on)
        case Fault.LOCAL:
            world.set_local(target, on=on)
        case _:
            _obedience(world, fault, target, on=on, amount=amount)


def _obedience(world: World, fault: Fault, target: str, *, on: bool, amount: float) -> None:
    device = world.commandable[target]
    ways = world.disturbances
    match fault:
        case Fault.CUSTOMER_OVERRIDE if hasattr(device, "overridden"):
            device.overridden = on
        case Fault.WRONG_SIGN if hasattr(device.hold, "opposite"):
            device.hold.opposite = on
        case Fault.INVERTER_TRIP:
            (world.tripped.add if on else world.tripped.discard)(target)
        case Fault.NOT_EXECUTED:
            (ways.deaf.add if on else ways.deaf.discard)(target)
        case Fault.LATE_EXECUTION if on:
            ways.late_s[target] = amount
        case Fault.LATE_EXECUTION:
            ways.late_s.pop(target, None)
        case _:
            raise KeyError(f"{fault} of {target}")


def open_branch(world: World, branch: str, *, is_open: bool, island: bool) -> None:
    """Open or close a branch (HEAD: the breaker at the source); an island lives off the batteries
    behind it, if they suffice. Effective with the next tick."""
    outages = world.outages
    if is_open:
        outages.open(branch, island=island)
    else:
        outages.close(branch)
    for one in {branch} - {HEAD} | set(outages.head_branches):
        world.grid.engine.set_branch(one, closed=one not in outages.cut)
