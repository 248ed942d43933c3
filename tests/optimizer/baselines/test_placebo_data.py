"""The goals of forecasting.md section 3.2 on real load; minutes on a busy machine, hence soak."""

from __future__ import annotations

import pytest

from benchmarks import baselines
from benchmarks.load_data import CAMBRIDGE, GEFCOM, load_file


@pytest.mark.soak
def test_events_that_never_were_on_real_load() -> None:
    for name in (CAMBRIDGE, GEFCOM):
        load_file(name)
    figures = [*baselines.cambridge(quick=True), *baselines.gefcom(quick=True)]
    held = [figure for figure in figures if figure.met is not None]
    assert len(held) == 3
    for figure in held:
        assert figure.met, figure
