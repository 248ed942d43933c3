"""Transformers with a regulator control: their impedance, and an ideal tap changer behind it.

With the tap on a winding, OpenDSS's admittance is that of the transformer at tap 1 with an ideal
transformer of the tap's ratio in front of the winding. So the tap can be taken out exactly:
impedance to a node of our own, a `VoltageRegulator` from there to the bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridctl.model.network import BranchKind, ReverseControl, VoltageRegulator
from sim.feeder_import.branches import Branches
from sim.feeder_import.circuit import Circuit
from sim.feeder_import.places import in_order
from sim.feeder_import.report import Fate

_ON_GRID: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TapControl:
    """A RegControl of the file."""

    name: str
    transformer: str
    winding: int
    tap_winding: int


def tap_controls(circuit: Circuit, branches: Branches) -> dict[str, TapControl]:
    """The controls by lower-case name of their transformer; a second one is refused."""
    found: dict[str, TapControl] = {}
    for name in circuit.of("regcontrol"):
        if not circuit.activate(name):
            branches.report.add(name, Fate.UNUSED, "disabled in the file")
            continue
        control = TapControl(
            name=name,
            transformer=circuit.text(name, "transformer").lower(),
            winding=int(circuit.number(name, "winding")) or 1,
            tap_winding=int(circuit.number(name, "tapwinding")) or 1,
        )
        key = control.transformer.removeprefix("transformer.")
        if key in found:
            why = f"{key} has another control already; the tap of this winding stays where it is"
            branches.report.add(name, Fate.REFUSED, why)
        else:
            found[key] = control
    return found


def regulated(branches: Branches, name: str, control: TapControl) -> VoltageRegulator | None:
    """A transformer under `control`; None when it is kept with its tap where it is."""
    circuit, report = branches.circuit, branches.report
    element = circuit.element(name)
    windings = branches.windings(element)
    index = control.tap_winding - 1
    far = element.terminals[index] if index < len(element.terminals) else ()
    phases = int(circuit.number(name, "phases")) or 1
    legs, rest = far[:phases], far[phases:]
    plain = (
        control.tap_winding > 1
        and all(number > 0 for _, number in legs)
        and all(number == 0 for _, number in rest)
        and not set(legs) & {p for i, t in enumerate(element.terminals) if i != index for p in t}
    )
    if not plain:
        branches.transformer(name)
        why = "the tap stays where it is: its winding is not a secondary from phase to earth"
        report.add(control.name, Fate.APPROXIMATED, why)
        return None
    tap, step, low, high, exact = _tap(circuit, name, control)
    letters = branches.places.letters(legs, name)
    mrid = branches.name(element)
    bus = legs[0][0]
    inner = branches.places.inner(f"{mrid}_tap", bus, letters)
    ratio = 1.0 + tap * step
    # Undo the tap that the engine has now, which may lie between two steps.
    undo = np.array([exact if place in legs else 1.0 for place in element.places])
    siemens = element.siemens * np.outer(undo, undo)
    moved = {place: (inner, letter) for place, letter in zip(legs, letters, strict=True)}
    kept = branches.keep(
        element,
        f"{mrid}_z",
        BranchKind.TRANSFORMER,
        siemens=siemens,
        moved=moved,
        rating_a=branches.transformer_ratings(element, windings),
        windings=windings,
    )
    if not kept:
        del branches.places.extra[inner]
        return None
    branches.transformers[mrid] = (name, control.tap_winding)
    report.add(name, Fate.KEPT)
    _tell(branches, control, on_grid=abs(exact - ratio) < _ON_GRID)
    ordered = _first_measured(circuit, control, letters)
    count = len(ordered)
    return VoltageRegulator(
        mrid=mrid,
        from_node=inner,
        to_node=bus,
        phases=ordered,
        taps=(tap,) * count,
        step_pu=step,
        tap_min=low,
        tap_max=high,
        ganged=count > 1,
        vreg_v=(circuit.number(control.name, "vreg"),) * count,
        band_v=circuit.number(control.name, "band"),
        pt_ratio=circuit.number(control.name, "ptratio"),
        ct_primary_a=circuit.number(control.name, "ctprim"),
        ldc_r_v=(circuit.number(control.name, "r"),) * count,
        ldc_x_v=(circuit.number(control.name, "x"),) * count,
        rating_kva=windings[index].kva,
        delay_s=circuit.number(control.name, "delay"),
        reverse=_reverse(circuit, control.name),
    )


def _is_reversible(circuit: Circuit, control: str) -> bool:
    return circuit.text(control, "reversible").lower().startswith(("y", "t"))


def _reverse(circuit: Circuit, control: str) -> ReverseControl | None:
    """Its settings for the other direction. One that goes to its neutral tap there has none of its
    own, and is told as one without."""
    if not _is_reversible(circuit, control):
        return None
    if circuit.text(control, "revneutral").lower().startswith(("y", "t")):
        return None
    return ReverseControl(
        vreg_v=circuit.number(control, "revvreg"), band_v=circuit.number(control, "revband")
    )


def _tap(circuit: Circuit, name: str, control: TapControl) -> tuple[int, float, int, int, float]:
    """Tap position, step, lowest and highest position, and the ratio that the engine has."""
    circuit.dss.text(f"{name}.wdg={control.tap_winding}")
    high, low = circuit.number(name, "maxtap"), circuit.number(name, "mintap")
    count = circuit.number(name, "numtaps") or 32.0
    exact = circuit.number(name, "tap") or 1.0
    step = (high - low) / count
    if step <= 0.0:
        return 0, 1.0, 0, 0, exact
    return (
        round((exact - 1.0) / step),
        step,
        round((low - 1.0) / step),
        round((high - 1.0) / step),
        exact,
    )


def _tell(branches: Branches, control: TapControl, *, on_grid: bool) -> None:
    circuit, name = branches.circuit, control.name
    simpler = []
    if not on_grid:
        simpler.append("its tap lies between two steps and is moved to the nearer one")
    if circuit.text(name, "bus"):
        simpler.append("regulates at its own terminals, not at a remote bus")
    if _is_reversible(circuit, name):
        simpler.append("turns round when it is fed from behind, not when power flows back")
    if control.winding != control.tap_winding:
        simpler.append("measures at the winding with the tap")
    if simpler:
        branches.report.add(name, Fate.APPROXIMATED, "; ".join(simpler))
    else:
        branches.report.add(name, Fate.KEPT)


def _first_measured(circuit: Circuit, control: TapControl, letters: str) -> str:
    """`letters` with the phase that the control measures in front."""
    text = circuit.text(control.name, "ptphase")
    at = int(text) - 1 if text.isdigit() and 0 < int(text) <= len(letters) else 0
    ordered = in_order(letters)
    first = letters[at]
    return first + ordered.replace(first, "")
