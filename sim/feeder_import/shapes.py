"""Load shapes of an OpenDSS circuit."""

from __future__ import annotations

from dataclasses import dataclass

from sim.feeder_import.circuit import Circuit

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """A series of multipliers of kW (and of kvar, where it has its own), `step_s` apart."""

    step_s: float
    kw_pu: tuple[float, ...]
    kvar_pu: tuple[float, ...]


def shapes_of(circuit: Circuit, wanted: set[str]) -> dict[str, LoadShape]:
    """The load shapes in `wanted` (lower-case names) that the circuit has."""
    shapes = circuit.dss.loadshapes
    found: dict[str, LoadShape] = {}
    for name in shapes.names:
        key = str(name).lower()
        if key not in wanted:
            continue
        shapes.name = str(name)
        hours = float(shapes.hr_interval)
        kw = tuple(float(v) for v in shapes.p_mult)
        kvar = tuple(float(v) for v in shapes.q_mult)
        found[key] = LoadShape(
            step_s=hours * _HOUR_S, kw_pu=kw, kvar_pu=kvar if len(kvar) == len(kw) else ()
        )
    return found
