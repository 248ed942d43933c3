"""A scenario: which feeder and fleet, which day and weather, what happens, and who passes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError
from gridctl.model.network import Feeder
from sim.demand import Turn, Wave
from sim.fault_kinds import Fault
from sim.feeder import load_feeder
from sim.load_shapes import LoadShapes, shapes_beside
from sim.scenario_file import ExamTable, ScenarioFile, read_scenario_file
from sim.series import RecordedSeries, read_series
from sim.weather import DAY_S, Climate, Front

_SCENARIOS: Final = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fault of the timeline: on at grid time `at_s`, off at `until_s` (None: for good)."""

    at_s: float
    until_s: float | None
    fault: Fault
    target: str
    amount: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """From grid time `from_s` to `to_s` the office's safeguards let nothing be ordered: `why`."""

    from_s: float
    to_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """How a run is judged: what a good operator does, how long it lasts, and the most of each
    figure (`sim.judge.Score`) that still passes; None: not judged. `bound`: when whoever heeds the
    safeguards cannot act."""

    good_operator: str
    hours: float
    step_s: float
    head_kw_min_max: float | None
    voltage_pu_min_max: float | None
    unserved_kwh_max: float | None
    wasted_commands_max: int | None
    discomfort_customer_h_max: float | None
    bound: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`start_s`: grid time at which the story begins. Limits are what the instance is given.

    `regulator_vreg_v`: relay settings (V on the 120 V base) that differ from the published ones.
    `capacitor_band_pu`: (close below, open above) of the banks that have a voltage control.
    `fleet`: the devices' tables; "" for the feeder's own.
    """

    name: str
    title: str
    feeder: str
    seed: int
    start_s: float
    utc_offset_s: float
    head_limit_kw: float
    voltage_min_pu: float
    voltage_max_pu: float
    loading_max_pct: float
    history_days: int
    climate: Climate
    regulator_vreg_v: Mapping[str, float]
    capacitor_band_pu: Mapping[str, tuple[float, float]]
    fleet: str = ""
    turn: Turn = Turn()  # noqa: RUF009 - frozen
    events: tuple[Event, ...] = ()
    exam: Exam | None = None

    @property
    def holidays(self) -> tuple[date, ...]:
        """Local days on which people live as on a Sunday, as a calendar has them."""
        day = date.fromordinal(date(1970, 1, 1).toordinal() + self.climate.day)
        return (day,) if self.turn.holiday else ()


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with the simulator."""
    return tuple(sorted(p.stem for p in _SCENARIOS.glob("*.toml")))


def load_scenario(name: str) -> Scenario:
    """The scenario `name`, or the file of a user's own (a path that ends in `.toml`).

    ConfigError when there is none or its file is wrong: it names line, key and a hint.
    """
    path = Path(name) if name.endswith(".toml") else _SCENARIOS / f"{name}.toml"
    if not path.is_file():
        near = get_close_matches(name, scenario_names(), n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            "is no scenario",
            file=name,
            hint=f"{meant}known scenarios: {', '.join(scenario_names())}; or the path of a .toml "
            "file",
        )
    found = read_scenario_file(path)
    series = None
    if found.series:
        series = read_series(path.parent / found.series, utc_offset_s=found.utc_offset_h * 3600.0)
    return _scenario(found, series, shapes_beside(found.feeder))


