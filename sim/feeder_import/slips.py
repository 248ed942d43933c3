"""Slips in a line of an OpenDSS script that the engine takes without a word.

It reads a word as 0, a decimal comma as the end of a value, a matrix with too few rows as none, and
whatever follows a bracket that is never closed as part of what is inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_KEYS: Final = (
    "kv|kw|kva|kvar|kvs|kvas|pf|r1|x1|r0|x0|c1|c0|basekv|pu|length|kwrated|kwhrated|pmpp|xhl|xht|xlt|"
    "normamps|emergamps|vminpu|vmaxpu"
)
_WORD: Final = re.compile(
    rf"(?<![\w%])({_KEYS})\s*=\s*([A-Za-z]+|[-+]?[\d.]+(?:[A-DF-Za-df-z][\w/]*|[Ee][A-Za-z]\w*))"
    r"(?=[\s,]|$)",
    re.IGNORECASE,
)
_COMMA: Final = re.compile(rf"(?<![\w%])({_KEYS})\s*=\s*([-+]?\d+,\d+)(?=[\s,]|$)", re.IGNORECASE)
_OPENED: Final = re.compile(r"(\w+)\s*=\s*([(\[{])")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_MATRIX: Final = re.compile(r"\b([rxcgb]matrix)\s*=\s*[(\[{]([^)\]}]*)[)\]}]", re.IGNORECASE)
_COUNT: Final = re.compile(r"\b(?:nphases|phases)\s*=\s*(\d+)\b", re.IGNORECASE)


def slips(line: str) -> Iterator[str]:
    """What is wrong with `line` (comments taken off), in words."""
    bare = _quoted_away(line)
    for key, word in _WORD.findall(bare):
        yield f"{key}={word} is no number"
    for key, word in _COMMA.findall(bare):
        yield f"{key}={word}: OpenDSS reads a comma as the end of the figure; write a point"
    if "/*" in bare:
        yield "a block comment within a line: OpenDSS knows them at the beginning of a line only"
    for found in _OPENED.finditer(bare):
        inside, closing, _ = bare[found.end() :].partition(_CLOSING[found[2]])
        if not closing or found[2] in inside:
            yield f"the {found[2]} after {found[1]}= is never closed"
    yield from _short_matrices(bare)


def _short_matrices(line: str) -> Iterator[str]:
    counts = _COUNT.findall(line)
    for key, text in _MATRIX.findall(line):
        rows = [len(row.replace(",", " ").split()) for row in text.split("|")]
        count = int(counts[-1]) if counts else len(rows)
        if len(rows) != count:
            yield f"{key} has {len(rows)} rows for {count} phases"
            continue
        # The lower triangle or all of it; in one row, all of it one after the other.
        for k, found in enumerate(rows, start=1):
            if found not in (k, count):
                yield f"{key} has {found} figures in row {k}: {k} or {count} are meant"


def _quoted_away(line: str) -> str:
    """`line` with what stands in quotes replaced by as many digits."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda found: "0" * len(found[0]), line)


def holds_no_figure(text: str) -> bool:
    """Whether a file of figures has none that could be read, in its first lines."""
    parts = re.split(r"[\s,;]+", text[:4096].strip())
    return not any(_is_figure(part) for part in parts)


def _is_figure(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
