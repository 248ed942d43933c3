"""The feeder as an SVG one-line: drawn once, coloured by whoever looks at it.

A tidy tree: the source at the left, as far right as there are branches between, every lateral a
row of its own. Each branch and node carries its name in `data-…`, so that a page can paint it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from gridctl.model.network import Feeder

_STEP_X: Final = (26, 60)
_STEP_Y: Final = 15
_WIDE: Final = 1.5
"""So much wider than high, if there are branches enough: screens are."""
_MARGIN: Final = 24


def one_line(feeder: Feeder, devices: Mapping[str, str]) -> str:
    """The drawing. `devices`: node of each device that is shown as a mark."""
    children = _tree(feeder)
    cells: dict[str, tuple[int, int]] = {}
    _place(feeder.source.node, children, cells)
    deep, rows = (1 + max(cell[k] for cell in cells.values()) for k in (0, 1))
    step_x = round(min(max(_WIDE * rows * _STEP_Y / deep, _STEP_X[0]), _STEP_X[1]))
    places = {
        node: (_MARGIN + depth * step_x, _MARGIN + row * _STEP_Y)
        for node, (depth, row) in cells.items()
    }
    width = max(x for x, _ in places.values()) + 2 * _MARGIN
    height = max(y for _, y in places.values()) + 2 * _MARGIN
    label = escape(feeder.name)
    box = f'viewBox="0 0 {width} {height}" preserveAspectRatio="xMinYMin"'
    drawn = [f'<svg id="oneline" {box} role="img" aria-label="{label}">']
    for parent, branches in children.items():
        for branch, child, kind in branches:
            (x1, y1), (x2, y2) = places[parent], places[child]
            drawn.append(
                f'<path class="branch {kind}" data-branch="{escape(branch)}" '
                f'data-to="{escape(child)}" d="M{x1} {y1}V{y2}H{x2}">'
                f"<title>{escape(branch)}</title></path>"
            )
    for node, (x, y) in places.items():
        drawn.append(
            f'<circle class="node" data-node="{escape(node)}" cx="{x}" cy="{y}" r="4">'
            f"<title>{escape(node)}</title></circle>"
        )
    for device, node in devices.items():
        if node in places:
            x, y = places[node]
            drawn.append(
                f'<rect class="device" data-device="{escape(device)}" x="{x - 3}" y="{y - 11}" '
                f'width="6" height="5"><title>{escape(device)}</title></rect>'
            )
    drawn.append("</svg>")
    return "".join(drawn)


def _tree(feeder: Feeder) -> dict[str, list[tuple[str, str, str]]]:
    """From each node away from the source: (branch, node, kind)."""
    ways: dict[str, list[tuple[str, str, str]]] = {}
    branches = [
        *((b.from_node, b.to_node, b.mrid, "line") for b in feeder.lines),
        *((b.from_node, b.to_node, b.mrid, "switch") for b in feeder.switches if not b.is_open),
        *((b.from_node, b.to_node, b.mrid, "transformer") for b in feeder.transformers),
        *((b.from_node, b.to_node, b.mrid, "regulator") for b in feeder.regulators),
        *(
            (first, other, e.mrid, "transformer" if e.windings else "line")
            for e in feeder.equivalents
            for first, *rest in (e.nodes(),)
            for other in rest
        ),
    ]
    for start, end, mrid, kind in branches:
        ways.setdefault(start, []).append((mrid, end, kind))
        ways.setdefault(end, []).append((mrid, start, kind))
    found: dict[str, list[tuple[str, str, str]]] = {}
    seen, waiting = {feeder.source.node}, [feeder.source.node]
    while waiting:
        node = waiting.pop()
        for branch, other, kind in ways.get(node, []):
            if other not in seen:
                seen.add(other)
                found.setdefault(node, []).append((branch, other, kind))
                waiting.append(other)
    return found


def _place(
    source: str,
    children: Mapping[str, list[tuple[str, str, str]]],
    cells: dict[str, tuple[int, int]],
) -> None:
    """Column and row of each node: depth is the column; the longest way goes straight on, every
    other lateral takes a new row."""
    sizes: dict[str, int] = {}
    order = [source]
    for node in order:
        order.extend(child for _, child, _ in children.get(node, ()))
    for node in reversed(order):
        sizes[node] = 1 + max((sizes[c] for _, c, _ in children.get(node, ())), default=0)
    row = 0
    waiting = [(source, 0, 0)]
    while waiting:
        node, depth, at_row = waiting.pop()
        if at_row < 0:
            row += 1
            at_row = row
        cells[node] = (depth, at_row)
        ranked = sorted(children.get(node, ()), key=lambda way: -sizes[way[1]])
        for i, (_, child, _) in reversed(list(enumerate(ranked))):
            waiting.append((child, depth + 1, at_row if i == 0 else -1))
