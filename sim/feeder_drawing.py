"""A feeder as SVG: a map where it has coordinates, else a one-line.

The tidy tree of the one-line: depth decides x, every leaf has a row of its own, a node stands
beside the first of its children. Colours are for white paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final, TypeAlias

from gridctl.model.network import Feeder
from sim.monitored import by_distance

Places: TypeAlias = dict[str, tuple[float, float]]

_STEP_X: Final = 46.0
_STEP_X_SMALL: Final = 16.0
"""Where there are too many nodes for labels."""
_STEP_Y: Final = 16.0
_MARGIN: Final = 40.0
_MAP_WIDTH: Final = 1200.0
_MAP_HEIGHT_MAX: Final = 1600.0
_LABELS_MAX: Final = 400
_KNOWN_SHARE: Final = 0.6
"""A map is drawn where at least this share of the nodes has coordinates."""
_STYLE: Final = (
    ".line{stroke:#33475b;stroke-width:1.6}.one{stroke-width:1}.switch{stroke:#b3261e;"
    "stroke-width:3}.open{stroke:#b3261e;stroke-width:1.2;stroke-dasharray:4 3}"
    ".transformer{stroke:#8a5a00;stroke-width:2.4}.regulator{stroke:#00695c;stroke-width:3}"
    "path{fill:none}.node{fill:#33475b}.source{fill:#b3261e}.load{fill:#1565c0}"
    ".capacitor{fill:#6a1b9a}text{font:8px sans-serif;fill:#222}.title{font-size:14px}"
)
_LEGEND: Final = (
    ("line", "line"), ("switch", "switch"), ("open", "open switch"),
    ("transformer", "transformer"), ("regulator", "regulator"),
)  # fmt: skip
_DOTS: Final = (("source", "source"), ("load", "load"), ("capacitor", "capacitor"))


def has_map(feeder: Feeder) -> bool:
    """Whether enough nodes have coordinates for a map."""
    known = sum(n.x is not None and n.y is not None for n in feeder.nodes)
    return known >= _KNOWN_SHARE * len(feeder.nodes) and known > 1


def draw(feeder: Feeder, *, as_map: bool) -> str:
    """The drawing of `feeder`; ValueError for a map of a feeder that has no coordinates."""
    if as_map and not has_map(feeder):
        raise ValueError(f"{feeder.mrid} has coordinates for too few of its nodes")
    places, width, height = _map(feeder) if as_map else _tree(feeder)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img"',
        f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f"<title>{escape(feeder.name)}</title><style>{_STYLE}</style>",
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<text class="title" x="12" y="20">{escape(feeder.name)}</text>',
        *_legend(),
        *_branches(feeder, places, straight=as_map),
        *_nodes(feeder, places),
        *_regulators(feeder, places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend() -> Iterator[str]:
    for i, (kind, text) in enumerate(_LEGEND):
        x = 12 + 110 * i
        yield f'<path class="{kind}" d="M{x} 32h22"/><text x="{x + 26}" y="35">{text}</text>'
    for i, (kind, text) in enumerate(_DOTS):
        x = 12 + 110 * i
        yield f'<circle class="{kind}" cx="{x + 11}" cy="46" r="4"/>'
        yield f'<text x="{x + 26}" y="49">{text}</text>'


def _ends(feeder: Feeder) -> Iterator[tuple[str, str, str, str]]:
    """Kind, name, and both nodes of each branch."""
    for line in feeder.lines:
        yield (
            "line one" if len(line.phases) == 1 else "line",
            line.mrid,
            line.from_node,
            line.to_node,
        )
    for switch in feeder.switches:
        kind = "open" if switch.is_open else "switch"
        yield kind, switch.mrid, switch.from_node, switch.to_node
    for kind, table in (("transformer", feeder.transformers), ("regulator", feeder.regulators)):
        for branch in table:
            yield kind, branch.mrid, branch.from_node, branch.to_node
    for equivalent in feeder.equivalents:
        first, *rest = equivalent.nodes()
        kind = "transformer" if equivalent.windings else "line"
        for other in rest:
            yield kind, equivalent.mrid, first, other


def _branches(feeder: Feeder, places: Places, *, straight: bool) -> Iterator[str]:
    for kind, name, a, b in _ends(feeder):
        if a in places and b in places and a != b:
            (x1, y1), (x2, y2) = places[a], places[b]
            way = f"L{x2:g} {y2:g}" if straight else f"V{y2:g}H{x2:g}"
            yield (
                f'<path class="{kind}" d="M{x1:g} {y1:g}{way}">'
                f"<title>{escape(name)}: {escape(a)} – {escape(b)}</title></path>"
            )


def _nodes(feeder: Feeder, places: Places) -> Iterator[str]:
    loads = {c.node: 0.0 for c in feeder.consumers}
    for consumer in feeder.consumers:
        loads[consumer.node] += sum(consumer.kw)
    banks = {c.node for c in feeder.capacitors}
    names: dict[tuple[float, float], list[str]] = {}
    for name, place in places.items():
        names.setdefault(place, []).append(name)  # both sides of a regulator are one point of a map
    labels = len(places) <= _LABELS_MAX
    for node in feeder.nodes:
        if node.mrid not in places:
            continue
        x, y = places[node.mrid]
        is_source = node.mrid == feeder.source.node
        kind = "source" if is_source else "capacitor" if node.mrid in banks else "node"
        kind = "load" if kind == "node" and node.mrid in loads else kind
        said = f"{node.mrid} {node.phases} {node.nominal_kv:g} kV"
        if node.mrid in loads:
            said += f", {loads[node.mrid]:g} kW"
        yield (
            f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{6 if is_source else 2.4}">'
            f"<title>{escape(said)}</title></circle>"
        )
        if labels and names[x, y][0] == node.mrid:
            yield f'<text x="{x + 4:g}" y="{y - 4:g}">{escape(", ".join(names[x, y]))}</text>'


def _regulators(feeder: Feeder, places: Places) -> Iterator[str]:
    """A regulator often stands at one point of the map: a square shows it."""
    for regulator in feeder.regulators:
        if regulator.to_node in places:
            x, y = places[regulator.to_node]
            yield (
                f'<rect class="regulator" x="{x - 5:g}" y="{y - 5:g}" width="10" height="10" '
                f'fill="none"><title>{escape(regulator.mrid)}</title></rect>'
            )


def _map(feeder: Feeder) -> tuple[Places, float, float]:
    known = {n.mrid: (n.x, n.y) for n in feeder.nodes if n.x is not None and n.y is not None}
    xs, ys = [x for x, _ in known.values()], [y for _, y in known.values()]
    span_x, span_y = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    scale = min(_MAP_WIDTH / span_x, _MAP_HEIGHT_MAX / span_y)
    places = {
        name: (_MARGIN + (x - min(xs)) * scale, 2 * _MARGIN + (max(ys) - y) * scale)
        for name, (x, y) in known.items()
    }
    return places, span_x * scale + 2 * _MARGIN, span_y * scale + 3 * _MARGIN


def _tree(feeder: Feeder) -> tuple[Places, float, float]:
    depth = by_distance(feeder)
    children = _children(feeder, depth)
    rows: dict[str, float] = {}
    leaf = 0
    waiting = [feeder.source.node]
    order: list[str] = []
    while waiting:
        node = waiting.pop()
        order.append(node)
        if not children.get(node):
            rows[node] = float(leaf)
            leaf += 1
        waiting += reversed(children.get(node, []))
    for node in reversed(order):
        if node not in rows:
            rows[node] = rows[children[node][0]]
    step = _STEP_X if len(order) <= _LABELS_MAX else _STEP_X_SMALL
    places = {
        node: (_MARGIN + step * depth[node], 2 * _MARGIN + _STEP_Y * rows[node]) for node in order
    }
    width = 3 * _MARGIN + step * max(depth.values(), default=0)
    return places, max(width, 600.0), 3 * _MARGIN + _STEP_Y * leaf


def _children(feeder: Feeder, depth: Mapping[str, int]) -> dict[str, list[str]]:
    """Every connected node under the nearer end of the first branch that reaches it; the child
    with the longest way behind it comes first."""
    parent: dict[str, str] = {}
    for _, _, a, b in _ends(feeder):
        for near, far in ((a, b), (b, a)):
            if depth.get(far, -1) == depth.get(near, -3) + 1:
                parent.setdefault(far, near)
    children: dict[str, list[str]] = {}
    for child, above in parent.items():
        children.setdefault(above, []).append(child)
    reach = dict.fromkeys(depth, 0)
    for node in sorted(depth, key=lambda n: -depth[n]):
        for child in children.get(node, ()):
            reach[node] = max(reach[node], reach[child] + 1)
    for group in children.values():
        group.sort(key=lambda n: (-reach[n], n))
    return children
