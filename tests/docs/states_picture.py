"""docs/img/command-states.svg, drawn from the one table of what may follow what.

The ladder stands on the left. Whatever leaves it goes right along its row and, at a dot, down into
the box of that column; a crossing without a dot is none, as in a circuit diagram. What skips a rung
or goes back runs in an arc on the left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gridctl.model.command import TRANSITIONS, CommandState

LADDER = (
    CommandState.PROPOSED,
    CommandState.APPROVED,
    CommandState.ORDERED,
    CommandState.ADMITTED,
    CommandState.SELECTED,
    CommandState.OPERATED,
    CommandState.ACCEPTED,
    CommandState.CONFIRMED,
    CommandState.EFFECTIVE,
)
COLUMNS = (
    CommandState.EXPIRED,
    CommandState.REFUSED,
    CommandState.FAILED,
    CommandState.UNCONFIRMED,
    CommandState.RELEASED,
)
_BOX_W, _BOX_H, _ROW = 128, 32, 52
_LEFT, _TOP = 96, 24
_COLUMN_FIRST, _COLUMN = 300, 132
_ENDS_Y = _TOP + len(LADDER) * _ROW + 12
_WIDTH = _COLUMN_FIRST + (len(COLUMNS) - 1) * _COLUMN + _BOX_W // 2 + 24
_HEIGHT = _ENDS_Y + _BOX_H + 44

STYLE = """\
.paper{fill:#f6f7f8}.ink{fill:#1d2125}.soft{fill:#59626b}
.box{fill:#ffffff;stroke:#59626b;stroke-width:1.5}.end{fill:#e4e7ea;stroke:#59626b;stroke-width:1.5}
.line{fill:none;stroke:#59626b;stroke-width:1.5}.step{fill:none;stroke:#1d2125;stroke-width:2}
.dot,.tip{fill:#59626b}.steptip{fill:#1d2125}
text{font:600 13px system-ui,sans-serif}.note{font-weight:400}
@media (prefers-color-scheme:dark){
.paper{fill:#1d2125}.ink{fill:#e6e9ec}.soft{fill:#a9b2ba}
.box{fill:#2b3035;stroke:#a9b2ba}.end{fill:#3a4148;stroke:#a9b2ba}
.line{stroke:#a9b2ba}.step{stroke:#e6e9ec}.dot,.tip{fill:#a9b2ba}.steptip{fill:#e6e9ec}}"""


def states_picture(transitions: Mapping[CommandState, frozenset[CommandState]]) -> str:
    """The SVG. AssertionError for a transition that it cannot show."""
    drawn: set[tuple[CommandState, CommandState]] = set()
    body = [*_steps(transitions, drawn), *_exits(transitions, drawn), *_boxes()]
    wanted = {(a, b) for a, after in transitions.items() for b in after}
    assert drawn == wanted, f"not drawn: {sorted(wanted - drawn)}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="States of a command">'
    )
    paper = f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *body, "</svg>"]) + "\n"


def states_svg() -> str:
    """The picture of the real table."""
    return states_picture(TRANSITIONS)


def _row_y(state: CommandState) -> int:
    """Middle of a rung."""
    return _TOP + LADDER.index(state) * _ROW + _BOX_H // 2


def _column_x(state: CommandState) -> int:
    return _COLUMN_FIRST + COLUMNS.index(state) * _COLUMN


def _steps(
    transitions: Mapping[CommandState, frozenset[CommandState]],
    drawn: set[tuple[CommandState, CommandState]],
) -> Iterator[str]:
    """From rung to rung: down to the next, in an arc on the left past others."""
    middle = _LEFT + _BOX_W // 2
    for a in LADDER:
        for b in LADDER:
            if b not in transitions.get(a, frozenset()):
                continue
            drawn.add((a, b))
            jump = LADDER.index(b) - LADDER.index(a)
            if jump == 1:
                y = _row_y(b) - _BOX_H // 2
                yield f'<path class="step" d="M{middle} {_row_y(a) + _BOX_H // 2}V{y - 6}"/>'
                yield f'<path class="steptip" d="M{middle - 5} {y - 8}h10l-5 8z"/>'
            else:
                yield _arc(_row_y(a) + 6, _row_y(b) - 6, 26)


def _arc(from_y: int, to_y: int, bulge: int) -> str:
    curve = f"M{_LEFT} {from_y}C{_LEFT - bulge} {from_y} {_LEFT - bulge} {to_y} {_LEFT - 7} {to_y}"
    return (
        f'<path class="line" d="{curve}"/><path class="tip" d="M{_LEFT - 8} {to_y - 5}v10l8 -5z"/>'
    )


def _exits(
    transitions: Mapping[CommandState, frozenset[CommandState]],
    drawn: set[tuple[CommandState, CommandState]],
) -> Iterator[str]:
    """Along the row to the right, down at a dot."""
    for column in COLUMNS:
        rows = [a for a in LADDER if column in transitions.get(a, frozenset())]
        if not rows:
            continue
        x = _column_x(column)
        yield f'<path class="line" d="M{x} {_row_y(rows[0])}V{_ENDS_Y - 6}"/>'
        yield f'<path class="tip" d="M{x - 5} {_ENDS_Y - 8}h10l-5 8z"/>'
    for a in LADDER:
        reached = [c for c in COLUMNS if c in transitions.get(a, frozenset())]
        if not reached:
            continue
        y = _row_y(a)
        yield f'<path class="line" d="M{_LEFT + _BOX_W} {y}H{_column_x(reached[-1])}"/>'
        for column in reached:
            drawn.add((a, column))
            yield f'<circle class="dot" cx="{_column_x(column)}" cy="{y}" r="4"/>'
    yield from _from_unconfirmed(transitions, drawn)


def _from_unconfirmed(
    transitions: Mapping[CommandState, frozenset[CommandState]],
    drawn: set[tuple[CommandState, CommandState]],
) -> Iterator[str]:
    """The one column that is not an end: on to the next column, or back to a rung."""
    a = CommandState.UNCONFIRMED
    x, y = _column_x(a), _ENDS_Y + _BOX_H // 2
    half = (_BOX_W - 16) // 2
    if CommandState.RELEASED in transitions.get(a, frozenset()):
        drawn.add((a, CommandState.RELEASED))
        to_x = _column_x(CommandState.RELEASED) - half
        yield f'<path class="line" d="M{x + half} {y}H{to_x - 6}"/>'
        yield f'<path class="tip" d="M{to_x - 8} {y - 5}v10l8 -5z"/>'
    for b in LADDER:
        if b in transitions.get(a, frozenset()):
            drawn.add((a, b))
            low, left, to_y = _ENDS_Y + _BOX_H + 20, _LEFT - 48, _row_y(b) + 6
            yield (
                f'<path class="line" d="M{x} {_ENDS_Y + _BOX_H}V{low}H{left}V{to_y}H{_LEFT - 7}"/>'
                f'<path class="tip" d="M{_LEFT - 8} {to_y - 5}v10l8 -5z"/>'
            )


def _boxes() -> Iterator[str]:
    for state in LADDER:
        yield _box(_LEFT, _row_y(state) - _BOX_H // 2, _BOX_W, state, "box")
    for state in COLUMNS:
        kind = "end" if state.is_final else "box"
        width = _BOX_W - 16
        yield _box(_column_x(state) - width // 2, _ENDS_Y, width, state, kind)


def _box(x: int, y: int, width: int, state: CommandState, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{_BOX_H}" rx="5"/>'
        f'<text class="ink" x="{x + width // 2}" y="{y + 21}" text-anchor="middle">'
        f"{state.value}</text>"
    )
