"""The feeder with its own controls: taps and switched capacitors follow the voltage they see.

`solve` finds, interval by interval, the positions at which every control is content
(`optimizer.regulation`), starting from the positions of now. All intervals are solved at once for
assumed positions, the controls are replayed on the readings, and what moved is solved again, until
nothing moves (models: `optimizer.positions`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gridctl.model.network import Feeder
from optimizer.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from optimizer.banks import banks_of
from optimizer.branches import ALL
from optimizer.fixpoint import TOLERANCE_PU
from optimizer.network import ControlColumn, FlowResult, NetworkModel, Sensitivity
from optimizer.positions import PositionModels
from optimizer.powerflow import columns_of, stitched
from optimizer.regulation import (
    NOTHING_PINNED,
    Bank,
    followed,
    positions_of,
    relays_of,
    taps_at,
)
from optimizer.seen import View
from optimizer.stations import Asked, Solved, Stations
from optimizer.unbalance import Unbalance
from optimizer.volt_var import DAMPING, ROUNDS_MAX, SETTLED_KVAR, Follower, answered

REPLAY_PU = 1e-6
"""Tolerance of the flows on which controls are replayed; the last one is as exact as any."""
REPLAYS_MAX = 16
REPLAYS_FREE = 3
"""Replays after which a control that is content stays where it is; with a guess it is one."""


class RegulatedNetwork:
    """A feeder whose controls act. Arguments and refusals as `NetworkModel`; `taps` and
    `closed_capacitors` are where the controls stand now."""

    def __init__(
        self,
        feeder: Feeder,
        *,
        taps: Mapping[str, tuple[int, ...]] | None = None,
        closed_capacitors: Collection[str] | None = None,
        open_switches: Collection[str] | None = None,
        models_of: RegulatedNetwork | None = None,
    ) -> None:
        """`models_of`: a network of the same feeder, switches and fixed capacitors with the
        controls elsewhere; its models are shared."""
        self._feeder = feeder
        self._open = open_switches
        self.now: NetworkModel = NetworkModel(
            feeder,
            taps=taps,
            closed_capacitors=closed_capacitors,
            open_switches=open_switches,
            like=None if models_of is None else models_of.now,
        )
        self.start: IntArray = positions_of(feeder, taps=taps, closed_capacitors=closed_capacitors)
        self._relays = relays_of(feeder, self.now.stamps.index, open_switches)
        self.models: PositionModels = PositionModels(
            feeder,
            now=self.now,
            relays=self._relays,
            closed_capacitors=closed_capacitors,
            open_switches=open_switches,
            kept=None if models_of is None else models_of.models.kept,
        )
        self._banks: tuple[Bank, ...] | None = None
        self.stations: Stations | None = self._stations_of(models_of, closed_capacitors)
        self._view = View()
        self.followers: tuple[Follower, ...] = ()
        self._pinned: Mapping[int, IntArray] = NOTHING_PINNED

    def pinned(self, at: Mapping[int, IntArray]) -> RegulatedNetwork:
        """This network with the rows of positions `at` held at (T,) in flows of T intervals."""
        if not at:
            return self
        other = copy.copy(self)
        other._pinned = at  # noqa: SLF001 - our own copy
        return other

    def step_slopes(self, flow: FlowResult, t: int, rows: Sequence[int]) -> Sensitivity:
        """What one step more of each of `rows` changes in interval `t` of `flow`, by an AC power
        flow with it (one step less, where there is none more)."""
        own = columns_of(self._view.bare(flow, self.now), np.array([t]))
        return self.models.step_slopes(own, rows, self._view.unbalance)

    def seen(
        self,
        *,
        offset_pu: FloatArray | None = None,
        unbalance: Unbalance | None = None,
        followers: tuple[Follower, ...] = (),
    ) -> RegulatedNetwork:
        """This network as a plan sees it: voltages moved by `offset_pu` (n, T) in flows of T
        intervals, rows of `unbalance` after those of the branches, `followers` giving the kvar of
        their curves. Relays and currents stay those of the model."""
        other = copy.copy(self)
        other._view = View(offset_pu=offset_pu, unbalance=unbalance)  # noqa: SLF001 - our own copy
        other.followers = followers
        return other

    @property
    def node_phases(self) -> tuple[tuple[str, str], ...]:
        """As `NetworkModel.node_phases`."""
        return self.now.node_phases

    @property
    def energised(self) -> BoolArray:
        """As `NetworkModel.energised`: taps and capacitors connect and disconnect nothing."""
        return self.now.energised

    @property
    def judged(self) -> BoolArray:
        """As `NetworkModel.judged`."""
        return self.now.judged

    @property
    def branch_names(self) -> tuple[str, ...]:
        """As `NetworkModel.branch_names`, and the rows of unbalance that are watched."""
        return self.now.branch_names + self._view.names

    @property
    def nominal_load_kw(self) -> float:
        """As `NetworkModel.nominal_load_kw`."""
        return self.now.nominal_load_kw

    def index(self, node: str, phase: str) -> int:
        """As `NetworkModel.index`."""
        return self.now.index(node, phase)

    def taps(self, flow: FlowResult, t: int) -> dict[str, tuple[int, ...]]:
        """Taps by regulator in interval `t` of a flow of this network."""
        return taps_at(self._feeder, flow.positions[:, t])

    def solve(
        self,
        *,
        load_scale: FloatArray,
        injection_kw: FloatArray | None = None,
        injection_kvar: FloatArray | None = None,
        start: FlowResult | None = None,
        hold: IntArray | None = None,
        guess: IntArray | None = None,
        head_kw: FloatArray | None = None,
        rough: bool = False,
    ) -> FlowResult:
        """AC power flow of T intervals, as `NetworkModel.solve`, with the controls' positions in
        `FlowResult.positions`; `hold` (K, T): positions that are held instead. `start` saves
        iterations only, `guess` (K, T) are positions to try first: the same case with the same
        guess always has the same flow. Without one it is where the controls stand now.
        `head_kw` (T,): as `NetworkModel.solve`, met while the controls act.

        `rough`: to REPLAY_PU only, for what is told in three digits.

        Where two controls fight and no rest is found in REPLAYS_MAX replays, the positions of the
        last replay stand: each is one that a control asked for.
        """
        bare = None if start is None else self._view.bare(start, self.now)
        answer: FloatArray | None = None
        if self.followers and start is not None and start.converged:
            answer = answered(self.followers, start.v_pu)
        rounds = 0
        while True:
            rounds += 1
            kvar = injection_kvar
            if answer is not None:
                kvar = answer if kvar is None else kvar + answer
            found = self._solved(
                load_scale=load_scale,
                injection_kw=injection_kw,
                injection_kvar=kvar,
                start=bare,
                hold=hold,
                guess=guess,
                head_kw=head_kw,
                tolerance_pu=REPLAY_PU if rough else TOLERANCE_PU,
            )
            shown = start if start is not None and found is bare else self._view.shown(found)
            if not self.followers or not found.converged or rounds == ROUNDS_MAX:
                return shown
            wanted = answered(self.followers, shown.v_pu)
            answer = np.zeros_like(wanted) if answer is None else answer
            if np.abs(wanted - answer).max() < SETTLED_KVAR:
                return shown
            answer = answer + DAMPING * (wanted - answer)
            bare = found

    def _is_at_rest(self, flow: FlowResult, guess: IntArray | None, hold: IntArray | None) -> bool:
        """Whether the controls came to rest in `flow` from this guess, as pinned as now."""
        return (
            hold is None
            and guess is not None
            and flow.guess is not None
            and np.array_equal(flow.guess, guess)
            and all(np.array_equal(flow.positions[r], at) for r, at in self._pinned.items())
        )

    def _tried(self, guess: IntArray | None, hold: IntArray | None, count: int) -> IntArray:
        """(K, T) positions to try first."""
        if hold is not None:
            return hold
        positions = np.tile(self.start[:, None], (1, count)) if guess is None else guess.copy()
        for row, at in self._pinned.items():
            positions[row] = at
        return positions

    def _solved(
        self,
        *,
        load_scale: FloatArray,
        injection_kw: FloatArray | None,
        injection_kvar: FloatArray | None,
        start: FlowResult | None,
        hold: IntArray | None,
        guess: IntArray | None,
        head_kw: FloatArray | None,
        tolerance_pu: float,
    ) -> FlowResult:
        scale = np.atleast_1d(np.asarray(load_scale, dtype=np.float64))
        count = scale.shape[-1]
        shape = (len(self.node_phases), count)
        kw = np.zeros(shape) if injection_kw is None else injection_kw
        kvar = np.zeros(shape) if injection_kvar is None else injection_kvar

        def solved(
            at: IntArray, columns: IntArray, near: FlowResult | None
        ) -> tuple[FlowResult, ComplexArray]:
            return self.models.solve(
                at,
                columns,
                near,
                load_scale=scale,
                kw=kw,
                kvar=kvar,
                head_kw=head_kw,
                tolerance_pu=tolerance_pu,
            )

        if (
            start is not None
            and self._is_at_rest(start, guess, hold)
            and _is_of(start, start.positions, scale, kw, kvar)
        ):
            return start
        everything = np.arange(count)
        positions = self._tried(guess, hold, count)
        if self.stations is not None:
            asked = self.stations.asked(load_scale=scale, kw=kw, kvar=kvar, head_kw=head_kw)
            together = self._together(
                asked, positions, start, guess=guess, held=hold is not None, exact_pu=tolerance_pu
            )
            if together is not None:
                return together
        if start is not None and head_kw is None and _is_of(start, positions, scale, kw, kvar):
            flow, amps = start, self.models.relay_amps(start)
        else:
            flow, amps = solved(positions, everything, start)
        if hold is not None:
            return flow
        free = REPLAYS_FREE if guess is None else 1
        for replay in range(REPLAYS_MAX):
            if not flow.converged:
                break
            wanted = self._followed(flow, amps, stay=replay >= free)
            moved = np.flatnonzero((wanted != flow.positions).any(axis=0))
            if not moved.size:
                break
            rest = np.setdiff1d(everything, moved)
            part, amps[:, moved] = solved(wanted, moved, flow)
            flow = stitched([(rest, columns_of(flow, rest)), (moved, part)])
        return replace(flow, guess=guess)

    def _together(
        self,
        asked: Asked,
        positions: IntArray,
        start: FlowResult | None,
        *,
        guess: IntArray | None,
        held: bool,
        exact_pu: float,
    ) -> FlowResult | None:
        """The flow with all positions in one iteration; None where that runs away, which the one
        of each set of positions by itself may not."""
        stations = self.stations
        if stations is None:
            return None
        near = None
        if start is not None and start.converged:
            near = stations.near(start.v_complex, positions)
        rough = exact_pu if held else REPLAY_PU
        solved = stations.solve(asked, positions, near, rough)
        free = REPLAYS_FREE if guess is None else 1
        for replay in range(0 if held else REPLAYS_MAX):
            if not solved.converged:
                return None
            wanted = self._wanted(solved, asked, stay=replay >= free)
            moved = np.flatnonzero((wanted != solved.positions).any(axis=0))
            if not moved.size and rough == exact_pu:
                break
            if not moved.size or replay == REPLAYS_MAX - 2:
                # At rest, as far as that is told at the rough tolerance.
                rough, moved = exact_pu, np.arange(wanted.shape[1])
            to = wanted[:, moved]
            near = stations.again(solved, moved, to)
            part = asked.columns(moved, solved.factor)
            solved.take(moved, stations.solve(part, to, near, rough))
        if not solved.converged:
            return None
        return replace(stations.flow(solved, asked), guess=None if held else guess)

    def _wanted(self, solved: Solved, asked: Asked, *, stay: bool) -> IntArray:
        """The positions that the controls would take on the readings of `solved`."""
        stations = self.stations
        if stations is None:
            return solved.positions
        amps = np.zeros((len(self._relays), len(solved.volts)), dtype=np.complex128)
        if self.models.reads_amps:
            amps = stations.relay_amps(solved, asked)
        banks = self._banks
        if banks is None:
            banks = self._switched(stations.flow(solved, asked))
        base_v = self.now.admittance.base_v
        return followed(
            self._relays,
            banks,
            start=self.start,
            solved=solved.positions,
            volts=stations.volts_at(solved, [relay.at for relay in self._relays]),
            amps=amps,
            mean_pu=np.array(
                [
                    (np.abs(stations.volts_at(solved, b.rows)) / base_v[list(b.rows), None]).mean(0)
                    for b in banks
                ]
            ),
            stay=stay,
            pinned=self._pinned,
        )

    def sensitivity(
        self, flow: FlowResult, t: int, columns: Sequence[ControlColumn]
    ) -> Sensitivity:
        """As `NetworkModel.sensitivity`, at the positions of interval `t`, which stay."""
        model = self.models.at(flow.positions[:, t])
        return model.sensitivity(flow, t, columns, unbalance=self._view.unbalance)

    def loading_slope(
        self, flow: FlowResult, t: int, current_pct: ComplexArray, branches: IntArray | slice = ALL
    ) -> FloatArray | None:
        """As `NetworkModel.loading_slope`; None where rows of unbalance are watched, too."""
        if self._view.unbalance is not None:
            return None
        return self.models.at(flow.positions[:, t]).loading_slope(flow, t, current_pct, branches)

    def _stations_of(
        self, kin: RegulatedNetwork | None, closed_capacitors: Collection[str] | None
    ) -> Stations | None:
        """None where nothing acts."""
        if kin is not None:
            return kin.stations
        if not len(self.start):
            return None
        return Stations(self.now, self._feeder, self._relays, closed_capacitors)

    def _followed(self, flow: FlowResult, amps: ComplexArray, *, stay: bool) -> IntArray:
        """The positions that the controls would take on the readings of `flow`."""
        banks = self._switched(flow)
        rows = [relay.at for relay in self._relays]
        return followed(
            self._relays,
            banks,
            start=self.start,
            solved=flow.positions,
            volts=flow.v_complex[rows],
            amps=amps,
            mean_pu=np.array([flow.v_pu[list(bank.rows)].mean(axis=0) for bank in banks]),
            stay=stay,
            pinned=self._pinned,
        )

    def _switched(self, flow: FlowResult) -> tuple[Bank, ...]:
        """The capacitors with control, with their lift taken at the first flow that is asked."""
        if self._banks is None:
            self._banks = banks_of(
                self._feeder,
                self.now.stamps.index,
                self._relays,
                self._open,
                lambda column: self.sensitivity(flow, 0, [column]).dv_pu_per_kw[:, 0],
            )
        return self._banks


def _is_of(
    flow: FlowResult, positions: IntArray, scale: FloatArray, kw: FloatArray, kvar: FloatArray
) -> bool:
    """Whether `flow` is already the flow of this case at these positions."""
    return flow.converged and all(
        np.array_equal(a, b)
        for a, b in (
            (flow.positions, positions),
            (flow.load_scale, scale),
            (flow.injection_kw, kw),
            (flow.injection_kvar, kvar),
        )
    )
