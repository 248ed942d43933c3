"""`gridctl feeder …`: the feeders of the simulator, and anybody's own."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_CONFIG, EXIT_REFUSED, EXIT_USAGE, ending, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from gridctl.feeder_check import FeederCheck
    from sim.feeder_import.report import Report

SHOWN_MAX = 20

feeder_app = typer.Typer(
    help="Feeders: list, look at, draw, import, generate, check.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Name = Annotated[
    str, typer.Argument(help="A feeder's name, or the folder or feeder.json of your own.")
]
Folder = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Folder to write (default .gridctl/feeders/NAME)."),
]


@feeder_app.command("list")
def list_feeders(as_json: AsJson = False) -> None:
    """The feeders of the simulator, and those imported or generated under .gridctl/feeders."""
    with ending():
        from sim.feeder import OWN_FEEDERS, feeder_names, load_feeder  # noqa: PLC0415 - lazy
        from sim.feeder_import.folder import size_of  # noqa: PLC0415 - lazy on purpose

        own = sorted(p.parent.name for p in OWN_FEEDERS.glob("*/feeder.json"))
        found = []
        for name in (*feeder_names(), *own):
            feeder = load_feeder(name)
            origin = "imported" if name in own else "simulator"
            found.append({"name": name, "title": feeder.name, "from": origin, **size_of(feeder)})
        if as_json:
            _emit({"feeders": found})
            return
        for row in found:
            _say(
                f"{row['name']:<16} {row['nodes']:>6} nodes {row['consumers']:>6} loads "
                f"{row['load_kw']:>10.0f} kW  {row['from']:<9} {row['title']}"
            )


@feeder_app.command("show")
def show_feeder(name: Name, as_json: AsJson = False) -> None:
    """What a feeder consists of."""
    with ending():
        from sim.feeder import load_feeder  # noqa: PLC0415 - lazy on purpose
        from sim.feeder_import.folder import size_of  # noqa: PLC0415 - lazy on purpose

        feeder = load_feeder(name)
        levels = sorted({round(n.nominal_kv, 3) for n in feeder.nodes}, reverse=True)
        shown = {
            "name": feeder.mrid,
            "title": feeder.name,
            "digest": feeder.digest(),
            "version": feeder.version,
            "frequency_hz": feeder.frequency_hz,
            "source": {"node": feeder.source.node, "kv": feeder.source.nominal_kv},
            "levels_kv": levels,
            "has_map": any(n.x is not None for n in feeder.nodes),
            **size_of(feeder),
            "load_models": _count(c.model.value for c in feeder.consumers),
        }
        if as_json:
            _emit(shown)
            return
        for key, value in shown.items():
            _say(f"{key:<14} {_text(value)}")


@feeder_app.command("draw")
def draw_feeder(
    name: Name,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="SVG file; else stdout.")] = None,
    as_map: Annotated[
        bool | None,
        typer.Option("--map/--one-line", help="Which; else a map where there are coordinates."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a feeder as SVG: a map where it has coordinates, else a one-line."""
    with ending():
        from sim.feeder import load_feeder  # noqa: PLC0415 - lazy on purpose
        from sim.feeder_drawing import draw, has_map  # noqa: PLC0415 - lazy on purpose

        feeder = load_feeder(name)
        chosen = has_map(feeder) if as_map is None else as_map
        try:
            picture = draw(feeder, as_map=chosen)
        except ValueError as error:
            fail(str(error), EXIT_REFUSED, hint="use --one-line")
        if out is None and not as_json:
            sys.stdout.write(picture)
            return
        target = out or Path(f"{feeder.mrid}.svg")
        target.write_text(picture, encoding="utf-8")
        kind = "map" if chosen else "one-line"
        if as_json:
            _emit({"file": str(target), "kind": kind})
        else:
            _say(f"Drew the {kind} of {feeder.mrid} into {target}")


