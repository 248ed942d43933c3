"""limits.toml → LimitSet. The file belongs to OT; field and office read it with the same eyes.

Every error is told at once as file:key with a hint. There is no default: what is not written down
may not move.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gridctl.configfile import joined, refused
from gridctl.model.errors import ConfigError
from gridctl.model.limits import AreaLimit, ClosedLoopLimit, DeviceLimit, LimitSet
from gridctl.pki import load_private_ed25519, load_public_ed25519
from gridctl.tomlplaces import places

LIMITS_VERSION = 1
PER_HOUR_MAX = 3_600
_HINT = "every limit is written down, none has a default"

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Device(_Table):
    point: _Name
    area: _Name
    min_value: _Finite
    max_value: _Finite
    step_max: _Positive
    interval_min_s: _NotNegative
    per_hour_max: Annotated[int, Field(ge=1, le=PER_HOUR_MAX)]
    lease_max_s: Annotated[float, Field(gt=0, le=86_400)]
    default_value: _Finite

    @model_validator(mode="after")
    def _default_is_within(self) -> _Device:
        if not self.min_value <= self.max_value:
            raise ValueError(f"min_value {self.min_value:g} is above max_value {self.max_value:g}")
        if not self.min_value <= self.default_value <= self.max_value:
            raise ValueError(
                f"default_value {self.default_value:g} is outside "
                f"{self.min_value:g} … {self.max_value:g}: the device could never be released"
            )
        return self


class _Area(_Table):
    area: _Name
    budget_kw: _Positive
    window_s: _Positive


class _ClosedLoop(_Table):
    area: _Name
    max_kw: _Positive
    ramp_kw: _Positive
    points: Annotated[list[_Name], Field(min_length=1)]


class _File(_Table):
    version: int
    devices: list[_Device]
    areas: list[_Area]
    inhibited: list[_Name]
    closed_loop: list[_ClosedLoop] = []
    """Left out: no area may ever be in closed loop."""


def load_limits(file: Path, *, signed_by: Path | None = None) -> LimitSet:
    """Read `file`. `signed_by`: OT's public key, which must have signed it. Raises ConfigError that
    names every mistake as key: message."""
    try:
        data = file.read_bytes()
        if signed_by is not None:
            _check_signature(file, data, signed_by)
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            "limits file does not exist",
            file=str(file),
            hint="nothing may be dispatched without limits; OT writes this file",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(file)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", file=str(file)) from None
    return parse_limits(raw, file=str(file), lines=places(text))


def closed_loop_table(file: Path, *, area: str, max_kw: float, ramp_kw: float) -> str:
    """A [[closed_loop]] table for `file` with all points of `area` that are not inhibited, to begin
    with. Raises ConfigError, also for an area that has none, or its table already."""
    limits = load_limits(file)
    points = [d.point for d in limits.devices if d.area == area and d.point not in limits.inhibited]
    known = ", ".join(a.area for a in limits.areas)
    if not points:
        raise ConfigError(f"no device may move in area {area}: {known}", file=str(file))
    if any(bound.area == area for bound in limits.closed_loop):
        raise ConfigError(f"area {area} has its table already", file=str(file), key="closed_loop")
    for name, kw in (("max_kw", max_kw), ("ramp_kw", ramp_kw)):
        if not 0 < kw < float("inf"):
            raise ConfigError(f"{kw:g} is not above 0", file=str(file), key=f"closed_loop.{name}")
    lines = "".join(f'    "{point}",\n' for point in points)
    return (
        f'\n[[closed_loop]]\narea = "{area}"\nmax_kw = {max_kw:.1f}\nramp_kw = {ramp_kw:.1f}\n'
        f"points = [\n{lines}]"
    )


def signature_of(file: Path) -> Path:
    """Where the signature of a limits file lies."""
    return file.with_name(file.name + ".sig")


def sign_limits(file: Path, key: Path) -> Path:
    """Sign `file` with OT's private key, once it reads without a mistake; where the signature lies.
    Raises ConfigError."""
    load_limits(file)
    path = signature_of(file)
    try:
        path.write_text(load_private_ed25519(key).sign(file.read_bytes()).hex() + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None
    return path


def _check_signature(file: Path, data: bytes, signed_by: Path) -> None:
    key, path = load_public_ed25519(signed_by), signature_of(file)
    hint = "OT signs what OT has written: gridctl limits sign FILE --key KEY"
    try:
        key.verify(bytes.fromhex(path.read_text("utf-8").strip()), data)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"signature cannot be read: {error}", file=str(path), hint=hint) from None
    except (InvalidSignature, ValueError):
        raise ConfigError(
            f"OT has not signed these limits (key {signed_by.name})", file=str(file), hint=hint
        ) from None


def parse_limits(
    raw: dict[str, Any], *, file: str, lines: Mapping[str, int] | None = None
) -> LimitSet:
    """The limits in `raw`; `file` is the name that errors tell, `lines` where each key stands."""
    try:
        found = _File.model_validate(raw)
    except ValidationError as error:
        raise refused(file, error, _File, lines, hint=_HINT) from None
    mistakes = _inconsistencies(found)
    if mistakes:
        raise joined(file, mistakes, hint=_HINT, lines=lines or {})
    return LimitSet(
        version=found.version,
        devices=tuple(DeviceLimit(**d.model_dump()) for d in found.devices),
        areas=tuple(AreaLimit(**a.model_dump()) for a in found.areas),
        inhibited=tuple(found.inhibited),
        closed_loop=tuple(
            ClosedLoopLimit(**c.model_dump(exclude={"points"}), points=tuple(c.points))
            for c in found.closed_loop
        ),
    )


def _inconsistencies(found: _File) -> list[tuple[str, str]]:
    mistakes: list[tuple[str, str]] = []
    if found.version != LIMITS_VERSION:
        mistakes.append(("version", f"is {found.version}, this gridctl reads {LIMITS_VERSION}"))
    points = [d.point for d in found.devices]
    areas = [a.area for a in found.areas]
    mistakes += [("devices", f"point {name} is there twice") for name in _twice(points)]
    mistakes += [("areas", f"area {name} is there twice") for name in _twice(areas)]
    known = set(areas)
    for i, device in enumerate(found.devices):
        if device.area not in known:
            mistakes.append(
                (f"devices[{i}].area", f"area {device.area} of {device.point} has no budget")
            )
    limited = set(points)
    for i, point in enumerate(found.inhibited):
        if point not in limited:
            mistakes.append((f"inhibited[{i}]", f"{point} is not one of the devices' points"))
    return [*mistakes, *_closed_loop_mistakes(found)]


def _closed_loop_mistakes(found: _File) -> Iterable[tuple[str, str]]:
    area_of = {d.point: d.area for d in found.devices}
    for name in _twice([c.area for c in found.closed_loop]):
        yield ("closed_loop", f"area {name} is there twice")
    for i, bound in enumerate(found.closed_loop):
        where = f"closed_loop[{i}]"
        for point in bound.points:
            if area_of.get(point) != bound.area:
                yield (f"{where}.points", f"{point} is not a device's point of area {bound.area}")
        for name in _twice(bound.points):
            yield (f"{where}.points", f"{name} is there twice")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
