"""The words of the register: a safeguard, its settings, how far it is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel
from pydantic.fields import FieldInfo

OT_LIMITS = "limits.toml, each device"


class Standing(StrEnum):
    """How far a safeguard is there."""

    IN_FORCE = "in force"
    IN_PART = "in part"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a safeguard is set. `range`: what the program accepts."""

    name: str
    default: str
    range: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard:
    """One requirement. `missing`: what of it is not there yet; `left_out`: what of it is judged
    wrong or too early, and why; "" when nothing is."""

    number: int
    title: str
    what: str
    seen: str
    standing: Standing
    missing: str = ""
    left_out: str = ""
    settings: tuple[Setting, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """As it is cited: SG-05."""
        return f"SG-{self.number:02}"


def key_of(table: type[BaseModel], name: str, key: str, unit: str) -> Setting:
    """A key of gridctl.toml with the default and range that its table enforces."""
    info: FieldInfo = table.model_fields[key]
    bounds = {type(m).__name__: m for m in info.metadata}
    low = next((f"{b.gt:g} <" for n, b in bounds.items() if n == "Gt"), "")
    low = low or next((f"{b.ge:g} …" for n, b in bounds.items() if n == "Ge"), "")
    high = next((f"{b.le:g}" for n, b in bounds.items() if n == "Le"), "")
    default = "none: must be given" if info.is_required() else f"{info.default:g} {unit}"
    return Setting(name=f"{name}.{key}", default=default, range=f"{low} {high} {unit}".strip())


def fixed(name: str, value: str) -> Setting:
    """A number that nobody can change."""
    return Setting(name=name, default=value, range="fixed in the code")


def limit(key: str) -> Setting:
    """A key of the limits file, which OT owns."""
    return Setting(name=f"{OT_LIMITS}: {key}", default="none: must be given", range="OT's own file")
