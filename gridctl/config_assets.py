"""The files of what a site has: the feeder's model and resources.toml, checked against it."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gridctl.configfile import read_toml, refused
from gridctl.model.errors import ConfigError
from gridctl.model.network import MODEL_VERSION, Feeder
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource


def load_feeder(file: Path) -> Feeder:
    """Read a feeder model. Raises ConfigError."""
    try:
        feeder = TypeAdapter(Feeder).validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except ValidationError as error:
        raise refused(file, error, None) from None
    if feeder.version != MODEL_VERSION:
        raise ConfigError(
            f"feeder model version {feeder.version}, this gridctl reads {MODEL_VERSION}",
            file=str(file),
            key="version",
            hint="export the feeder again with this version",
        )
    return feeder


class _ResourcesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    load_group: list[LoadGroup] = []
    battery: list[Battery] = []
    pv: list[PvInverter] = []
    generator: list[Generator] = []


def load_resources(file: Path, feeder: Feeder) -> tuple[Resource, ...]:
    """Read resources.toml and check it against the feeder. Raises ConfigError."""
    raw = read_toml(file)
    try:
        found = _ResourcesFile.model_validate(raw)
    except ValidationError as error:
        raise refused(file, error, _ResourcesFile) from None
    resources: tuple[Resource, ...] = (
        *found.load_group,
        *found.battery,
        *found.pv,
        *found.generator,
    )
    nodes = feeder.node_index()
    seen: set[str] = set()
    for resource in resources:
        if resource.mrid in seen:
            raise ConfigError("is there twice", file=str(file), key=resource.mrid)
        seen.add(resource.mrid)
        reactive = resource.reactive if isinstance(resource, Battery | PvInverter) else None
        if reactive is not None and not reactive.volt_var:
            raise ConfigError(
                "kvar setpoints are planned by `python -m optimizer` only, the office sends none",
                file=str(file),
                key=f"{resource.mrid}.reactive",
                hint="give the inverter's volt_var curve, or leave reactive away",
            )
        for terminal in resource.terminals:
            node = nodes.get(terminal.node)
            if node is None or terminal.phase not in node.phases:
                near = difflib.get_close_matches(terminal.node, nodes, n=1)
                raise ConfigError(
                    f"terminal {terminal.node}.{terminal.phase} is not in feeder {feeder.mrid}",
                    file=str(file),
                    key=f"{resource.mrid}.terminals",
                    hint=f"did you mean node {near[0]}?" if near else "",
                )
        total = sum(t.share for t in resource.terminals)
        if abs(total - 1) > 1e-6:  # noqa: PLR2004 - rounding of shares written by hand
            raise ConfigError(
                f"shares of the terminals sum to {total:g}, not 1",
                file=str(file),
                key=f"{resource.mrid}.terminals",
            )
    return resources
