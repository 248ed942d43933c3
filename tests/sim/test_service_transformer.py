"""The centre-tapped transformer against OpenDSS's own of the same name plate."""

from __future__ import annotations

import numpy as np

from sim.engine import opendss_engine
from sim.feeder_import.circuit import Circuit
from sim.service_transformer import centre_tapped


def test_same_admittance_as_opendss() -> None:
    dss = opendss_engine()
    for command in (
        "clearall",
        "new circuit.c basekv=12.47",
        (
            "new transformer.t phases=1 windings=3 buses=[sourcebus.1.0 s.1.0 s.0.2] "
            "kvs=[7.2 0.12 0.12] kvas=[25 25 25] %rs=[0.6 1.2 1.2] xhl=2.04 xht=2.04 xlt=1.36 "
            "ppm_antifloat=0"
        ),
        "solve",
    ):
        assert not dss.text(command)
    theirs = Circuit(dss).element("Transformer.t")
    assert theirs.places == (("sourcebus", 1), ("s", 1), ("s", 2))
    ours = centre_tapped("t", ("sourcebus", "A"), "s", kv=7.2, kva=25.0)
    siemens = np.array(ours.g_s) + 1j * np.array(ours.b_s)
    np.testing.assert_allclose(siemens, theirs.siemens, rtol=1e-9)
