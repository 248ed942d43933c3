"""Types of the arrays in which the mind computes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
ComplexArray: TypeAlias = NDArray[np.complex128]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.intp]


def product(matrix: sp.csr_array, columns: ComplexArray) -> ComplexArray:
    """A sparse matrix times a dense vector or columns of vectors (typed: scipy's `@` is not)."""
    result: ComplexArray = np.asarray(matrix @ columns, dtype=np.complex128)
    return result


def complex_va(kw: FloatArray, kvar: FloatArray) -> ComplexArray:
    """kW and kvar as VA."""
    result: ComplexArray = (kw + 1j * kvar).astype(np.complex128) * 1e3
    return result
