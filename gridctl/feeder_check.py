"""Our power flow against the mirror's engine, on any feeder, with taps pinned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridctl.model.errors import UnavailableError
from gridctl.model.network import NEUTRAL, Feeder
from optimizer.network import NetworkModel
from sim.engine import Engine

AGREED_PU: Final = 1e-6
_STRANGE_PU: Final = 0.7
_NO_FEEDER_PU: Final = 0.5
_STRANGE_HIGH_PU: Final = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederCheck:
    """`difference_pu` is the largest distance between the two engines' complex voltages of one
    node-phase, at `worst`; figures of our own flow beside it. `told`: what looks strange.
    `agreed_pu`: up to here they agree."""

    difference_pu: float
    worst: str
    compared: int
    iterations: int
    head_kw: float
    losses_kw: float
    lowest_pu: float
    lowest_at: str
    highest_pu: float
    highest_at: str
    told: tuple[str, ...]
    agreed_pu: float = AGREED_PU

    @property
    def agrees(self) -> bool:
        """Whether both engines say the same."""
        return self.difference_pu <= self.agreed_pu

    @property
    def is_feeder(self) -> bool:
        """Whether anybody could be supplied by it."""
        return self.lowest_pu >= _NO_FEEDER_PU

    @property
    def is_rough(self) -> bool:
        """Whether the reference itself is not good to AGREED_PU."""
        return self.agreed_pu > AGREED_PU


def check_feeder(
    feeder: Feeder,
    reference_v: Mapping[tuple[str, str], complex] | None = None,
    *,
    by_size: bool = False,
    reference_within_pu: float = 0.0,
    place: Callable[[str], str] = lambda _: "",
) -> FeederCheck:
    """Solve `feeder` twice and compare: with our Z-bus flow, and by the OpenDSS engine (or with
    `reference_v`, volts to earth by node-phase, that another engine found; `by_size`: it knows
    magnitudes only; `reference_within_pu`: and those no better than that).
    `place`: file and line of a load, by its name.

    Raises ValueError for a feeder that cannot be computed, naming the element, and
    UnavailableError when a power flow does not converge, naming the place where it fails.
    """
    network = NetworkModel(feeder)
    flow = network.solve(load_scale=np.ones(1))
    if not flow.converged:
        raise UnavailableError(_lost(network, feeder, place))
    base_v = network.base_kv * 1e3
    if reference_v is None:
        engine = Engine(feeder)
        solved = engine.solve().voltages_pu
        volts = {
            (node, phase): complex(volt) * base_v[network.index(node, phase)]
            for name, volt in zip(engine.node_phases, solved, strict=True)
            for node, phase in (name.rsplit(".", 1),)
        }
    else:
        volts = dict(reference_v)
    rows = np.array([network.index(*place) for place in volts], dtype=np.intp)
    theirs = np.array(list(volts.values()))
    ours = flow.v_complex[rows, 0]
    off = np.abs(ours) - np.abs(theirs) if by_size else ours - theirs
    apart = np.abs(_without_drift(network, rows, off)) / base_v[rows]
    apart = np.where(network.energised[rows], apart, 0.0)
    at = int(np.argmax(apart)) if apart.size else 0
    judged = np.flatnonzero(network.judged)
    size = flow.v_pu[judged, 0]
    low, high = judged[np.argmin(size)], judged[np.argmax(size)]
    return FeederCheck(
        difference_pu=float(apart[at]) if apart.size else 0.0,
        worst=_name(network, int(rows[at])) if apart.size else "",
        agreed_pu=max(AGREED_PU, reference_within_pu),
        compared=len(rows),
        iterations=flow.iterations,
        head_kw=float(flow.head_kw[0]),
        losses_kw=float(flow.losses_kw[0]),
        lowest_pu=float(flow.v_pu[low, 0]),
        lowest_at=_name(network, int(low)),
        highest_pu=float(flow.v_pu[high, 0]),
        highest_at=_name(network, int(high)),
        told=tuple(_strange(network, feeder, flow.v_pu[:, 0], place)),
    )


def _without_drift(
    network: NetworkModel, rows: NDArray[np.intp], off_v: NDArray[Any]
) -> NDArray[Any]:
    """`off_v` less what all phases of a floating node have in common: against earth it has no
    voltage of its own, and rounding decides."""
    floating = np.asarray(network.admittance.floating)[rows]
    if not floating.any():
        return off_v
    _, place = np.unique([network.node_phases[row][0] for row in rows], return_inverse=True)
    count = np.maximum(np.bincount(place, weights=floating), 1.0)
    kept = np.where(floating, off_v, 0.0)
    common = np.bincount(place, weights=kept.real) + 1j * np.bincount(place, weights=kept.imag)
    return np.where(floating, off_v - (common / count)[place], off_v)


def _name(network: NetworkModel, row: int) -> str:
    return ".".join(network.node_phases[row])


def _strange(
    network: NetworkModel,
    feeder: Feeder,
    v_pu: NDArray[np.float64],
    place: Callable[[str], str],
) -> list[str]:
    said = []
    judged = np.flatnonzero(network.judged)
    low, high = (int(judged[at(v_pu[judged])]) for at in (np.argmin, np.argmax))
    if v_pu[low] < _STRANGE_PU:
        said.append(
            f"{v_pu[low]:.3f} pu at {_name(network, low)}: loads there are too large for what "
            f"feeds them; "
            f"the largest: {_largest(feeder, place)}; {_steepest(network, feeder, v_pu, place)}"
        )
    if v_pu[high] > _STRANGE_HIGH_PU:
        where = _name(network, high)
        said.append(f"{v_pu[high]:.3f} pu at {where}: no feeder has such a voltage")
    dead = {n for i, (n, p) in enumerate(network.node_phases) if not network.energised[i]}
    live = {n for i, (n, p) in enumerate(network.node_phases) if network.energised[i]}
    without = sorted(dead - live)
    if without:
        more = f" and {len(without) - 5} more" if len(without) > 5 else ""  # noqa: PLR2004
        said.append(f"not energised: {', '.join(without[:5])}{more}")
    floating = {
        n
        for (n, p), is_floating in zip(
            network.node_phases, network.admittance.floating, strict=True
        )
        if is_floating and p != NEUTRAL
    }
    if floating:
        said.append(
            f"{len(floating)} nodes without a path to earth: devices there are connected between "
            "phases"
        )
    return said


def _lost(network: NetworkModel, feeder: Feeder, place: Callable[[str], str]) -> str:
    """Where the load is furthest beyond what the network can bring, in words."""
    last = "it has no consumers"
    for scale in (0.8, 0.6, 0.4, 0.2, 0.1):
        flow = network.solve(load_scale=np.array([scale]))
        if flow.converged:
            rows = np.flatnonzero(network.judged)
            low = rows[np.argmin(flow.v_pu[rows, 0])]
            last = f"at {scale:.0%} of its load {_name(network, int(low))} is at "
            last += f"{flow.v_pu[low, 0]:.3f} pu"
            break
    else:
        last = "not even a tenth of its load can be carried"
    return (
        f"the power flow of {feeder.mrid} does not converge: {last}; "
        f"largest loads: {_largest(feeder, place)}"
    )


def _steepest(
    network: NetworkModel,
    feeder: Feeder,
    v_pu: NDArray[np.float64],
    place: Callable[[str], str],
) -> str:
    """The line along which most of the voltage is lost, in words."""
    lost = {
        line.mrid: max(
            abs(v_pu[network.index(line.from_node, p)] - v_pu[network.index(line.to_node, p)])
            for p in line.phases
        )
        for line in feeder.lines
    }
    worst = max(lost, key=lambda mrid: lost[mrid], default="")
    if not worst:
        return "it has no lines"
    line = next(one for one in feeder.lines if one.mrid == worst)
    ohm = line.length_km * float(np.hypot(line.r_ohm_per_km[0][0], line.x_ohm_per_km[0][0]))
    where = f" ({place(worst)})" if place(worst) else ""
    told = f"{ohm:.3g} ohm in {line.length_km:.3g} km"
    return f"most is lost in line {worst}{where}: {lost[worst]:.2f} pu, it has {told}"


def _largest(feeder: Feeder, place: Callable[[str], str]) -> str:
    largest = sorted(feeder.consumers, key=lambda c: -abs(sum(c.kw)))[:3]
    told = ((f"{c.mrid} {sum(c.kw):g} kW at {c.node}", place(c.mrid)) for c in largest)
    return ", ".join(f"{what} ({where})" if where else what for what, where in told)
