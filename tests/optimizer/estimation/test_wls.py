"""The three-bus example of Abur and Exposito (2.2), and what a bad measurement does to it."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.estimation.wls import estimate, judged

SERIES = {(0, 1): 0.01 + 0.03j, (0, 2): 0.02 + 0.05j, (1, 2): 0.03 + 0.08j}
Z = np.array([0.888, 1.173, -0.501, 0.568, 0.663, -0.286, 1.006, 0.968])
SIGMA = np.array([0.008, 0.008, 0.010, 0.008, 0.008, 0.010, 0.004, 0.004])
NAMES = ("P12", "P13", "P2", "Q12", "Q13", "Q2", "V1", "V2")
START = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
"""theta2, theta3, V1, V2, V3."""


def values(x: np.ndarray) -> np.ndarray:
    """The eight measurements at a state; complex in x, so that a complex step differentiates it."""
    angle = np.concatenate([[0.0], x[:2]])
    size = x[2:]
    admittance = np.zeros((3, 3), dtype=complex)
    for (i, j), ohm in SERIES.items():
        admittance[i, j] = admittance[j, i] = -1.0 / ohm
        admittance[i, i] += 1.0 / ohm
        admittance[j, j] += 1.0 / ohm
    g, b = admittance.real, admittance.imag

    def flow(i: int, j: int) -> tuple[complex, complex]:
        gs, bs = -g[i, j], -b[i, j]
        t = angle[i] - angle[j]
        both = size[i] * size[j]
        p = size[i] ** 2 * gs - both * (gs * np.cos(t) + bs * np.sin(t))
        q = -(size[i] ** 2) * bs - both * (gs * np.sin(t) - bs * np.cos(t))
        return p, q

    p12, q12 = flow(0, 1)
    p13, q13 = flow(0, 2)
    p21, q21 = flow(1, 0)
    p23, q23 = flow(1, 2)
    return np.array([p12, p13, p21 + p23, q12, q13, q21 + q23, size[0], size[1]])


def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    step = 1e-30
    columns = []
    for k in range(len(x)):
        moved = x.astype(complex)
        moved[k] += 1j * step
        columns.append(values(moved).imag / step)
    return values(x).real, np.array(columns).T


def test_the_published_state() -> None:
    found = estimate(model, Z, SIGMA, START)
    assert found.converged
    assert found.iterations <= 5
    assert found.x[2:] == pytest.approx([0.9996, 0.9742, 0.9439], abs=6e-5)
    assert np.degrees(found.x[:2]) == pytest.approx([-1.248, -2.746], abs=6e-4)
    assert found.objective == pytest.approx(8.64, abs=0.006)
    assert found.freedom == 3
    # 7.81 at 0.95 would refuse what is in order; 11.34 at 0.99 does not.
    assert found.bound == pytest.approx(11.34, abs=0.006)
    assert found.fits
    assert not estimate(model, Z, SIGMA, START, probability=0.95).fits


def test_a_bad_flow_with_little_redundancy_is_a_group_of_suspects() -> None:
    z = Z.copy()
    z[0] += 0.1
    found = judged(model, z, SIGMA, START)
    assert found.estimate.objective == pytest.approx(68.1, abs=0.06)
    assert found.estimate.normalised[:3] == pytest.approx([7.76, 7.88, 7.88], abs=0.006)
    assert [NAMES[k] for k in found.suspects] == ["P12", "P13", "P2"]
    assert found.removed == ()


def test_a_bad_voltage() -> None:
    z = Z.copy()
    z[7] += 0.04
    found = judged(model, z, SIGMA, START)
    assert found.estimate.objective == pytest.approx(26.6, abs=0.06)
    assert found.estimate.normalised[6:] == pytest.approx([4.75, 4.77], abs=0.006)
    assert [NAMES[k] for k in found.suspects] == ["V1", "V2"]


def line(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four meters of one thing, and one of another that nobody else sees."""
    jacobian = np.array([[1.0, 0], [1, 0], [1, 0], [1, 0], [0, 1]])
    return jacobian @ x, jacobian


def test_with_redundancy_the_bad_one_goes_and_a_critical_one_is_never_blamed() -> None:
    z = np.array([1.0, 1.001, 0.999, 1.2, 5.0])
    found = judged(line, z, np.full(5, 0.01), np.zeros(2))
    assert found.removed == (3,)
    assert found.estimate.fits
    assert found.estimate.x == pytest.approx([1.0, 5.0])
    assert np.isnan(found.estimate.normalised[-1])


def test_a_pseudo_measurement_is_never_removed() -> None:
    z = np.array([1.0, 1.001, 0.999, 1.2, 5.0])
    may = np.array([True, True, True, False, True])
    found = judged(line, z, np.full(5, 0.01), np.zeros(2), removable=may)
    assert 3 not in found.removed


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match="do not determine"):
        estimate(lambda x: (x[:1], np.array([[1.0, 0.0]])), np.ones(1), np.ones(1), np.zeros(2))
