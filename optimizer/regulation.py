"""What regulators and switched capacitors of the feeder do by themselves over a horizon.

The law, per interval and deterministic: a relay reads the voltage behind its regulator, takes off
the line drop that its compensator imitates (IEEE C57.15: R and X in volts at the CT's rated
current), and steps towards its set voltage until the reading lies within half its band. It starts
from where it stood at the end of the interval before, and stays where it is content: that is the
hysteresis of a real one. Its delay (half a minute) is nothing beside an interval; that relays
further from the source wait longer shows in the order: the one nearer to the source moves first.
A capacitor with voltage control opens above and closes below its limits, on the mean of its phases,
after the regulators.

Positions of one interval are a column of integers: a tap for each relay (a ganged regulator has one
for all phases), then 0 or 1 for each switched capacitor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from gridctl.model.feeding import fed_from_behind, reached_without
from gridctl.model.network import Feeder, ShuntCapacitor, VoltageRegulator
from optimizer.arrays import ComplexArray, FloatArray, IntArray, squares_of
from optimizer.ties import PhaseIndex

NOTHING_PINNED: Mapping[int, IntArray] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One tap changer's control. `row`: the node-phase of its `to_node`, `at`: the one where it
    measures; `phase`: its number in the regulator's phases; `phases`: those that it moves;
    `upstream`: the relays (numbers) in front of it. `turned`: it is fed from its `to_node` and
    holds the voltage of the other side, which falls as the tap rises."""

    regulator: VoltageRegulator
    phase: int
    phases: str
    row: int
    at: int
    upstream: tuple[int, ...] = ()
    turned: bool = False

    def lifted(self, tap: IntArray | int, solved_tap: IntArray | int) -> FloatArray:
        """By what the voltage that it holds is multiplied at `tap`, solved at `solved_tap`."""
        step = self.regulator.step_pu
        ratio = np.asarray((1.0 + np.asarray(tap) * step) / (1.0 + np.asarray(solved_tap) * step))
        return 1.0 / ratio if self.turned else ratio

    def drop_v(self, amps: ComplexArray | complex) -> ComplexArray | complex:
        """What compensation takes off the reading at `amps` into the regulator."""
        r = self.regulator
        drop = complex(r.ldc_r_v[self.phase], r.ldc_x_v[self.phase])
        # Without compensation there may be no current transformer at all.
        return drop * amps / r.ct_primary_a if drop and not self.turned else 0.0j

    def reading_v(self, tap: int, *, solved_tap: int, volts: complex, amps: complex) -> float:
        """Compensated relay voltage at `tap`, 120 V base, when the network was solved at
        `solved_tap` with `volts` where it measures and `amps` into it."""
        ratio = float(self.lifted(tap, solved_tap))
        return float(np.abs(volts * ratio / self.regulator.pt_ratio - self.drop_v(amps)))

    @property
    def set_v(self) -> float:
        """The voltage that it holds, 120 V base."""
        r = self.regulator
        return r.reverse.vreg_v if self.turned and r.reverse else r.vreg_v[self.phase]

    @property
    def band_v(self) -> float:
        """Width of its band, 120 V base."""
        r = self.regulator
        return r.reverse.band_v if self.turned and r.reverse else r.band_v

    @property
    def acts(self) -> bool:
        """Whether it has settings to act on; a tap changer without stays where it is."""
        return self.set_v > 0.0 and self.band_v > 0.0 and self.regulator.pt_ratio > 0.0

    def wanted(self, tap: int, *, solved_tap: int, volts: complex, amps: complex) -> int:
        """The step that a relay that `acts` asks for at `tap`: -1, 0 or 1."""
        error_v = self.reading_v(tap, solved_tap=solved_tap, volts=volts, amps=amps)
        error_v -= self.set_v
        if abs(error_v) <= self.band_v / 2:
            return 0
        return -1 if (error_v > 0) != self.turned else 1

    def settled_tap(self, start: int, *, solved_tap: int, volts: complex, amps: complex) -> int:
        """Where the relay comes to rest from `start`, all else as solved."""
        r, tap, last = self.regulator, start, 0
        if volts == 0.0 or not self.acts:
            return start
        while True:
            step = self.wanted(tap, solved_tap=solved_tap, volts=volts, amps=amps)
            # A band narrower than a step has no place of rest: the first way back ends it.
            if step in (0, -last) or not r.tap_min <= tap + step <= r.tap_max:
                return tap
            tap, last = tap + step, step

    def contented(
        self, solved_tap: IntArray, volts: ComplexArray, amps: ComplexArray
    ) -> tuple[IntArray, IntArray]:
        """The lowest and the highest tap (T,) at which it is content, or the last one on the way
        there. Where the lowest is the higher one there is none, as its band is too narrow."""
        r = self.regulator
        taps = np.arange(r.tap_min, r.tap_max + 1)
        if self.turned:
            taps = taps[::-1]
        ratio = self.lifted(taps[:, None], solved_tap)
        # Squares of readings: no root of each of some thirty taps in each interval.
        seen_v, drop_v = volts / r.pt_ratio, np.asarray(self.drop_v(amps), dtype=np.complex128)
        along = 2.0 * (seen_v.real * drop_v.real + seen_v.imag * drop_v.imag)
        square = (squares_of(seen_v) * ratio - along) * ratio + squares_of(drop_v)
        least_v, most_v = self.set_v - self.band_v / 2, self.set_v + self.band_v / 2
        # Readings rise in this order of the taps.
        low = np.count_nonzero(square < max(least_v, 0.0) ** 2, axis=0)
        high = len(taps) - 1 - np.count_nonzero(square > most_v**2, axis=0)
        first, last = taps[np.minimum(low, len(taps) - 1)], taps[np.maximum(high, 0)]
        return (last, first) if self.turned else (first, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """A capacitor with voltage control. `lift_pu`: by how much closing it lifts the mean of its
    phases' voltages; `upstream`: the relays in front of each phase."""

    rows: tuple[int, ...]
    upstream: tuple[tuple[int, ...], ...]
    open_above_pu: float
    close_below_pu: float
    lift_pu: float

    def settled(self, start: int, *, solved: int, mean_pu: float) -> int:
        """Whether it is closed (1) in the end, from `start`, when the network was solved with it in
        state `solved`."""
        if mean_pu == 0.0:
            return start
        seen_pu = mean_pu + self.lift_pu * (start - solved)
        if start == 1:
            return 0 if seen_pu > self.open_above_pu else 1
        return 1 if seen_pu < self.close_below_pu else 0


def relays_of(
    feeder: Feeder, index: PhaseIndex, open_switches: Collection[str] | None
) -> tuple[Relay, ...]:
    """One relay for each ganged regulator, one a phase for the others."""
    turned = fed_from_behind(feeder, open_switches)
    found = [
        Relay(
            regulator=r,
            phase=k,
            phases=r.phases if r.ganged else phase,
            row=index.row(r.to_node, phase),
            at=index.row(r.from_node if r.mrid in turned else r.to_node, phase),
            turned=r.mrid in turned,
        )
        for r in feeder.regulators
        for k, phase in enumerate(r.phases[:1] if r.ganged else r.phases)
    ]
    upstream = upstream_of(feeder, found, open_switches)
    return tuple(
        replace(
            relay,
            upstream=tuple(k for k in upstream[_near(relay), relay.phases[0]] if k != i),
        )
        for i, relay in enumerate(found)
    )


def _near(relay: Relay) -> str:
    """The node from which it is fed."""
    return relay.regulator.to_node if relay.turned else relay.regulator.from_node


def controlled(feeder: Feeder) -> list[ShuntCapacitor]:
    """The capacitors that switch by themselves."""
    return [c for c in feeder.capacitors if c.open_above_pu is not None]


def positions_of(
    feeder: Feeder,
    *,
    taps: Mapping[str, tuple[int, ...]] | None,
    closed_capacitors: Collection[str] | None,
) -> IntArray:
    """The column of positions of a state; missing ones are the feeder's own."""
    found: list[int] = []
    for r in feeder.regulators:
        given = (taps or {}).get(r.mrid, r.taps)
        found += given[:1] if r.ganged else given
    for c in controlled(feeder):
        closed = c.is_closed if closed_capacitors is None else c.mrid in closed_capacitors
        found.append(int(closed))
    return np.array(found, dtype=np.intp)


def taps_at(feeder: Feeder, positions: IntArray) -> dict[str, tuple[int, ...]]:
    """Taps by regulator of one column of positions."""
    found: dict[str, tuple[int, ...]] = {}
    at = 0
    for r in feeder.regulators:
        if r.ganged:
            found[r.mrid] = (int(positions[at]),) * len(r.phases)
            at += 1
        else:
            found[r.mrid] = tuple(int(p) for p in positions[at : at + len(r.phases)])
            at += len(r.phases)
    return found


def closed_at(
    feeder: Feeder, positions: IntArray, closed_capacitors: Collection[str] | None
) -> list[str]:
    """Closed capacitors of one column of positions; those without control as they stand now."""
    switched = [c.mrid for c in controlled(feeder)]
    states = dict(zip(switched, positions[len(positions) - len(switched) :].tolist(), strict=True))
    return [
        c.mrid
        for c in feeder.capacitors
        if (
            states[c.mrid] == 1
            if c.mrid in states
            else (c.is_closed if closed_capacitors is None else c.mrid in closed_capacitors)
        )
    ]


def upstream_of(
    feeder: Feeder, relays: Sequence[Relay], open_switches: Collection[str] | None
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Relays (numbers) through whose regulator alone each (node, phase) is fed.

    Only a guide for what to try next: behind a loop or a delta winding it tells less than there is.
    """
    found: dict[tuple[str, str], list[int]] = {
        (n.mrid, phase): [] for n in feeder.nodes for phase in n.phases
    }
    reached = reached_without(feeder, open_switches)
    for to_node in dict.fromkeys(relay.regulator.to_node for relay in relays):
        own = [k for k, relay in enumerate(relays) if relay.regulator.to_node == to_node]
        fed = reached(to_node)
        for (node, phase), numbers in found.items():
            if node not in fed:
                numbers += [k for k in own if phase in relays[k].phases]
    return {place: tuple(numbers) for place, numbers in found.items()}


def followed(
    relays: Sequence[Relay],
    banks: Sequence[Bank],
    *,
    start: IntArray,
    solved: IntArray,
    volts: ComplexArray,
    amps: ComplexArray,
    mean_pu: FloatArray,
    stay: bool = False,
    pinned: Mapping[int, IntArray] = NOTHING_PINNED,
) -> IntArray:
    """The positions (K, T) that the controls take from `start` (K,), interval after interval.

    `solved` (K, T): the positions at which the network was solved, with `volts` and `amps`
    (relays, T) and `mean_pu` (banks, T). Other positions are judged as if each regulator only
    multiplied what lies behind it; at `solved` itself the readings are exact, so that positions
    which come out as they went in are those of the law. `stay`: a tap that is content where it was
    solved stays there, also when the guess says that it would not have moved so far; that ends the
    rare argument between a guess and its solution. `pinned`: rows that a plan moves.
    """
    found = solved.copy()
    ratio = np.ones(solved.shape)
    for i in sorted(range(len(relays)), key=lambda k: len(relays[k].upstream)):
        relay, at = relays[i], int(start[i])
        seen = volts[i] * ratio[list(relay.upstream)].prod(axis=0)
        found[i] = (
            pinned[i] if i in pinned else _taps(relay, at, solved[i], seen, amps[i], stay=stay)
        )
        ratio[i] = relay.lifted(found[i], solved[i])
    for j, bank in enumerate(banks):
        row, at = len(relays) + j, int(start[len(relays) + j])
        if row in pinned:
            found[row] = pinned[row]
            continue
        lifts = np.mean([ratio[list(numbers)].prod(axis=0) for numbers in bank.upstream], axis=0)
        for t in range(solved.shape[1]):
            seen_pu = float(mean_pu[j, t] * lifts[t])
            at = bank.settled(at, solved=int(solved[row, t]), mean_pu=seen_pu)
            found[row, t] = at
    return found


def _taps(
    relay: Relay,
    start: int,
    solved: IntArray,
    volts: ComplexArray,
    amps: ComplexArray,
    *,
    stay: bool,
) -> IntArray:
    """(T,) the taps of one relay, interval after interval; arguments as `followed`."""
    if not relay.acts:
        return np.full(len(solved), start, dtype=np.intp)
    low, high = relay.contented(solved, volts, amps)
    held = (volts == 0.0).tolist()
    at, found = start, solved.tolist()
    for t, (here, least, most) in enumerate(
        zip(solved.tolist(), low.tolist(), high.tolist(), strict=True)
    ):
        if least > most:
            v, a = complex(volts[t]), complex(amps[t])
            content = stay and not relay.wanted(here, solved_tap=here, volts=v, amps=a)
            at = here if content else relay.settled_tap(at, solved_tap=here, volts=v, amps=a)
        elif not held[t]:
            at = here if stay and least <= here <= most else min(max(at, least), most)
        found[t] = at
    return np.array(found, dtype=np.intp)
