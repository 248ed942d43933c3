"""A whole pilot in a folder: the files that office, field agent and mirror start from.

Everything that a utility would write by hand is written here for the scenario: settings, feeder,
resources, points, limits, keys, and weeks of history. The limits are wide enough for the
scenario's plan and no wider.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gridctl.limitsfile import sign_limits
from gridctl.model.canonical import canonical_json, plain
from gridctl.model.errors import ConfigError
from gridctl.model.network import Feeder
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource
from gridctl.pki import make_application_certificate, make_office_keys
from sim.feeder import feeder_names
from sim.fleet import Fleet, load_fleet
from sim.history import history, write_history
from sim.instance_points import SEQUENCE_GROUP, write_points
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.toml_text import Value, toml_table

_HOST: Final = "127.0.0.1"
_HISTORY_STEP_S: Final = 900.0
_CERTIFICATE_DAYS: Final = 825
_INTERVAL_MIN_S: Final = 30.0
_PER_HOUR_MAX: Final = 60
_LEASE_MAX_S: Final = 1800.0
_AREA_KW: Final = 1500.0
_AREA_WINDOW_S: Final = 300.0
_TAP_STEP_PU: Final = 0.007
_TAP_STEP_PCT: Final = 1.5
"""What one step of a regulator (0.00625 pu) does to a voltage, and to the current of constant power
at twice its branch's rating, with the tolerance of the AC check beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports on loopback: console, the two DNP3 outstations, the OPC UA server."""

    web: int
    sub: int
    dr: int
    der: int


_BESIDE: Final = frozenset({"scenario.toml", "fleet"})
"""What `sim.own_scenario` has put there."""


def create_instance(
    folder: Path,
    *,
    scenario: str,
    rate: float,
    now_real_s: float,
    ports: Ports,
    head_limit_kw: float | None = None,
    history_days: int | None = None,
) -> None:
    """Write the instance of `scenario` into `folder`, which is made.

    Grid time is the scenario's start when the machine shows `now_real_s` (real UTC seconds) and
    then runs `rate` times as fast. `head_limit_kw`, `history_days`: instead of the scenario's.
    Raises ConfigError when the folder holds an instance or anything else, or for an unknown
    scenario.
    Takes some seconds: the history is computed (and takes this process's OpenDSS circuit).
    """
    story = load_scenario(scenario)
    if (folder / "gridctl.toml").exists():
        raise ConfigError(
            "an instance is here already; it is not overwritten",
            file=str(folder),
            hint="start it as it is, or name another folder",
        )
    if folder.is_dir() and (foreign := {p.name for p in folder.iterdir()} - _BESIDE):
        raise ConfigError(
            f"is no instance, and has other things in it: {', '.join(sorted(foreign)[:3])}",
            file=str(folder),
            hint="name a new folder, or an empty one",
        )
    feeder = scenario_feeder(story)
    fleet = load_fleet(feeder, story.fleet)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("pki", "secrets", "run"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    (folder / "feeder.json").write_bytes(canonical_json(feeder))
    _write(folder / "resources.toml", "\n".join(_resource_tables(fleet)))
    write_points(folder / "points.csv", feeder, fleet)
    _write(folder / "limits.toml", "\n".join(_limit_tables(fleet)))
    _make_keys(folder, now_real_s)
    # OT's own key: whoever changes the limits by hand signs them again (gridctl limits sign).
    sign_limits(folder / "limits.toml", folder / "secrets" / "ot.key")
    days = story.history_days if history_days is None else history_days
    table = history(feeder, story, end_s=story.start_s, days=days, step_s=_HISTORY_STEP_S)
    write_history(table, folder / "history.csv")
    limit_kw = story.head_limit_kw if head_limit_kw is None else head_limit_kw
    # Last, so that a folder with settings is a whole instance.
    tables = _setting_tables(
        story,
        site="IEEE 123 pilot" if feeder.mrid == "ieee123" else f"{feeder.mrid} pilot",
        scenario=scenario,
        rate=rate,
        now_real_s=now_real_s,
        ports=ports,
        limit_kw=limit_kw,
    )
    _write(folder / "gridctl.toml", "\n".join([*tables, *_policy_tables(story, feeder)]))


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _make_keys(folder: Path, now_real_s: float) -> None:
    make_office_keys(
        private=folder / "secrets" / "office.key", public=folder / "pki" / "office.pub"
    )
    make_office_keys(private=folder / "secrets" / "ot.key", public=folder / "pki" / "ot.pub")
    for name in ("field", "sim-server"):
        uri = "urn:gridctl:field" if name == "field" else "urn:gridctl:sim"
        make_application_certificate(
            certificate=folder / "pki" / f"{name}.der",
            key=folder / "secrets" / f"{name}.pem",
            common_name=f"gridctl {name}",
            application_uri=uri,
            hosts=[_HOST, "localhost"],
            now_s=now_real_s,
            days=_CERTIFICATE_DAYS,
        )
    path = folder / "secrets" / "opcua.password"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(24))


def _resource_tables(fleet: Fleet) -> Iterator[str]:
    yield "# The devices that gridctl may ask, from the simulator's fleet.\n"
    headers = {
        LoadGroup: "[[load_group]]",
        Battery: "[[battery]]",
        PvInverter: "[[pv]]",
        Generator: "[[generator]]",
    }
    for resource in fleet.resources():
        yield toml_table(headers[type(resource)], _without_none(plain(resource)))


