"""`make bench-protocols`: DNP3 and OPC UA, the masters of others beside ours, in one run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from benchmarks.report import Figure, main

PARTS = ("protocols_dnp3", "protocols_opcua", "protocols_isolation", "protocols_office")


def figures(quick: bool) -> Sequence[Figure]:
    found: list[Figure] = []
    for part in PARTS:
        found += importlib.import_module(f"benchmarks.{part}").figures(quick)
    return found


if __name__ == "__main__":
    main(
        figures,
        about=__doc__ or "",
        packages=("yadnp3", "dnp3py", "py1815", "asyncua"),
    )
