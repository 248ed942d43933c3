"""On which line of a TOML file a key stands: the standard parser does not tell.

A scan, not a parser: it is asked only about text that `tomllib` has already read without complaint,
so it may rely on what that guarantees. Keys of inline tables stand on their table's line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|[\[\]{}]', re.DOTALL)


def places(text: str) -> Mapping[str, int]:
    """Line of each table and key of `text` by its dotted name: `web.port`, `field.links[1].id`."""
    found: dict[str, int] = {}
    tables: Counter[str] = Counter()
    prefix = ""
    for line, statement in _statements(text):
        if header := _HEADER.match(statement):
            prefix = _table(header[2], tables, is_array=header[1] == "[[")
            found.setdefault(prefix, line)
        elif key := _KEY.match(statement):
            name = _dotted(key[1])
            found.setdefault(f"{prefix}.{name}" if prefix else name, line)
    return found


def line_of(found: Mapping[str, int], key: str) -> int:
    """The line of `key`, or of the nearest table around it that is written down; 0 if none is."""
    while key:
        if key in found:
            return found[key]
        key = key.rpartition("[" if key.endswith("]") else ".")[0]
    return 0


def _table(name: str, tables: Counter[str], *, is_array: bool) -> str:
    """The dotted name of a header, with the number of each array of tables that it goes through."""
    parts = [_bare(part) for part in _PART.findall(name)]
    out = ""
    for i, part in enumerate(parts):
        out = f"{out}.{part}" if out else part
        if is_array and i == len(parts) - 1:
            tables[out] += 1
        if tables[out]:
            out += f"[{tables[out] - 1}]"
    return out


def _dotted(key: str) -> str:
    return ".".join(_bare(part) for part in _PART.findall(key))


def _bare(part: str) -> str:
    return part[1:-1] if part[:1] in "\"'" else part


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each line that begins a statement; lines inside a long string or an array are passed over."""
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not depth and not quote:
            yield number, line
            if _HEADER.match(line):
                continue
        depth, quote = _after(line, depth, quote)


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Nesting and open long quote at the end of `line`."""
    at = 0
    while True:
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, at)
        if token is None:
            return depth, quote
        at = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
