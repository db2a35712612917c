"""Kernels in CUDA C++ for what CuPy runs as several, each of which is launched, and reads and writes all of memory.

Their mathematics is that of the operation's body in standard names, which still runs where a kernel has no use. CuPy
compiles one when it is first called with dtypes of its kinds; nothing here waits for the device.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from agnograd.core.batched_indexing import is_basic
from agnograd.core.table import OPS, spaces
from agnograd.core.table import _internal as internals

Array = Any
Axis = int | tuple[int, ...] | None

# Name to what CuPy's ElementwiseKernel takes: inputs, outputs, code. CUDA's compiler has no NAN and no INFINITY:
# ``top - top`` is the one where `top` is the other.
ELEMENTWISE = {
    # NumPy's and Python's remainder, exact where CuPy multiplies by an infinite divisor; a zero has its sign.
    "remainder": (
        "T x1, T x2",
        "T out",
        """
        out = fmod(x1, x2);
        if (out == 0) out = copysign(T(0), x2);
        else if ((out < 0) != (x2 < 0)) out += x2;
        """,
    ),
    # A NaN stays one, for which CuPy has 0.
    "sign": ("T x", "T out", "out = isnan(x) ? x : T((x > 0) - (x < 0))"),
    # Where the bounds cross, the upper one wins; a NaN stays one.
    "bounded": (
        "T x, T low, T high",
        "T out",
        """
        out = x < low ? low : x;
        if (out > high) out = high;
        """,
    ),
    # exp(x - top), of which softmax has no limit where the largest element is infinite.
    "shifted_exp": ("T x, T top", "T out", "out = isinf(top) ? top - top : exp(x - top)"),
    "log_softmax": (
        "T x, T top, T sum",
        "T out",
        "out = !isinf(top) ? x - top - sum : x == top ? top - top : -fabs(top)",
    ),
    # `n` is the length of the axis that is taken from, `m` that of the indices along it; both are the last.
    "take_along": (
        "raw T x, I index, int64 n, int64 m",
        "T out",
        """
        long long k = (long long)index % n;
        out = x[i / m * n + (k < 0 ? k + n : k)];
        """,
    ),
    # Matrices of `m` rows and `n` columns; `side` is 1 for what is below the diagonal of number `k`, -1 for above.
    "triangle": (
        "T x, int64 m, int64 n, int64 k, int64 side",
        "T out",
        "out = side * ((long long)(i % n) - (long long)(i / n % m) - k) <= 0 ? x : T(0)",
    ),
    # Half of a matrix and of its adjoint, where only the lower triangle is there, with half of its diagonal.
    "half_symmetric": (
        "raw T x, int64 n",
        "T out",
        """
        long long row = i / n, column = i % n;
        out = T(0.5) * (row < column ? x[column * n + row] : x[i]);
        """,
    ),
    "half_hermitian": (
        "raw T x, int64 n",
        "T out",
        """
        long long row = i / n, column = i % n;
        T half = (row < column ? x[column * n + row] : x[i]) * T(0.5);
        out = T(half.real(), row < column ? -half.imag() : row == column ? half.imag() - half.imag() : half.imag());
        """,
    ),
}

# The logarithm of the sum of exp(x - top): elements that equal the largest are counted, for what is small beside them.
LOG_SUM = {
    "preamble": """
        struct agnograd_terms {
            double sum;
            long long largest;
            __device__ agnograd_terms() : sum(0), largest(0) {}
            __device__ agnograd_terms(double s, long long k) : sum(s), largest(k) {}
        };
        __device__ inline agnograd_terms agnograd_join(const agnograd_terms& a, const agnograd_terms& b) {
            return agnograd_terms(a.sum + b.sum, a.largest + b.largest);
        }
        __device__ inline double agnograd_log(const agnograd_terms& a) {
            double k = a.largest == 0 ? 1 : a.largest;
            return log1p(a.sum / k) + log(k);
        }
    """,
    "in_params": "T x, T top",
    "out_params": "T out",
    "map_expr": "x == top ? agnograd_terms(0, 1) : agnograd_terms(isinf(top) ? T(0) : exp(x - top), 0)",
    "reduce_expr": "agnograd_join(a, b)",
    "post_map_expr": "out = T(agnograd_log(a))",
    "identity": "",
    "reduce_type": "agnograd_terms",
}


@functools.cache
def elementwise(name: str) -> Callable[..., Array]:
    """The kernel of that name."""
    import cupy as cp

    return cp.ElementwiseKernel(*ELEMENTWISE[name], f"agnograd_{name}")  # type: ignore[no-any-return]


@functools.cache
def numbers(count: int) -> Callable[..., Array]:
    """Zeros with some numbers added, each followed by its place, ``numbers(2)(x1, place1, x2, place2, out)``."""
    import cupy as cp

    inputs = ", ".join([f"T x{k}, int64 place{k}" for k in range(count)])
    code = "out = 0;" + "".join([f" if (i == place{k}) out += x{k};" for k in range(count)])
    return cp.ElementwiseKernel(inputs, "T out", code, f"agnograd_numbers_{count}")  # type: ignore[no-any-return]


@functools.cache
def log_sum() -> Callable[..., Array]:
    """The reduction ``log(sum(exp(x - top)))``."""
    import cupy as cp

    return cp.ReductionKernel(name="agnograd_log_sum", **LOG_SUM)  # type: ignore[no-any-return]


def _standard(name: str, x: Array, **params: Any) -> Array:
    """The operation's own body: for other dtypes, of which it tells, and where there are no elements."""
    body = OPS[name].body
    assert body is not None
    return body(spaces[type(x)].main, x, **params)


