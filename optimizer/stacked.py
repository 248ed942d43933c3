"""Sparse matrices put together from parts whose places are known.

scipy's own ways take any parts, by way of coordinates that are sorted and summed up; a programme is
put together a dozen times in a plan, from parts that follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Some rows: `left` from the first column on, and from column `first` on, which lies behind
    all of these, what is `beside` it."""

    left: sp.csr_array
    beside: sp.csr_array | None = None
    first: int = 0


def block_diagonal(parts: Sequence[sp.csr_array]) -> sp.csr_array:
    """The parts on a diagonal, nothing elsewhere."""
    if not parts:
        return sp.csr_array((0, 0))
    rows = np.cumsum([0, *(p.shape[0] for p in parts)])
    columns = np.cumsum([0, *(p.shape[1] for p in parts)])
    entries = np.cumsum([0, *(p.nnz for p in parts)])
    indptr = np.concatenate(
        [[0], *(p.indptr[1:] + at for p, at in zip(parts, entries, strict=False))]
    )
    indices = np.concatenate([p.indices + at for p, at in zip(parts, columns, strict=False)])
    data = np.concatenate([p.data for p in parts])
    return _csr(data, indices, indptr, (int(rows[-1]), int(columns[-1])))


def stacked(bands: Sequence[Band], columns: int) -> sp.csr_array:
    """The bands below one another, `columns` wide, columns in order within each row."""
    parts = [_merged(band) for band in bands]
    entries = np.cumsum([0, *(len(data) for data, _, _ in parts)])
    indptr = np.concatenate(
        [[0], *(own[1:] + at for (_, _, own), at in zip(parts, entries, strict=False))]
    )
    found = _csr(
        np.concatenate([data for data, _, _ in parts]),
        np.concatenate([indices for _, indices, _ in parts]),
        indptr,
        (len(indptr) - 1, columns),
    )
    found.sort_indices()
    return found


def _merged(band: Band) -> tuple[FloatArray, IntArray, IntArray]:
    """Data, indices and row pointers of one band."""
    left, beside = band.left, band.beside
    if beside is None:
        return left.data, left.indices.astype(np.intp), left.indptr.astype(np.intp)
    if beside.shape[0] != left.shape[0]:
        raise ValueError(f"{left.shape[0]} rows beside {beside.shape[0]}")
    indptr = left.indptr.astype(np.intp) + beside.indptr
    data, indices = np.empty(indptr[-1]), np.empty(indptr[-1], dtype=np.intp)
    own, more = np.diff(left.indptr), np.diff(beside.indptr)
    # Entry k of the left part stands behind all that the rows before it have beside them.
    place = np.arange(left.nnz) + np.repeat(beside.indptr[:-1], own)
    data[place], indices[place] = left.data, left.indices
    place = np.arange(beside.nnz) + np.repeat(left.indptr[1:], more)
    data[place], indices[place] = beside.data, beside.indices + band.first
    return data, indices, indptr


def _csr(
    data: FloatArray, indices: IntArray, indptr: IntArray, shape: tuple[int, int]
) -> sp.csr_array:
    return sp.csr_array((data, indices.astype(np.int32), indptr.astype(np.int32)), shape=shape)
