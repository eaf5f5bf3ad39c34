"""How a term reads its parameters: finite arrays of the right shape, or one clear sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.groups import Groups

__all__ = [
    "check_length",
    "check_matrix",
    "check_rows",
    "check_weight",
    "read_array",
    "read_matrix",
    "read_mixtures",
    "read_psd",
    "read_rows",
    "read_weight",
    "tangent",
]

FloatArray = NDArray[np.float64]

SYMMETRY_TOLERANCE = 1e-9
PSD_TOLERANCE = 1e-10


def read_array(field: str, value: ArrayLike) -> FloatArray:
    """Return `value` as a read-only finite float array without copying when it already is one."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{field}: every entry must be a number, rows of equal length") from None
    # The sum is finite only if all entries are, unless it overflows: then look again.
    if not np.isfinite(array.sum()) and not np.isfinite(array).all():
        where = [int(x) for x in np.argwhere(~np.isfinite(array))[0]]
        raise BadInput(f"{field}: the entry at {where} is not a finite number; replace it")
    view = array.view()
    view.setflags(write=False)
    return view


def read_weight(field: str, value: ArrayLike, *, signed: bool = False) -> FloatArray:
    """Return a weight: a number, or one per agent; nonnegative unless `signed`."""
    array = read_array(field, value)
    if array.ndim > 1:
        raise BadInput(f"{field}: write one number, or one per agent, not {array.ndim} dimensions")
    if not signed and array.size and array.min() < 0:
        raise BadInput(f"{field}: {array.min():g} is negative; write a number >= 0")
    return array


def read_rows(field: str, value: ArrayLike) -> FloatArray:
    """Return one row over groups, or one row per agent."""
    array = read_array(field, value)
    if array.ndim not in (1, 2):
        raise BadInput(f"{field}: write one row over the groups, or one row per agent")
    return array


def read_mixtures(field: str, value: ArrayLike) -> FloatArray:
    """Return one mixture, or one per agent; each row on the simplex within 1e-9."""
    array = read_rows(field, value)
    rows = np.atleast_2d(array)
    if rows.size and rows.min() < 0:
        i, k = np.unravel_index(int(rows.argmin()), rows.shape)
        raise BadInput(f"{field}: row {i}, group {k} is {rows[i, k]:g}; write a number >= 0")
    off = np.abs(rows.sum(axis=1) - 1.0)
    if off.size and off.max() > 1e-9:
        i = off.argmax()
        raise BadInput(
            f"{field}: row {i} sums to {rows[i].sum():.10g}, which is off the simplex; "
            "divide it by its sum"
        )
    return array


def read_matrix(field: str, value: ArrayLike | None) -> FloatArray | None:
    """Return a symmetric (groups, groups) matrix, or None for the identity.

    The returned matrix is the symmetric part; asymmetry beyond 1e-9 (relative) is refused.
    """
    if value is None:
        return None
    array = read_array(field, value)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise BadInput(f"{field}: write a square matrix, one row per group, not {array.shape}")
    off = np.abs(array - array.T)
    scale = max(1.0, float(np.abs(array).max(initial=0.0)))
    if off.max(initial=0.0) > SYMMETRY_TOLERANCE * scale:
        j, k = np.unravel_index(int(off.argmax()), off.shape)
        raise BadInput(
            f"{field}: entry ({j}, {k}) is {array[j, k]:g} but ({k}, {j}) is {array[k, j]:g}; "
            "it must be symmetric: use the mean of both"
        )
    return read_array(field, (array + array.T) / 2.0)


def read_psd(field: str, value: ArrayLike | None) -> FloatArray | None:
    """Return a symmetric positive semidefinite matrix, or None for the identity."""
    matrix = read_matrix(field, value)
    if matrix is not None and matrix.size:
        low, high = np.linalg.eigvalsh(matrix)[[0, -1]]
        if low < -PSD_TOLERANCE * max(1.0, high):
            raise BadInput(
                f"{field}: it must be positive semidefinite, but has the eigenvalue {low:.6g}; "
                "raise the diagonal or project it"
            )
    return matrix


def tangent(n: int) -> FloatArray:
    """Return an orthonormal basis (n, n-1) of the tangent space, the vectors that sum to zero.

    Examples
    --------
    >>> basis = tangent(3)
    >>> bool(np.allclose(basis.T @ basis, np.eye(2)) and np.allclose(basis.sum(axis=0), 0))
    True
    """
    basis = np.zeros((n, max(0, n - 1)))
    for j in range(n - 1):
        basis[: j + 1, j] = 1.0
        basis[j + 1, j] = -(j + 1.0)
        basis[:, j] /= np.sqrt((j + 1.0) * (j + 2.0))
    return basis


def check_length(field: str, array: FloatArray, axis: int, expected: int, of: str) -> None:
    """Raise `BadInput` naming both lengths unless `array` has `expected` entries on `axis`."""
    if array.shape[axis] != expected:
        raise BadInput(
            f"{field}: got {array.shape[axis]} entries for {expected} {of}; write one per {of[:-1]}"
        )


def check_rows(field: str, rows: FloatArray, groups: Groups, agents: Agents) -> None:
    """Raise `BadInput` unless there is one row over the groups, or one per agent."""
    check_length(field, rows, -1, len(groups), "groups")
    if rows.ndim == 2:
        check_length(field, rows, 0, len(agents), "agents")


def check_weight(field: str, weight: FloatArray, agents: Agents) -> None:
    """Raise `BadInput` unless a weight is one number, or one per agent."""
    if weight.ndim:
        check_length(field, weight, 0, len(agents), "agents")


def check_matrix(field: str, matrix: FloatArray | None, groups: Groups) -> None:
    """Raise `BadInput` unless a matrix, if given, has one row per group."""
    if matrix is not None:
        check_length(field, matrix, 0, len(groups), "groups")
