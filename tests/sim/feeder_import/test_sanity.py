"""Figures that no power flow survives are named with element and line before it is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.feeder_import.opendss import import_opendss

GOOD = """New Circuit.c basekv=12.47
New Line.l bus1=sourcebus bus2=b length=1 units=km
New Transformer.t buses=[b c] kvs=[12.47 0.48] kvas=[500 500] conns=[delta wye]
New Load.ok bus1=c kv=0.48 kw=50 pf=0.9
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("New Load.a bus1=b kv=0 kw=5", r"m.dss:5: load.a: its rated voltage is 0 kV"),
        ("New Transformer.z buses=[b d] kvas=[0 0]", r"m.dss:5: transformer.z: .* rated 0 kVA"),
        ("New Line.z bus1=b bus2=d r1=0 x1=0", r"m.dss:5: line.z: a line without impedance"),
        (
            "New Line.z bus1=b.1 bus2=d.1 phases=1 rmatrix=[0] xmatrix=[0]",
            r"m.dss:5: line.z: a line without impedance",
        ),
        ("New Line.z bus1=b bus2=d length=0", r"m.dss:5: line.z: its length is 0"),
        (
            "New Line.z bus1=b bus2=d r1=0 x1=0\nSet voltagebases=[12.47]\nCalcvoltagebases",
            r"m.dss:5: line.z: a line without impedance",
        ),
        ("New Load.w bus1=b kv=12.47 kw=NaN", r"m.dss:5: kw=NaN is no number"),
        ("New Load.w bus1=b kv=12.47 kw=many pf=.9", r"m.dss:5: kw=many is no number"),
        ("New Reactor.z bus1=b bus2=d x=0 r=0", r"m.dss:5: reactor.z: a reactor without"),
        ("Edit Vsource.source pu=0", r"m.dss:1: vsource.source: pu is 0"),
        ("Set frequency=0", r"the frequency is 0 Hz"),
        ("Disable Line.l", r"nothing leads away from the source"),
        (
            "New Load.s bus1=c.1.2.3.4 kv=.48 kw=10",
            r"Load.s \(m.dss:5\) is alone at conductor 4 of bus c",
        ),
        ("New Load.a bus1=b kv=12.47 kw=5 model=9", r"m.dss:5: load.a: there is no load model 9"),
        ("New Load.a bus1=b kv=12.47 kw=5 pf=2", r"m.dss:5: load.a: .* at a power factor of 2"),
        ("New Load.a bus1=b kv=12.47 kw=5 pf=0", r"m.dss:5: load.a: it draws 5 kW and"),
        ("New Capacitor.a bus1=b kv=0 kvar=5", r"m.dss:5: capacitor.a: its rated voltage is 0"),
        (
            "New Transformer.z windings=3 buses=[b d] kvs=[12.47 .48] kvas=[9 9]",
            r"m.dss:5: transformer.z: winding 3 has no bus",
        ),
        (
            "New Transformer.z buses=[b b] kvs=[12.47 .48] kvas=[9 9]",
            r"m.dss:5: transformer.z: two of its windings are at the same place",
        ),
        (
            "New RegControl.r transformer=t winding=2 vreg=0 band=2 ptratio=60",
            r"m.dss:5: regcontrol.r: vreg is 0",
        ),
        ("Edit Line.l bus1=sourcebuss", r"away from the source at bus sourcebus.*sourcebuss meant"),
        ("New Reactor.a bus1=b.12 phases=1 x=5 r=5", r"m.dss:5: Reactor.a is at conductor 12"),
    ],
)
def test_the_element_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "m.dss"
    path.write_text(GOOD + line + "\n")
    with pytest.raises(ConfigError, match=said):
        import_opendss(path, "x")