def _scenario(
    found: ScenarioFile, series: RecordedSeries | None, shapes: LoadShapes | None
) -> Scenario:
    utc_offset_s = found.utc_offset_h * 3600.0
    # The file has local wall-clock time without a zone; reading it as UTC and taking off the
    # offset gives grid time.
    local_s = found.start.replace(tzinfo=UTC).timestamp()
    midnight_s = local_s // DAY_S * DAY_S - utc_offset_s
    climate = found.climate.model_dump(exclude={"front"})
    return Scenario(
        name=found.name,
        title=found.title,
        feeder=found.feeder,
        fleet=found.fleet,
        seed=found.seed,
        start_s=local_s - utc_offset_s,
        utc_offset_s=utc_offset_s,
        head_limit_kw=found.head_limit_kw,
        voltage_min_pu=found.voltage_min_pu,
        voltage_max_pu=found.voltage_max_pu,
        loading_max_pct=found.loading_max_pct,
        history_days=found.history_days,
        climate=Climate(
            **climate,
            utc_offset_s=utc_offset_s,
            seed=found.seed,
            day=int(local_s // DAY_S),
            fronts=tuple(
                Front(from_h=_hour(f.starts), to_h=_hour(f.ends), clearness=f.clearness)
                for f in found.climate.front
            ),
        ),
        regulator_vreg_v=found.regulator_vreg_v,
        capacitor_band_pu=found.capacitor_band_pu,
        turn=Turn(
            heating_share=found.demand.heating_share,
            holiday=found.demand.holiday,
            scale=found.demand.scale,
            series=series,
            shapes=shapes,
            waves=tuple(
                Wave(
                    from_s=midnight_s + _hour(w.starts) * 3600.0,
                    to_s=midnight_s + _hour(w.ends) * 3600.0,
                    factor=w.factor,
                )
                for w in found.demand.wave
            ),
        ),
        events=_events(found, midnight_s),
        exam=None if found.exam is None else _exam(found.exam, midnight_s),
    )


def _exam(found: ExamTable, midnight_s: float) -> Exam:
    return Exam(
        **found.model_dump(exclude={"bound"}),
        bound=tuple(
            Bound(
                from_s=midnight_s + _hour(one.starts) * 3600.0,
                to_s=midnight_s + _hour(one.ends) * 3600.0,
                why=one.why,
            )
            for one in found.bound
        ),
    )


def _events(found: ScenarioFile, midnight_s: float) -> tuple[Event, ...]:
    events = []
    for event in found.event:
        at_s = midnight_s + _hour(event.at) * 3600.0
        until_s = None if event.lasts_min is None else at_s + event.lasts_min * 60.0
        events += [
            Event(at_s=at_s, until_s=until_s, fault=event.fault, target=target, amount=event.amount)
            for target in (event.targets or (event.target,))
        ]
    return tuple(sorted(events, key=lambda e: e.at_s))


def _hour(at: time) -> float:
    return at.hour + at.minute / 60.0 + at.second / 3600.0


def scenario_feeder(scenario: Scenario) -> Feeder:
    """The scenario's feeder with the scenario's relay settings; ConfigError for an unknown one."""
    feeder = load_feeder(scenario.feeder)
    volts, bands = dict(scenario.regulator_vreg_v), dict(scenario.capacitor_band_pu)
    regulators, capacitors = [], []
    for regulator in feeder.regulators:
        vreg_v = volts.pop(regulator.mrid, None)
        regulators.append(
            regulator
            if vreg_v is None
            else replace(regulator, vreg_v=(vreg_v,) * len(regulator.phases))
        )
    for bank in feeder.capacitors:
        low, high = bands.pop(bank.mrid, (None, None))
        capacitors.append(replace(bank, close_below_pu=low, open_above_pu=high))
    for key, what, left in (
        ("regulator_vreg_v", "regulator", volts),
        ("capacitor_band_pu", "capacitor", bands),
    ):
        if left:
            raise ConfigError(
                f"feeder {feeder.mrid} has no {what} {', '.join(sorted(left))}",
                file=str(_SCENARIOS / f"{scenario.name}.toml"),
                key=key,
            )
    return replace(feeder, regulators=tuple(regulators), capacitors=tuple(capacitors))


def local_text(scenario: Scenario, at_s: float) -> str:
    """A grid time as the scenario's wall clock shows it."""
    return f"{datetime.fromtimestamp(at_s + scenario.utc_offset_s, UTC):%a %d %b %H:%M:%S}"
