"""The transformer at the pole of a North American street: one phase in, two legs out."""

from __future__ import annotations

from typing import Final

import numpy as np

from gridctl.model.network import BranchKind, Connection, EquivalentBranch, Winding

LEG_KV: Final = 0.12


def centre_tapped(
    mrid: str, high: tuple[str, str], secondary: str, *, kv: float, kva: float
) -> EquivalentBranch:
    """A single-phase transformer with a centre tap: `kv` to earth in, 120 V to earth at each leg.

    Windings with 0.6, 1.2 and 1.2 % of resistance; leakage 2.04 % from high to each half and 1.36 %
    between the halves, the usual interlaced design (IEEE 8500-node feeder's document).
    """
    r1, r2 = 0.006, 0.012
    x12, x23 = 0.0204, 0.0136
    between = complex(r1, 0.5 * (2.0 * x12 - x23))
    ohm_pu = np.array([[complex(r1 + r2, x12), between], [between, complex(r1 + r2, x12)]])
    loops = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0]])
    windings = loops.T @ np.linalg.inv(ohm_pu) @ loops * kva * 1e3
    # The second half runs from earth to its leg.
    volts = np.array([kv * 1e3, LEG_KV * 1e3, -LEG_KV * 1e3])
    siemens = windings / np.outer(volts, volts)
    full, half = kva / kv, kva / LEG_KV / 2.0
    return EquivalentBranch(
        mrid=mrid,
        kind=BranchKind.TRANSFORMER,
        terminals=(high, (secondary, "1"), (secondary, "2")),
        g_s=tuple(tuple(float(v) for v in row) for row in siemens.real),
        b_s=tuple(tuple(float(v) for v in row) for row in siemens.imag),
        rating_a=(full, half, half),
        windings=tuple(
            Winding(node=node, connection=Connection.WYE, kv=v, kva=kva, tap_pu=1.0)
            for node, v in ((high[0], kv), (secondary, LEG_KV), (secondary, LEG_KV))
        ),
    )
