"""Slips that the engine takes without a word are told; what is right is let through."""

from __future__ import annotations

import pytest

from sim.feeder_import.slips import holds_no_figure, slips


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("New Load.a bus1=b kw=many", "kw=many is no number"),
        ("New Load.a kV=12.47kV kw=3", "kV=12.47kV is no number"),
        ("New Load.a kv=12,47 kw=3", "kv=12,47: OpenDSS reads a comma"),
        ("New Transformer.t buses=(a b kvs=(12 4)", "the ( after buses= is never closed"),
        ("New Transformer.t kvs=(12 4) buses=(a b", "the ( after buses= is never closed"),
        ("New Load.a kw=5 /* why", "a block comment within a line"),
        ("New Linecode.c nphases=3 rmatrix=(1 | 2 3)", "rmatrix has 2 rows for 3 phases"),
        ("~ xmatrix=[1 | 2 3 | 4 5]", "xmatrix has 2 figures in row 3: 3 or 3 are meant"),
    ],
)
def test_slips_are_told(line: str, said: str) -> None:
    found = list(slips(line))
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize(
    "line",
    [
        "New Transformer.r kvs='14.376 14.376' kvas=\"20000 20000\" conns='wye wye'",
        "New Line.l(r:a-b) bus1=a.1,bus2=b.1,phases=1,length=1.5e-3",
        "New Linecode.c nphases=2 rmatrix=(1 2 | 2 3) xmatrix=[1 | 2 3] cmatrix=[0|0 0]",
        "New Load.a kw=1e3 pf=-.95 kv=.24 daily=profile",
        "New Load.a kw=@demand kv=7.2",
        "New Loadshape.s npts=3 mult=(file=a.csv) qmult=[file=b.csv]",
    ],
)
def test_what_is_right_is_let_through(line: str) -> None:
    assert list(slips(line)) == []


def test_a_file_without_a_figure() -> None:
    assert holds_no_figure("hello\nworld\n")
    assert not holds_no_figure("hour, kw\n0, 1.5\n")
