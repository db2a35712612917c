"""array-api-extra on tensors."""

from __future__ import annotations

import array_api_extra as xpx
import numpy as np
from clients.case import Table, normal, uniform

extra_cases = Table("array-api-extra", xpx)
add = extra_cases

X = normal(3, 4)
Y = normal(2, 3, seed=1)
Z = normal(3, dtype=complex)
ROW = normal(6)
COLUMN = normal(4, seed=2)
HOLES = np.where(np.arange(12).reshape(3, 4) % 5 == 2, np.nan, X)
MASK = np.arange(12).reshape(3, 4) % 3 == 0
WEIGHTS = uniform(4)
ANGLES = uniform(5, low=10, high=80)


def in_place(x):
    """A write to where a mask is true, without a copy."""
    return xpx.at(x)[x > 0].multiply(3.0)


def searched(x):
    """The places of sorted numbers among themselves."""
    return xpx.searchsorted(x, x)


add("angle", Z)
add("angle:degrees", Z, deg=True)
add("angle:real", ROW)
add("apply_where", X, wrt=0, do=lambda x: xpx.apply_where(x > 0, x, lambda x: x**1.5, lambda x: -3 * x))
add(
    "apply_where:several",
    X,
    X[::-1] * 2,
    wrt=(0, 1),
    do=lambda x, y: xpx.apply_where(x < y, (x, y), lambda x, y: x * y, lambda x, y: x / y),
)
add("apply_where:value", X, do=lambda x: xpx.apply_where(x > 0, x, lambda x: x**0.5, fill_value=1.0))
add(
    "apply_where:array", X, 2 * X, wrt=(0, 1), do=lambda x, y: xpx.apply_where(x > 0, x, lambda x: x**0.5, fill_value=y)
)
add("argpartition", X, 1, do=lambda x, k: x[xpx.argpartition(x[:, 0], k)[:1]])
add("at:set", X, do=lambda x: xpx.at(x)[1].set(0.0, copy=True))
add("at:set a mask", X, do=lambda x: xpx.at(x)[x > 0].set(1.0, copy=True))
add("at:set of both", X, COLUMN, wrt=(0, 1), do=lambda x, y: xpx.at(x)[:, 1:3].set(y[:2], copy=True))
for operation in ("add", "subtract", "multiply", "divide", "power", "min", "max"):
    add(
        f"at:{operation}",
        np.abs(X) + 0.3,
        np.abs(COLUMN) + 0.2,
        wrt=(0, 1),
        do=lambda x, y, operation=operation: getattr(xpx.at(x)[1], operation)(y, copy=True),
    )
add("at:in place", X, COLUMN, wrt=(0, 1), do=lambda x, y: xpx.at(x * 2)[0].add(y))
add("at:in place a mask", X, do=lambda x: in_place(x * 2))
add(
    "at:integers",
    X,
    COLUMN,
    wrt=(0, 1),
    do=lambda x, y: xpx.at(x)[x.__array_namespace__().asarray([2, 0]), :].set(y, copy=True),
)
add("atleast_nd", ROW, ndim=3)
add("cov", X)
add("cov:axis", X, axis=0, correction=0)
add("cov:weights", X, WEIGHTS, wrt=(0, 1), do=lambda x, w: xpx.cov(x, aweights=w))
add("cov:frequencies", X, np.asarray([1, 2, 1, 3]), do=lambda x, w: xpx.cov(x, fweights=w))
add("create_diagonal", ROW)
add("create_diagonal:offset", X, offset=-1)
add("deg2rad", ANGLES)
add("rad2deg", ROW)
add("expand_dims", X, axis=(0, 2))
add("isclose", X, X + 1e-9, do=lambda x, y: (xpx.isclose(x, y), x * y)[1], wrt=(0, 1))
add("isin", ROW, do=lambda x: x[xpx.isin(x, x[:3])])
add("kron", X, Y, wrt=(0, 1))
add("kron:vectors", ROW, COLUMN, wrt=(0, 1))
add("lazy_apply", X, do=lambda x: xpx.lazy_apply(lambda x: x**2 + 1, x))
add("lazy_apply:as_numpy", X, do=lambda x: xpx.lazy_apply(np.tanh, x, as_numpy=True))
add("nan_to_num", X)
add("nan_to_num:holes", HOLES)
add("nanmax", HOLES)
add("nanmax:axis", HOLES, axis=1)
add("nanmin", HOLES)
add("nanmin:axis", HOLES, axis=0)
add("nanmean", HOLES)
add("nanmean:axis", HOLES, axis=1)
add("nansum", HOLES)
add("nansum:axis", HOLES, axis=0)
add("nunique", ROW, do=lambda x: (xpx.nunique(x), x * 2)[1])
add("one_hot", X, np.asarray([0, 3, 1]), do=lambda x, i: x * xpx.one_hot(i, 4, dtype=x.dtype))
add("pad", X, 2)
add("pad:widths", X, [(0, 1), (2, 0)], constant_values=0.5)
add("partition", X, 1, axis=1, do=lambda x, k, axis: xpx.partition(x, k, axis=axis)[:, :1])
add("searchsorted", ROW, do=lambda x: x[searched(x.__array_namespace__().sort(x))])
add("setdiff1d", ROW, COLUMN)
add("setdiff1d:unique", ROW, COLUMN, assume_unique=True)
add("union1d", ROW, COLUMN, wrt=(0, 1))
add("sinc", ROW)
add("sinc:zero", np.asarray([0.0, 0.4, -1.3]))
for name in ("tril_indices", "triu_indices"):
    add(name, X[:, :3], do=lambda x, name=name: x[getattr(xpx, name)(3, xp=x.__array_namespace__())])
add("diag_indices", X[:, :3], do=lambda x: x[xpx.diag_indices(3, xp=x.__array_namespace__())])
add("unravel_index", X, do=lambda x: x[xpx.unravel_index(x.__array_namespace__().asarray([1, 7]), x.shape)])
add(
    "default_dtype",
    ROW,
    do=lambda x: x * x.__array_namespace__().ones(6, dtype=xpx.default_dtype(x.__array_namespace__())),
)
add(
    "broadcast_shapes", ROW, do=lambda x: x.__array_namespace__().broadcast_to(x, xpx.broadcast_shapes(x.shape, (2, 1)))
)
