"""The world's state as plain data: saved in one process, gone on from in another.

All that devices, controls and faults remember goes on bit for bit. The power flow starts its
iteration from elsewhere, so a voltage may differ within the engine's tolerance (1e-9 pu).

Weather, demand and all chance are functions of time and seed, so the state is what devices, taps,
banks and faults remember.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import numpy as np

from gridctl.model.errors import ConfigError
from sim.devices.breaker import BreakerLatch
from sim.devices.control import GridTie, SetpointHold
from sim.devices.inverter_functions import RideThrough
from sim.world import World

VERSION: Final = 1
_PARTS: Final = (GridTie, SetpointHold, BreakerLatch, RideThrough)
_CONTROL_STATE: Final = ("tap", "stuck", "_outside_s", "_last_step")
_BANK_STATE: Final = ("closed", "_outside_s", "_locked_s")


def saved(world: World) -> dict[str, Any]:
    """Everything that the next tick depends on, as JSON can hold it."""
    return {
        "version": VERSION,
        "scenario": world.scenario.name,
        "feeder": world.feeder.digest(),
        "at_s": world.at_s,
        "ticks": world.ticks,
        "devices": {name: _taken(d) for name, d in world.commandable.items()},
        "regulators": [_named(c, _CONTROL_STATE) for c in world.grid.regulators],
        "banks": [_named(c, _BANK_STATE) for c in world.grid.capacitors],
        "demands": [v.tolist() for v in world.grid.engine.demands()],
        "outages": world.outages.state(),
        "disturbances": world.disturbances.state(),
        "tripped": sorted(world.tripped),
        "received": dict(world.received),
    }


def restore(world: World, state: Mapping[str, Any], *, file: str = "checkpoint") -> None:
    """Put a world that was built for the same scenario into `state`, and solve it.

    Raises ConfigError, which names `file`, for another version, scenario or feeder."""
    for key, mine in (
        ("version", VERSION),
        ("scenario", world.scenario.name),
        ("feeder", world.feeder.digest()),
    ):
        if state.get(key) != mine:
            raise ConfigError(
                f"was saved with {key} {state.get(key)!r}, this is {mine!r}",
                file=file,
                key=key,
            )
    for name, device in world.commandable.items():
        _put(device, state["devices"][name])
    for control, kept in zip(world.grid.regulators, state["regulators"], strict=True):
        _put(control, kept)
    for bank, kept in zip(world.grid.capacitors, state["banks"], strict=True):
        _put(bank, kept)
    world.outages.restore(state["outages"])
    world.disturbances.restore(state["disturbances"])
    world.tripped = set(state["tripped"])
    kw, kvar = (np.asarray(v, dtype=np.float64) for v in state["demands"])
    world.grid.reapply(kw, kvar, cut=world.outages.cut)
    world.resume(at_s=state["at_s"], ticks=state["ticks"], received=state["received"])


def _named(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


def _taken(thing: object) -> dict[str, Any]:
    """The attributes of a device that can change; what follows from its site is left out."""
    found: dict[str, Any] = {}
    for name, value in vars(thing).items():
        match value:
            case Enum():
                found[name] = {"enum": value.value}
            case bool() | int() | float() | str() | None:
                found[name] = value
            case list():
                found[name] = [list(v) if isinstance(v, tuple) else v for v in value]
            case np.ndarray():
                found[name] = {"array": value.tolist(), "dtype": str(value.dtype)}
            case _ if isinstance(value, _PARTS):
                found[name] = {"part": _taken(value)}
            case _:
                continue
    return found


def _put(thing: object, kept: Mapping[str, Any]) -> None:
    for name, value in kept.items():
        match value:
            case {"part": dict(part)}:
                _put(getattr(thing, name), part)
            case {"array": list(values), "dtype": str(dtype)}:
                setattr(thing, name, np.asarray(values, dtype=dtype))
            case {"enum": str(word)}:
                setattr(thing, name, type(getattr(thing, name))(word))
            case list() if value and isinstance(value[0], list):
                setattr(thing, name, [tuple(v) for v in value])
            case _:
                setattr(thing, name, value)
