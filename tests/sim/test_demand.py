"""Demand of feeders that nobody here wrote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.demand import Demand
from sim.feeder import load_feeder
from sim.scenario import load_scenario
from sim.weather import Weather


def test_a_phase_without_load_draws_nothing() -> None:
    feeder = load_feeder("ieee13")
    first = replace(feeder.consumers[0], kw=(160.0, 0.0, 0.0), kvar=(110.0, 0.0, 5.0))
    story = load_scenario("hot-afternoon")
    demand = Demand(
        replace(feeder, consumers=(first, *feeder.consumers[1:])), Weather(story.climate), 1
    )
    kw = demand.kw(story.start_s)
    kvar = demand.kvar(kw)
    assert np.isfinite(kvar).all()
    assert kw[0] > 0.0
    assert kw[1] == kw[2] == kvar[1] == kvar[2] == 0.0
