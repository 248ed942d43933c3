"""The state of two feeders at three levels of metering against the mirror's engine; bad data."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from optimizer.estimation.feeder import FeederEstimator, Meter, Quantity
from optimizer.network import NetworkModel
from tests.optimizer.estimation.metered import LEVELS, Truth, errors_pu, meters, prior, truth
from tests.optimizer.feeders import one_of_everything

SEED = 1


@cache
def seen(name: str) -> Truth:
    return truth(name, seed=SEED)


@cache
def estimator(name: str) -> FeederEstimator:
    return FeederEstimator(seen(name).feeder)


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


@pytest.mark.parametrize(
    ("name", "wanted_pu"),
    [("ieee123", (0.0035, 0.0015, 0.0015)), ("ieee34", (0.006, 0.002, 0.002))],
)
def test_more_meters_a_truer_state(name: str, wanted_pu: tuple[float, ...]) -> None:
    real, own = seen(name), estimator(name)
    guess = prior(real, seed=SEED)
    plain = NetworkModel(real.feeder).solve(load_scale=guess[:, None])
    forecast_pu = rms(errors_pu(real, own.network, plain.v_pu[:, 0]))
    found = []
    for level, most_pu in zip(LEVELS, wanted_pu, strict=True):
        state = own.estimate(meters(real, level, seed=11), prior=guess)
        assert state.fits, (level, state.objective, state.freedom)
        error_pu = rms(errors_pu(real, own.network, state.flow.v_pu[:, 0]))
        assert error_pu <= most_pu, level
        assert state.flow.head_kw[0] == pytest.approx(real.head[0], rel=0.015)
        found.append(error_pu)
    assert found[2] < 0.6 * forecast_pu


def test_a_single_bad_voltage_among_many_is_found() -> None:
    real, own = seen("ieee123"), estimator("ieee123")
    metered = meters(real, LEVELS[1], seed=11)
    at = next(k for k, m in enumerate(metered) if m.quantity is Quantity.VOLTAGE_PU)
    metered[at] = replace(metered[at], value=metered[at].value + 0.05)
    state = own.estimate(metered, prior=prior(real, seed=SEED))
    assert metered[at].name in (*state.removed, *state.suspects)
    assert len(state.removed) + len(state.suspects) <= 3


def test_a_head_that_contradicts_everything_does_not_fit() -> None:
    real, own = seen("ieee34"), estimator("ieee34")
    metered = meters(real, LEVELS[1], seed=11)
    metered[0] = replace(metered[0], value=2.5 * metered[0].value)
    state = own.estimate(metered, prior=prior(real, seed=SEED))
    assert not state.fits or metered[0].name in state.removed


def test_derivatives_against_small_steps() -> None:
    """On a feeder with one of everything: delta, wye, ZIP, regulator, capacitor, injection."""
    feeder = one_of_everything()
    own = FeederEstimator(feeder)
    node = next(n for n in feeder.nodes if "A" in n.phases and n is not feeder.nodes[0])
    metered = [
        Meter(name="v", quantity=Quantity.VOLTAGE_PU, value=1.0, sigma=0.01, place=node.mrid,
              phase="A"),
        *(Meter(name=f"{q}{p}", quantity=q, value=1.0, sigma=1.0, phase=p)
          for q in (Quantity.HEAD_KW, Quantity.HEAD_KVAR) for p in ("", "A", "C")),
    ]  # fmt: skip
    from optimizer.estimation.feeder import _Rows

    n = len(own.network.node_phases)
    injection = np.zeros((n, 1))
    injection[own.network.index(node.mrid, "A"), 0] = 20.0
    rows = _Rows(own, metered, (injection, np.zeros((n, 1))))
    x = np.full(len(own.free), 0.8)
    h, jacobian = rows.model(x)
    for k in range(len(x)):
        step = np.zeros(len(x))
        step[k] = 1e-4
        slope = (rows.model(x + step)[0] - rows.model(x - step)[0]) / 2e-4
        scale = np.maximum(np.abs(jacobian).max(axis=1), 1e-9)
        assert np.abs((slope - jacobian[:, k]) / scale).max() < 1e-4, k
    assert np.isfinite(h).all()


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        ({"quantity": Quantity.VOLTAGE_PU, "place": "nowhere", "phase": "A"}, "no nowhere.A"),
        ({"quantity": Quantity.LOAD_KW, "place": "nobody"}, "no consumer nobody"),
        ({"quantity": Quantity.HEAD_KW, "phase": "N"}, "no phase N"),
    ],
)
def test_a_meter_in_no_place_is_refused(meter: dict[str, str], words: str) -> None:
    own = estimator("ieee34")
    made = Meter(name="m", value=1.0, sigma=1.0, **meter)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        own.estimate([made], prior=np.ones(len(own.consumers)))
    with pytest.raises(ValueError, match="no measurement"):
        own.estimate([], prior=np.ones(len(own.consumers)))