def _real(x: Array) -> bool:
    return x.dtype.char in "fd" and x.size > 0


def sign(x: Array) -> Array:
    """1, 0 or -1; array-api-compat repairs NaN through a mask, which waits for the device."""
    import cupy as cp

    return elementwise("sign")(x) if x.dtype.kind == "f" else cp.sign(x)


def bounded(x: Array, *, low: float | None = None, high: float | None = None) -> Array:
    """Clip to numbers in one launch."""
    if not _real(x):
        return _standard("bounded", x, low=low, high=high)
    return elementwise("bounded")(x, -math.inf if low is None else low, math.inf if high is None else high)


def softmax(x: Array, *, axis: Axis = None) -> Array:
    """In four launches."""
    import cupy as cp

    if not _real(x):
        return _standard("softmax", x, axis=axis)
    e = elementwise("shifted_exp")(x, x.max(axis=axis, keepdims=True))
    return cp.true_divide(e, e.sum(axis=axis, keepdims=True), out=e)


def logsumexp(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """In three launches."""
    if not _real(x):
        return _standard("logsumexp", x, axis=axis, keepdims=keepdims)
    top = x.max(axis=axis, keepdims=True)
    out = log_sum()(x, top, axis=axis, keepdims=True)
    out += top
    return out if keepdims else out.squeeze(axis)


def log_softmax(x: Array, *, axis: Axis = None) -> Array:
    """In three launches."""
    if not _real(x):
        return _standard("log_softmax", x, axis=axis)
    top = x.max(axis=axis, keepdims=True)
    return elementwise("log_softmax")(x, top, log_sum()(x, top, axis=axis, keepdims=True))


def tril(x: Array, /, *, k: int = 0) -> Array:
    """In one launch, where CuPy makes a mask first."""
    return _triangle(x, k, 1)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """In one launch, where CuPy makes a mask first."""
    return _triangle(x, k, -1)


def _triangle(x: Array, k: int, side: int) -> Array:
    import cupy as cp

    if not x.size or x.ndim < 2:
        return (cp.tril if side == 1 else cp.triu)(x, k)
    out = cp.empty(x.shape, dtype=x.dtype)
    return elementwise("triangle")(x, *x.shape[-2:], k, side, out)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """In one launch, where CuPy makes an array of indices for each axis; those out of range wrap as they do there."""
    import cupy as cp
    import numpy as np

    x, indices = cp.moveaxis(x, axis, -1), cp.moveaxis(indices, axis, -1)
    lead = np.broadcast_shapes(x.shape[:-1], indices.shape[:-1])
    n, m = x.shape[-1], indices.shape[-1]
    x, indices = cp.broadcast_to(x, (*lead, n)), cp.broadcast_to(indices, (*lead, m))
    if not indices.size:
        return cp.moveaxis(cp.empty(indices.shape, dtype=x.dtype), -1, axis)
    if not n:
        msg = f"cannot take elements along axis {axis} of an array of shape {x.shape}, where it has none"
        raise IndexError(msg)
    return cp.moveaxis(elementwise("take_along")(x, indices, n, m), -1, axis)


def scatter_add(x: Array, indices: Array, value: Array, /) -> Array:
    """CuPy's atomic additions, on a copy; numbers for which the device has none are added as wider ones."""
    import cupy as cp

    if x.dtype.char not in _ATOMIC and x.dtype.kind != "c":
        wide = cp.uint64 if x.dtype.kind == "u" else cp.int64
        return scatter_add(x.astype(wide), indices, value.astype(wide)).astype(x.dtype)
    out = x.copy()
    if x.dtype.kind == "c":
        cp.add.at(out.real, indices, value.real)
        cp.add.at(out.imag, indices, value.imag)
    else:
        cp.add.at(out, indices, value)
    return out


_ATOMIC = "iIlLqQefd"


def add_into(x: Array, value: Array, key: Any, /) -> Array:
    """In one launch where there is one for it: into a view of `x`, or by atomic additions."""
    if type(key) is slice or is_basic(key):
        part = x[key]
        part += value
        return x
    if hasattr(key, "dtype") and key.dtype.kind in "iu" and x.dtype.char in _ATOMIC and value.size:
        import cupy as cp

        cp.add.at(x, key, value)
        return x
    space = spaces[type(x)].main
    return internals["add_into"](space, x, value, key)


KERNELS: dict[str, Callable[..., Array]] = {
    **{f.__name__: f for f in (bounded, log_softmax, logsumexp, scatter_add, sign, softmax, take_along_axis)},
    **{f.__name__: f for f in (tril, triu)},
    "add_into": add_into,
}