@feeder_app.command("import")
def import_feeder(
    file: Annotated[
        Path, typer.Argument(help="Master file of OpenDSS (.dss), or a pandapower net (.json).")
    ],
    out: Folder = None,
    name: Annotated[str, typer.Option(help="Name of the feeder; else the file's.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read an OpenDSS circuit or a pandapower net into a feeder of our own, and compare.

    Writes a folder with the model, a report of what was kept, approximated or refused, devices
    and points.
    """
    with ending():
        from gridctl.feeder_check import check_feeder  # noqa: PLC0415 - lazy on purpose
        from sim.feeder_import.child import import_apart  # noqa: PLC0415 - lazy on purpose
        from sim.feeder_import.folder import write_folder, write_shapes  # noqa: PLC0415 - lazy
        from sim.feeder_import.pandapower import import_pandapower  # noqa: PLC0415 - lazy

        own = _clean(name or file.stem)
        is_net = file.suffix.lower() == ".json"
        imported = import_pandapower(file, own) if is_net else import_apart(file, own)
        folder = _folder(out, own)
        compared, reference = imported.compared or imported.feeder, imported.reference_v or None
        within_pu = imported.reference_within_pu
        check = _checked(
            lambda: check_feeder(
                compared,
                reference,
                by_size=is_net,
                reference_within_pu=within_pu,
                place=imported.report.place_of,
            ),
            imported.report,
        )
        if not check.is_feeder:
            fail(f"this feeder supplies nobody: {check.told[0]}", EXIT_REFUSED)
        said = write_folder(
            folder,
            imported.feeder,
            about={
                "source": str(file.resolve()),
                "format": "pandapower" if is_net else "OpenDSS",
                "agreement": asdict(check),
            },
            report=imported.report,
            ders=imported.ders,
        )
        write_shapes(folder, imported.shapes, imported.profiles)
        if as_json:
            _emit({**said, "folder": str(folder)})
            return
        _tell_import(said, folder, check)


@feeder_app.command("generate")
def generate_feeder(
    nodes: Annotated[int, typer.Option(help="How many nodes, 50 to 20000.")],
    style: Annotated[str, typer.Option(help="urban, rural or european-lv.")] = "urban",
    seed: Annotated[int, typer.Option(min=0, help="Another number, another feeder.")] = 1,
    out: Folder = None,
    name: Annotated[str, typer.Option(help="Name; else style, size and seed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a feeder that does not exist, and solve it with both power flows."""
    with ending():
        from gridctl.feeder_check import check_feeder  # noqa: PLC0415 - lazy on purpose
        from sim.feeder_import.folder import write_folder  # noqa: PLC0415 - lazy on purpose
        from sim.synthetic import generate  # noqa: PLC0415 - lazy on purpose
        from sim.synthetic_styles import Style  # noqa: PLC0415 - lazy on purpose

        try:
            feeder = generate(nodes=nodes, style=Style(style), seed=seed)
        except ValueError as error:
            hint = f"styles: {', '.join(Style)}"
            fail(str(error), EXIT_USAGE, hint=hint)
        own = _clean(name or feeder.mrid)
        feeder = replace(feeder, mrid=own)
        found = _checked(lambda: check_feeder(feeder))
        folder = _folder(out, own)
        said = write_folder(
            folder,
            feeder,
            about={"source": f"generate {nodes} {style} {seed}", "agreement": asdict(found)},
            seed=seed,
        )
        if as_json:
            _emit({**said, "folder": str(folder)})
            return
        size = said["size"]
        _say(
            f"{own}: {size['nodes']} nodes, {size['consumers']} loads, {size['load_kw']:.0f} kW, "
            f"{size['regulators']} regulators"
        )
        _tell_check(found)
        _tell_folder(said, folder)


@feeder_app.command("check")
def check(name: Name, as_json: AsJson = False) -> None:
    """Solve a feeder with our power flow and with OpenDSS, taps pinned, and compare.

    Ends with 1 when they differ by more than 1e-6 pu anywhere.
    """
    with ending():
        from gridctl.feeder_check import check_feeder  # noqa: PLC0415 - lazy on purpose
        from sim.feeder import load_feeder  # noqa: PLC0415 - lazy on purpose

        feeder = load_feeder(name)
        found = _checked(lambda: check_feeder(feeder))
        if as_json:
            _emit({"feeder": feeder.mrid, "digest": feeder.digest(), **asdict(found)})
        else:
            _tell_check(found)
    if not found.agrees:
        raise typer.Exit(EXIT_REFUSED)


def _tell_import(said: dict[str, Any], folder: Path, check: FeederCheck) -> None:
    size, counts = said["size"], said["elements"]
    _say(
        f"{said['feeder']}: {size['nodes']} nodes, {size['consumers']} loads, "
        f"{size['load_kw']:.0f} kW"
    )
    _say(", ".join(f"{count} {fate}" for fate, count in counts.items()))
    alike = _alike(said["told"])
    for entries in alike[:SHOWN_MAX]:
        first = entries[0]
        where = f" ({first['place']})" if first["place"] else ""
        more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
        _say(f"  {first['fate']:<13} {first['element']}{where}{more}: {first['why']}")
    if len(alike) > SHOWN_MAX:
        _say(f"  and {sum(map(len, alike[SHOWN_MAX:]))} others")
    if alike:
        _say(f"  each by name: {folder / 'report.json'}")
    _tell_check(check)
    _tell_folder(said, folder)


def _alike(told: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Elements of one class with one fate for one reason together, what was refused first."""
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for entry in told:
        key = entry["fate"], entry["element"].split(".", 1)[0].lower(), entry["why"]
        groups.setdefault(key, []).append(entry)
    order = ("refused", "approximated", "kept")
    return sorted(groups.values(), key=lambda g: order.index(g[0]["fate"]))


def _tell_folder(said: dict[str, Any], folder: Path) -> None:
    devices = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in said["devices"].items())
    _say(f"Wrote {folder}: model {said['digest'][:12]}, {devices}, {said['points']} points")
    _say(f"Run it: gridctl demo --feeder {folder}")


def _tell_check(check: FeederCheck) -> None:
    word = "agree" if check.agrees else "DIFFER"
    _say(
        f"The two power flows {word}: {check.difference_pu:.1e} pu at most ({check.worst}), "
        f"{check.compared} node-phases, taps pinned"
        + (f" (that solution is good to {check.agreed_pu:g} pu)" if check.is_rough else "")
    )
    _say(
        f"Head {check.head_kw:.1f} kW, losses {check.losses_kw:.1f} kW, "
        f"{check.lowest_pu:.4f} pu at {check.lowest_at} to {check.highest_pu:.4f} pu at "
        f"{check.highest_at}"
    )
    for line in check.told:
        _say(f"  {line}")


def _checked(work: Callable[[], FeederCheck], report: Report | None = None) -> FeederCheck:
    """The comparison; what cannot be computed is a refusal in words, with the element's line."""
    try:
        found = work()
    except ValueError as error:
        name = str(error).split(":", 1)[0]
        place = "" if report is None else report.place_of(name)
        where = f" ({place})" if place else ""
        fail(f"this feeder cannot be computed: {error}{where}", EXIT_REFUSED)
    return found


def _clean(name: str) -> str:
    found = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")
    return found or "feeder"


def _folder(out: Path | None, name: str) -> Path:
    from sim.feeder import OWN_FEEDERS, feeder_names  # noqa: PLC0415 - lazy on purpose

    if out is None and name in feeder_names():
        fail(f"{name} is a feeder of the simulator", EXIT_CONFIG, hint="give another --name")
    return out or OWN_FEEDERS / name


def _count(values: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, list):
        return " ".join(str(v) for v in value)
    return str(value)


def _emit(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, default=str))


def _say(text: str) -> None:
    typer.echo(text)
