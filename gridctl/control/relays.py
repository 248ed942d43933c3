"""What the relays of a feeder's regulators see now, from what is measured.

Few utilities meter the regulator's own terminals. So the voltage is that of the state that fits all
measurements best (the estimate of rule 17), at the taps as they are measured; its current gives the
line drop that a relay's compensator takes off. Where the feeder is too large to estimate in time, a
relay without compensation is read by the meter at its node, the others are not watched.

A regulator that is fed from behind, or whose tap is not measured, is not judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.resources import Known, measured_taps
from gridctl.control.statecheck import StateCheck
from gridctl.control.tapwatch import RelayReading, Still, TapWatch
from gridctl.model.clock import Clock
from gridctl.model.feeding import fed_from_behind
from gridctl.model.network import Feeder, VoltageRegulator
from gridctl.model.quantity import Phase, Unit
from optimizer.network import FlowResult, NetworkModel
from optimizer.regulation import Relay, relays_of

EVERY_S: Final = 30.0
"""Real seconds between two looks, and at least LOOK_S of grid time: an estimate takes a fifth of a
second of the office's processor."""
LOOK_S: Final = 60.0
MARGIN_V: Final = 0.4
"""Beyond the band, V on the 120 V base (a third of a per cent): less is what an estimate and a
potential transformer of class 0.3 may be off."""
DEAD_V: Final = 60.0


class RelayBook:
    """`step` is a job of the agenda; `still` says what stands still."""

    def __init__(
        self,
        feeder: Feeder,
        *,
        state: StateCheck,
        known: Callable[[], Known],
        clock: Clock,
        alarms: AlarmBook,
        utc_offset_s: float,
    ) -> None:
        self._feeder = feeder
        self._state = state
        self._known = known
        self._clock = clock
        self._alarms = alarms
        self._utc_offset_s = utc_offset_s
        self._watch = TapWatch()
        self._looked_s: float | None = None
        self._alarmed: set[str] = set()

    async def step(self) -> None:
        """Read the relays when it is time, and keep the alarms."""
        now_s = self._clock.now_s()
        if not self._feeder.regulators or (
            self._looked_s is not None and 0.0 <= now_s - self._looked_s < LOOK_S
        ):
            return
        self._looked_s = now_s
        readings = await asyncio.to_thread(self._readings)
        if readings is None:
            return
        self._watch.look(readings, now_s)
        still = self._watch.still()
        for regulator in sorted(self._alarmed | still.keys()):
            condition = self._condition(regulator, still.get(regulator, ()))
            await self._alarms.follows(regulator in still, condition)
        self._alarmed = set(still)

    def still(self) -> tuple[str, ...]:
        """Regulators of which a tap changer stands still."""
        return tuple(self._watch.still())

    def _readings(self) -> list[RelayReading] | None:
        known = self._known()
        taps = {r.mrid: measured_taps(r, known) for r in self._feeder.regulators}
        present = self._state.present()
        if present is not None:
            return estimated(self._feeder, *present, taps)
        return metered(self._feeder, known, taps)

    def _condition(self, regulator: str, still: Sequence[Still]) -> Condition:
        return Condition(
            key=f"regulator.{regulator}",
            priority=2,
            text=f"{regulator} does not move: "
            + "; ".join(_words(one, self._utc_offset_s) for one in still),
            response="have the tap changer looked at (motor supply, local switch); until it moves, "
            "plans take it as standing where it is and keep the voltage behind it by the devices",
        )


def estimated(
    feeder: Feeder,
    network: NetworkModel,
    flow: FlowResult,
    taps: Mapping[str, Mapping[str, int]],
) -> list[RelayReading]:
    """Readings of all relays whose taps are measured, in the state `flow` of one interval."""
    amps = network.tie_amps(flow)
    place = {(tie.branch, tie.to_index): k for k, tie in enumerate(network.ties)}
    found = []
    for relay in relays_of(feeder, network.stamps.index, None):
        r = relay.regulator
        tap = taps.get(r.mrid, {}).get(relay.phases[0])
        tie = place.get((r.mrid, relay.row))
        if tap is None or tie is None or relay.turned or not relay.acts:
            continue
        if not network.energised[relay.row]:
            continue
        volts, amperes = complex(flow.v_complex[relay.row, 0]), complex(amps[tie, 0])
        if (volts * amperes.conjugate()).real < 0.0:
            continue  # fed from behind: other settings hold, or none
        reading_v = relay.reading_v(tap, solved_tap=tap, volts=volts, amps=amperes)
        found += _reading(relay, tap, reading_v)
    return found


def metered(
    feeder: Feeder, known: Known, taps: Mapping[str, Mapping[str, int]]
) -> list[RelayReading]:
    """Readings of the relays without compensation that have a meter at their node."""
    volts_pu: dict[tuple[str, str], float] = {}
    for point in known.points.values():
        value = known.snapshot.good(point.mrid)
        if point.unit is Unit.VOLT_PU and value is not None and point.phase in tuple(Phase):
            volts_pu[point.equipment, str(point.phase)] = value.value
    nominal_v = {n.mrid: n.nominal_kv * 1e3 / 3.0**0.5 for n in feeder.nodes}
    found: list[RelayReading] = []
    turned = fed_from_behind(feeder)
    for r in feeder.regulators:
        if r.mrid in turned:
            continue
        for k, phases in enumerate([r.phases] if r.ganged else list(r.phases)):
            volt, tap = volts_pu.get((r.to_node, phases[0])), taps[r.mrid].get(phases[0])
            if volt is None or tap is None or r.ldc_r_v[k] or r.ldc_x_v[k] or r.pt_ratio <= 0.0:
                continue
            if r.vreg_v[k] <= 0.0 or r.band_v <= 0.0:
                continue
            found += _judged(r, k, phases, tap, volt * nominal_v[r.to_node] / r.pt_ratio)
    return found


def _reading(relay: Relay, tap: int, reading_v: float) -> list[RelayReading]:
    return _judged(relay.regulator, relay.phase, relay.phases, tap, reading_v)


def _judged(
    r: VoltageRegulator, index: int, phases: str, tap: int, reading_v: float
) -> list[RelayReading]:
    if reading_v < DEAD_V:
        return []  # a relay without supply does nothing
    error_v = reading_v - r.vreg_v[index]
    off_v = abs(error_v) - r.band_v / 2.0 - MARGIN_V
    beyond_v = 0.0 if off_v <= 0.0 else (off_v if error_v > 0.0 else -off_v)
    return [
        RelayReading(
            regulator=r.mrid,
            phases=phases,
            tap=tap,
            reading_v=reading_v,
            set_v=r.vreg_v[index],
            band_v=r.band_v,
            beyond_v=beyond_v,
            delay_s=r.delay_s,
            is_last=tap <= r.tap_min if beyond_v > 0.0 else tap >= r.tap_max,
        )
    ]


def _words(one: Still, utc_offset_s: float) -> str:
    seen = one.reading
    low_v, high_v = seen.set_v - seen.band_v / 2.0, seen.set_v + seen.band_v / 2.0
    since = datetime.fromtimestamp(one.since_s + utc_offset_s, UTC)
    return (
        f"phase {seen.phases} at tap {seen.tap:+d} since {since:%H:%M} or earlier, its relay reads "
        f"{seen.reading_v:.1f} V and its band is {low_v:.1f} to {high_v:.1f} V"
    )
