"""Which tests throw which fault, read from the tests themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from sim.fault_kinds import Fault

SOURCES = tuple(
    Path(__file__).parents[1] / "sim" / name for name in ("test_faults.py", "test_wire_faults.py")
)


def fault_tests() -> Mapping[Fault, tuple[str, ...]]:
    """Names of the test functions that throw each fault, in the order of the files."""
    found: dict[Fault, list[str]] = {fault: [] for fault in Fault}
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = node.name
                if name.startswith("test_"):
                    for fault in dict.fromkeys(_thrown(node)):
                        found[fault].append(name)
    return {fault: tuple(names) for fault, names in found.items()}


def _thrown(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Fault]:
    """What the function switches on: `stage.fault("…")`, `dnp3.on("…")`."""
    known = {fault.value: fault for fault in Fault}
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in ("fault", "on", "switch") or not node.args:
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant) and first.value in known:
            yield known[first.value]