def _without_none(value: Any) -> Any:
    """TOML has no null: a field that is None is left out."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_none(v) for v in value]
    return value


def _limit_tables(fleet: Fleet) -> Iterator[str]:
    yield "# What the field agent holds every order to. Belongs to OT; the office only reads it.\n"
    yield "version = 1\ninhibited = []\n"
    for resource in fleet.resources():
        yield toml_table("[[devices]]", _device_limit(resource))
    for area in sorted({r.area for r in fleet.resources()}):
        yield toml_table(
            "[[areas]]", {"area": area, "budget_kw": _AREA_KW, "window_s": _AREA_WINDOW_S}
        )


def _device_limit(resource: Resource) -> dict[str, Value]:
    rating_kw = resource.rating_kw
    low = -rating_kw if isinstance(resource, Battery) else 0.0
    if isinstance(resource, LoadGroup) and resource.precool is not None:
        low = -resource.precool.rating_kw
    default = rating_kw if isinstance(resource, PvInverter) else 0.0
    return {
        "point": resource.points.setpoint,
        "area": resource.area,
        "min_value": low,
        "max_value": rating_kw,
        "step_max": rating_kw - low,
        "interval_min_s": _INTERVAL_MIN_S,
        "per_hour_max": _PER_HOUR_MAX,
        "lease_max_s": _LEASE_MAX_S,
        "default_value": default,
    }


def _setting_tables(
    story: Scenario,
    *,
    site: str,
    scenario: str,
    rate: float,
    now_real_s: float,
    ports: Ports,
    limit_kw: float,
) -> Iterator[str]:
    yield f"# {story.title}\n# A pilot with a simulated field; grid time runs as [clock] says.\n"
    yield toml_table(
        "[site]",
        {
            "name": site,
            "feeder": "feeder.json",
            "resources": "resources.toml",
            "head_point": "FDR.TotW",
            "head_limit_kw": limit_kw,
            "temperature_point": "WX.TmpC",
            "utc_offset_h": story.utc_offset_s / 3600.0,
            "voltage_min_pu": story.voltage_min_pu,
            "voltage_max_pu": story.voltage_max_pu,
            "loading_max_pct": story.loading_max_pct,
        },
    )
    if story.holidays:
        yield toml_table("[weather]", {"holidays": story.holidays})
    yield toml_table(
        "[clock]",
        {"anchor_real_s": now_real_s, "anchor_grid_s": story.start_s, "rate": float(rate)},
    )
    yield toml_table("[database]", {"url": "sqlite:///control.db"})
    yield toml_table(
        "[link]",
        {
            "socket": "run/link.sock",
            "office_key": "secrets/office.key",
            "office_public_key": "pki/office.pub",
        },
    )
    yield toml_table(
        "[field]",
        {
            "points": "points.csv",
            "limits": "limits.toml",
            "limits_public_key": "pki/ot.pub",
            "stop_file": "run/STOP",
            "spool": "run/field-state.json",
        },
    )
    yield toml_table(f"[field.groups.{SEQUENCE_GROUP}]", {"soe": True})
    for link, port, address in (("SUB", ports.sub, 10), ("DR", ports.dr, 20)):
        yield toml_table("[[field.links]]", _dnp3_link(link, port, address))
    yield toml_table("[[field.links]]", _opcua_link(ports.der))
    yield toml_table(
        "[[transformers]]",
        {
            "name": "Substation",
            "kind": "onan",
            # Such that the head's limit is what it carries with a usual reserve.
            "rating_kva": round(1.2 * limit_kw, -1),
            "load_point": "FDR.TotW",
        },
    )
    yield toml_table(
        "[planning]",
        {"step_s": 900.0, "count": 24, "quantile": 0.9, "deadline_s": 20.0, "cycle_s": 30.0},
    )
    yield toml_table(
        "[approval]",
        {
            "two_person_kw": 300.0,
            "two_person_customers": 100,
            "plan_life_s": 300.0,
            "approval_life_s": 600.0,
        },
    )
    yield toml_table("[web]", {"host": _HOST, "port": ports.web})
    yield toml_table(
        "[sim]", {"scenario": scenario, "instructor_socket": "run/sim.sock", "tick_s": 1.0}
    )


def _policy_tables(story: Scenario, feeder: Feeder) -> Iterator[str]:
    """A feeder of somebody's own may be beyond its limits at the peak, and its regulators answer
    what a plan takes off with a step less for those behind them (SG-16)."""
    if feeder.regulators and story.feeder not in feeder_names():
        yield "# By how much a place that is beyond its limit may go further as taps answer a plan."
        yield toml_table(
            "[policy]", {"existing_worse_pu": _TAP_STEP_PU, "existing_worse_pct": _TAP_STEP_PCT}
        )


def _dnp3_link(link: str, port: int, outstation_address: int) -> dict[str, Value]:
    return {
        "id": link,
        "protocol": "dnp3",
        "heartbeat": f"{link}.HB",
        "host": _HOST,
        "port": port,
        "master_address": 1,
        "outstation_address": outstation_address,
        "response_timeout_s": 2.0,
        "select_timeout_s": 5.0,
    }


def _opcua_link(port: int) -> dict[str, Value]:
    return {
        "id": "DER",
        "protocol": "opcua",
        "heartbeat": "DER.HB",
        "url": f"opc.tcp://{_HOST}:{port}/gridctl",
        "security_policy": "Basic256Sha256",
        "certificate": "pki/field.der",
        "key": "secrets/field.pem",
        "server_certificate": "pki/sim-server.der",
        "application_uri": "urn:gridctl:field",
        "user": "gridctl-field",
        "password_file": "secrets/opcua.password",
        "publishing_ms": 500,
    }
