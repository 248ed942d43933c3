"""Matrices put together from parts whose places are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from optimizer.stacked import Band, block_diagonal, stacked


def _some(seed: int, rows: int, columns: int) -> sp.csr_array:
    random = np.random.default_rng(seed)
    return sp.csr_array(random.random((rows, columns)) * (random.random((rows, columns)) < 0.3))


def test_bands_stand_where_they_are_put_with_columns_in_order() -> None:
    a, b, c = _some(1, 4, 6), _some(2, 4, 3), _some(3, 5, 6)
    found = stacked([Band(left=a, beside=b, first=7), Band(left=c), Band(left=a[:0])], 12)
    wanted = np.zeros((9, 12))
    wanted[:4, :6], wanted[:4, 7:10], wanted[4:, :6] = a.toarray(), b.toarray(), c.toarray()
    assert found.shape == (9, 12)
    assert np.array_equal(found.toarray(), wanted)
    assert all(
        np.all(np.diff(found.indices[i:j]) > 0)
        for i, j in zip(found.indptr[:-1], found.indptr[1:], strict=True)
    )


def test_bands_of_other_heights_are_refused() -> None:
    with pytest.raises(ValueError, match="4 rows beside 5"):
        stacked([Band(left=_some(1, 4, 2), beside=_some(2, 5, 2), first=2)], 4)


def test_a_diagonal_of_parts_some_of_them_empty() -> None:
    parts = [_some(4, 2, 3), sp.csr_array((0, 2)), _some(5, 3, 1)]
    assert np.array_equal(block_diagonal(parts).toarray(), sp.block_diag(parts).toarray())
    assert block_diagonal([]).shape == (0, 0)
