"""Both ways to HiGHS find the same optimum, whatever was solved before, and keep to their time."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import session
from optimizer.session import BACKENDS, LpSession, Matrices, Outcome

SIDES = 5


def soft(seed: int, rows: int, columns: int) -> Matrices:
    """A programme with a solution: soft rows as in a plan, an equality, bounded columns."""
    random = np.random.default_rng(seed)
    a = np.where(random.random((rows, columns)) < 0.6, random.normal(size=(rows, columns)), 0.0)
    hard = np.ones((1, columns))
    whole = np.block([[hard, np.zeros((1, rows))], [a, -np.eye(rows)]])
    return Matrices(
        a=sp.csr_array(whole),
        row_lower=np.concatenate([[0.5 * columns], np.full(rows, -np.inf)]),
        row_upper=np.concatenate([[0.5 * columns], random.normal(size=rows)]),
        lower=np.zeros(columns + rows),
        upper=np.concatenate([np.ones(columns), np.full(rows, np.inf)]),
        cost=np.concatenate([random.uniform(0.0, 1.0, columns), np.full(rows, 10.0)]),
    )


def grown(m: Matrices, seed: int) -> Matrices:
    """One more soft row with its own slack, at the end."""
    random = np.random.default_rng(seed)
    rows, columns = m.a.shape
    line = np.zeros((1, columns))
    line[0, :2] = random.normal(size=2)
    a = sp.csr_array(np.block([[m.a.toarray(), np.zeros((rows, 1))], [line, -np.ones((1, 1))]]))
    return Matrices(
        a=a,
        row_lower=np.append(m.row_lower, -np.inf),
        row_upper=np.append(m.row_upper, random.normal() - 1.0),
        lower=np.append(m.lower, 0.0),
        upper=np.append(m.upper, np.inf),
        cost=np.append(m.cost, 7.0),
    )


def moved(m: Matrices, seed: int) -> Matrices:
    """Other bounds and costs, the same rows."""
    random = np.random.default_rng(seed)
    upper = m.upper.copy()
    upper[0] = 0.9
    shift = np.concatenate([[0.0], random.normal(size=len(m.row_upper) - 1)])
    return replace(m, row_upper=m.row_upper + shift, upper=upper, cost=m.cost * 1.1)


def bent(m: Matrices) -> Matrices:
    """Other coefficients."""
    whole = m.a.toarray()
    return replace(m, a=sp.csr_array(np.where(whole != 0.0, whole + 0.1, 0.0)))


def feasible(m: Matrices, x: np.ndarray) -> bool:
    rows = m.a @ x
    return bool(
        (rows >= m.row_lower - 1e-6).all()
        and (rows <= m.row_upper + 1e-6).all()
        and (x >= m.lower - 1e-7).all()
        and (x <= m.upper + 1e-7).all()
    )


def test_the_pinned_scipy_has_the_private_binding() -> None:
    assert BACKENDS == ("core", "public")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    columns=st.integers(2, 12),
    steps=st.lists(st.sampled_from(["grow", "move", "bend"]), max_size=6),
)
def test_all_ways_find_the_same_optimum(
    seed: int, rows: int, columns: int, steps: list[str]
) -> None:
    warm = LpSession()
    m = soft(seed, rows, columns)
    for k, step in enumerate(["", *steps]):
        m = {"grow": grown, "move": moved}[step](m, seed + k) if step in ("grow", "move") else m
        m = bent(m) if step == "bend" else m
        answers = [
            warm.solve(m, left_s=60.0),
            LpSession(backend="core").solve(m, left_s=60.0),
            LpSession(backend="public").solve(m, left_s=60.0),
        ]
        if answers[2].outcome is not Outcome.OPTIMAL:
            assert {a.outcome for a in answers} == {answers[2].outcome}
            return
        best = answers[2].objective
        for answer in answers:
            assert answer.objective == pytest.approx(best, rel=1e-6, abs=1e-6)
            assert feasible(m, answer.x)
            assert m.cost @ answer.x == pytest.approx(best, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_prices_are_what_a_unit_more_of_the_bound_saves(backend: str) -> None:
    # min 10 s, x <= 1, x + s >= 3 written as -x - s <= -3
    m = Matrices(
        a=sp.csr_array(np.array([[-1.0, -1.0], [1.0, 0.0]])),
        row_lower=np.full(2, -np.inf),
        row_upper=np.array([-3.0, 1.0]),
        lower=np.zeros(2),
        upper=np.full(2, np.inf),
        cost=np.array([1.0, 10.0]),
    )
    answer = LpSession(backend=backend).solve(m, left_s=10.0)
    assert answer.objective == pytest.approx(21.0)
    assert answer.row_price == pytest.approx([10.0, 9.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_contradictory_rows_are_infeasible(backend: str) -> None:
    m = soft(1, 3, 3)
    m = replace(m, row_lower=np.append(m.row_lower[:1] + 99.0, m.row_lower[1:]))
    m = replace(m, row_upper=np.append(m.row_upper[:1] + 99.0, m.row_upper[1:]))
    answer = LpSession(backend=backend).solve(m, left_s=10.0)
    assert answer.outcome is Outcome.INFEASIBLE


@pytest.mark.parametrize("backend", BACKENDS)
def test_too_late_is_said_and_the_next_one_is_solved(backend: str) -> None:
    """The time of earlier solves does not count, and a late one leaves the session usable."""
    hard = soft(3, 1200, 1200)
    lp = LpSession(backend=backend)
    began_s = time.monotonic()
    answer = lp.solve(hard, left_s=0.0)
    assert answer.outcome is Outcome.LATE
    assert time.monotonic() - began_s < 20.0
    small = soft(4, 3, 3)
    for _ in range(3):
        assert lp.solve(small, left_s=0.0).outcome is Outcome.OPTIMAL


def test_a_basis_of_another_session_is_a_start_and_changes_no_optimum() -> None:
    first = LpSession()
    m = soft(5, 40, 60)
    answer = first.solve(m, left_s=60.0)
    second = LpSession()
    second.start_from(first.basis())
    later = grown(moved(m, 6), 7)
    warm, cold = second.solve(later, left_s=60.0), LpSession().solve(later, left_s=60.0)
    assert answer.outcome is Outcome.OPTIMAL
    assert warm.objective == pytest.approx(cold.objective, rel=1e-9)


@pytest.mark.parametrize("found", [None, SimpleNamespace(), SimpleNamespace(_Highs=object)])
def test_another_binding_than_the_known_one_is_not_used(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imported(name: str) -> object:
        if found is None:
            raise ImportError(name)
        return found

    monkeypatch.setattr("optimizer.session.importlib.import_module", imported)
    assert session._probed() is None


def test_without_it_there_is_the_public_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BACKENDS", ("public",))
    with pytest.raises(ValueError, match="no backend 'core': there are public"):
        LpSession(backend="core")
    lp = LpSession(backend="public")
    assert lp.solve(soft(1, 3, 3), left_s=9.0).outcome is Outcome.OPTIMAL
    assert lp.basis() is None
