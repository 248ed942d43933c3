"""docs/reference/configuration.md: every key of every file that an engineer writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gridctl import config, config_field, config_people, limitsfile
from gridctl.model import resource
from sim.process import SimTable
from tests.docs.settings_words import MEANINGS, TABLES
from tests.docs.tables import GENERATED, bounds_of, range_in_words, table, type_in_words

_HEADS = ("key", "type", "range", "default", "what")
_NOT_IN_THE_FILE = {"file"}
REQUIRED = "none: must be written"

_NESTED: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("[field.scan_classes.NAME]", "field.scan_classes", config_field.ScanClassTable),
    ("[field.groups.NAME]", "field.groups", config_field.GroupTable),
    ("[[field.links]]", "field.links", config_field.FieldLinkTable),
    ("[field.links.defaults]", "field.links.defaults", config_field.LinkDefaultsTable),
)

_INTRO = """\
# Configuration

One folder an instance. `gridctl.toml` is its centre; the files that it names have their own owners and
their own sections below. Paths are relative to the folder of the file. An unknown key, a wrong type, a
value out of range or a missing file is a refusal to start (exit code 3) that names file, key and a hint;
all mistakes of a file are told at once. Where the default column says "none: must be written", gridctl
does not guess: nothing that moves power, bounds power or decides who may move it has a default.

`gridctl doctor` reads all of it and says what is wrong, without starting anything."""

_LINKS = """\
The other keys of a link belong to its driver and stand on the driver's page ([list](../README.md)). An
unknown one is refused like any other."""

_LIMITS = """\
## limits.toml

A file of its own because another owner edits it: OT. The field agent enforces it, the office plans with
a copy that it only reads, and an order that was planned with another version of it is refused. No key
has a default; what is not written down may not move."""

_RESOURCES = """\
## resources.toml

The devices that gridctl may ask to move: `[[load_group]]`, `[[battery]]`, `[[pv]]`,
`[[generator]]`. Node names and phases are checked against the feeder, the shares of the terminals sum to 1, every `mrid` is there once."""

_OTHERS = """\
## The other files

| file | named by | what |
|---|---|---|
| feeder model (JSON) | `site.feeder` | the network as `gridctl/model/network.py` describes it; hashed into every plan |
| [points file](points-file.md) (CSV) | `field.points` | every point with its address, scale and quality rules |
| `secrets/`, `pki/` | `[link]`, `[[field.links]]` | keys, mode 0600, and certificates; see [rotate keys](../howto/rotate-keys-and-passwords.md) |
| `run/` | `[link]`, `[field]` | socket, stop file, the agent's memory; made at start |"""


_ROWS_OF: dict[str, tuple[tuple[str, type[BaseModel]], ...]] = {
    "validation": (
        ("validation.balances", config.BalanceTable),
        ("validation.registers", config.RegisterTable),
        ("validation.powers", config.PowersTable),
    ),
    "oidc": (("oidc.roles", config_people.OidcRoleTable),),
}


def configuration_page() -> str:
    """The whole page."""
    parts = [_INTRO.replace("# Configuration\n", f"# Configuration\n\n{GENERATED}\n", 1)]
    parts.append("## gridctl.toml")
    for name, info in config.Settings.model_fields.items():
        if name in _NOT_IN_THE_FILE:
            continue
        if name == "sim":
            parts.append(_section("[sim]", TABLES[name], _model_rows(name, SimTable)))
            continue
        model = _model(info.annotation)
        when = "" if info.is_required() else " The table may be left out."
        parts.append(_section(f"[{name}]", TABLES[name] + when, _model_rows(name, model)))
        if name == "field":
            for header, key, nested in _NESTED:
                parts.append(_section(header, TABLES[key], _model_rows(key, nested)))
            parts.append(_LINKS)
        parts += [
            _section(f"[[{own}]]", TABLES[own], _model_rows(own, rows))
            for own, rows in _ROWS_OF.get(name, ())
        ]
    parts.append(_LIMITS)
    for header, key, limit in (
        ("the file", "limits", limitsfile._File),
        ("[[devices]]", "limits.devices", limitsfile._Device),
        ("[[areas]]", "limits.areas", limitsfile._Area),
        ("[[closed_loop]]", "limits.closed_loop", limitsfile._ClosedLoop),
    ):
        parts.append(_section(header, TABLES[key], _model_rows(key, limit)))
    parts.append(_RESOURCES)
    for header, key, kind in (
        ("[[load_group]]", "load_group", resource.LoadGroup),
        ("[[battery]]", "battery", resource.Battery),
        ("[[pv]]", "pv", resource.PvInverter),
        ("[[generator]]", "generator", resource.Generator),
        ("terminals", "terminals", resource.Terminal),
        ("points", "points", resource.ResourcePoints),
    ):
        parts.append(_section(header, TABLES[key], _dataclass_rows(key, kind)))
    parts.append(_OTHERS)
    return "\n\n".join(parts) + "\n"


def _section(header: str, text: str, rows: list[list[str]]) -> str:
    title = f"`{header}`" if header.startswith("[") else header
    return f"### {title}\n\n{text}\n\n{table(_HEADS, rows)}"


def _model(annotation: Any) -> type[BaseModel]:
    """The table's model, out of `Model` or `Model | None`."""
    found = annotation if isinstance(annotation, type) else get_args(annotation)[0]
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found


def _model_rows(name: str, model: type[BaseModel]) -> list[list[str]]:
    rows = []
    for key, info in model.model_fields.items():
        default = REQUIRED if info.default is PydanticUndefined else _shown(info.default)
        rows.append(
            [
                f"`{key}`",
                type_in_words(info.annotation),
                range_in_words([*info.metadata, *bounds_of(info.annotation)]),
                default,
                _meaning(name, key),
            ]
        )
    return rows


def _dataclass_rows(name: str, kind: type) -> list[list[str]]:
    hints: Mapping[str, Any] = get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        default = REQUIRED if field.default is dataclasses.MISSING else _shown(field.default)
        rows.append(
            [
                f"`{field.name}`",
                type_in_words(hints[field.name]),
                "",
                default,
                _meaning(name, field.name),
            ]
        )
    return rows


def _shown(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, BaseModel) or value in ({}, ""):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _meaning(name: str, key: str) -> str:
    try:
        return MEANINGS[name][key]
    except KeyError:
        raise AssertionError(
            f"say in one sentence what {name}.{key} means: tests/docs/settings_words.py"
        ) from None
