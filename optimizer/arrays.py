"""Types of the arrays in which the mind computes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import SuperLU, splu

FloatArray: TypeAlias = NDArray[np.float64]
ComplexArray: TypeAlias = NDArray[np.complex128]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.intp]

PIVOT_SHARE = 1e-2
"""A diagonal smaller than this share of its column's greatest entry is no pivot."""


def factorised(matrix: sp.csc_array) -> SuperLU:
    """The LU of a network's matrix, whose pattern is symmetric and whose diagonal is strong.

    Ordered for such, it hardly fills in: a third fewer entries than with scipy's default, and half
    the time of a solve (measured on IEEE 123). A weak pivot is still exchanged.
    """
    return splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=PIVOT_SHARE,
        options={"SymmetricMode": True},
    )


def product(matrix: sp.csr_array, columns: ComplexArray) -> ComplexArray:
    """A sparse matrix times a dense vector or columns of vectors (typed: scipy's `@` is not)."""
    result: ComplexArray = np.asarray(matrix @ columns, dtype=np.complex128)
    return result


def size_of(values: ComplexArray) -> FloatArray:
    """Their magnitudes. numpy's `abs` guards against overflow that no volt or ampere comes near,
    and takes three times as long."""
    return np.sqrt(squares_of(values))


def squares_of(values: ComplexArray) -> FloatArray:
    """The squares of their magnitudes."""
    square: FloatArray = np.square(values.real)
    square += np.square(values.imag)
    return square


def complex_va(kw: FloatArray, kvar: FloatArray) -> ComplexArray:
    """kW and kvar as VA."""
    result = np.empty(np.broadcast_shapes(np.shape(kw), np.shape(kvar)), dtype=np.complex128)
    np.multiply(kw, 1e3, out=result.real)
    np.multiply(kvar, 1e3, out=result.imag)
    return result
