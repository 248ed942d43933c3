"""`make bench-protocols`: DNP3 and OPC UA, the masters of others beside ours, in one run."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Sequence

# As the command line does it, for the office that runs in this process.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.report import Figure, main

PARTS = ("protocols_dnp3", "protocols_opcua", "protocols_isolation", "protocols_office")


def figures(quick: bool) -> Sequence[Figure]:
    found: list[Figure] = []
    for part in PARTS:
        try:
            found += importlib.import_module(f"benchmarks.{part}").figures(quick)
        except Exception as error:  # noqa: BLE001 - the other parts' figures are not lost with it
            traceback.print_exc()
            found.append(
                Figure(
                    name=f"{part}: not measured, {type(error).__name__}: {error}",
                    ours=None, peer=None, unit="", goal="measured", met=False,
                )
            )  # fmt: skip
    return found


if __name__ == "__main__":
    main(
        figures,
        about=__doc__ or "",
        packages=("yadnp3", "dnp3py", "py1815", "asyncua"),
    )
