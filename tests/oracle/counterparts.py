"""The operations of the table in torch, under their own names and with their own signatures.

Python numbers among the arrays arrive as tensors. An operation that has no counterpart stands in `WITHOUT`, with the
reason.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

# -- arguments ---------------------------------------------------------------------------------------------------------


def dtype_of(dtype):
    """A NumPy dtype as one of torch; None as it is."""
    return None if dtype is None else getattr(torch, np.dtype(dtype).name)


def promoted(function):
    """`function` of two tensors of one dtype: torch promotes no products of matrices."""

    @functools.wraps(function)
    def call(x1, x2, *args, **params):
        dtype = torch.promote_types(x1.dtype, x2.dtype)
        return function(x1.to(dtype), x2.to(dtype), *args, **params)

    return call


def dims(x, axis):
    """The axes of a reduction as a tuple, from the last to the first."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(sorted((a % x.ndim for a in axes), reverse=True))


def together(arrays):
    """A sequence in its common dtype."""
    dtype = functools.reduce(torch.promote_types, (x.dtype for x in arrays))
    return [x.to(dtype) for x in arrays]


# -- elementwise -------------------------------------------------------------------------------------------------------


def in_parts(function):
    """A function of real numbers on both parts of complex ones."""
    return lambda x: torch.complex(function(x.real), function(x.imag)) if x.is_complex() else function(x)


ELEMENTWISE = {
    name: getattr(torch, name)
    for name in (
        *("abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh"),
        *("divide", "exp", "expm1", "floor", "hypot", "imag", "log", "log10", "log1p", "log2", "logaddexp", "maximum"),
        *("minimum", "multiply", "negative", "nextafter", "positive", "pow", "real", "reciprocal", "remainder", "sin"),
        *("sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc"),
    )
} | {
    "bounded": lambda x, low=None, high=None: torch.clip(x, low, high),
    "clip": lambda x, min=None, max=None: x + 0 if min is None and max is None else torch.clip(x, min, max),
    "conj": lambda x: torch.conj(x).resolve_conj(),
    # torch does not differentiate its floor_divide.
    "floor_divide": lambda x1, x2: torch.floor(x1 / x2),
    "round": in_parts(torch.round),
    "sign": torch.sgn,
    # torch's own does not take back a real and a complex branch.
    "where": lambda condition, x1, x2: torch.where(condition, *together([x1, x2])),
}

# -- reductions --------------------------------------------------------------------------------------------------------


def reduction(function):
    def call(x, *, axis=None, keepdims=False):
        return function(x, dim=dims(x, axis), keepdim=keepdims) if x.ndim else function(x, dim=0)

    return call


def _sum(x, *, axis=None, dtype=None, keepdims=False):
    return reduction(functools.partial(torch.sum, dtype=dtype_of(dtype)))(x, axis=axis, keepdims=keepdims)


def prod(x, *, axis=None, dtype=None, keepdims=False):
    for a in dims(x, axis):
        x = torch.prod(x, dim=a, keepdim=keepdims, dtype=dtype_of(dtype))
    return x


def cumulative(function, initial):
    def call(x, *, axis=None, dtype=None, include_initial=False):
        a = 0 if axis is None else axis
        out = function(x, dim=a, dtype=dtype_of(dtype))
        first = torch.full_like(out.sum(dim=a, keepdim=True), initial)
        return torch.cat([first, out], dim=a) if include_initial else out

    return call


def spread(function):
    def call(x, *, axis=None, correction=0.0, keepdims=False):
        return function(x, dim=dims(x, axis) or None, correction=correction, keepdim=keepdims)

    return call


def over_axes_as_one(function):
    """A function along one axis, of several together."""

    def call(x, *, axis=None):
        axes = dims(x, axis)[::-1]
        if len(axes) == 1:
            return function(x, dim=axes[0])
        last = tuple(range(x.ndim - len(axes), x.ndim))
        moved = torch.movedim(x, axes, last)
        return torch.movedim(function(moved.flatten(x.ndim - len(axes)), dim=-1).reshape(moved.shape), last, axes)

    return call


STATISTICAL = {
    "log_softmax": over_axes_as_one(torch.log_softmax),
    "logsumexp": reduction(torch.logsumexp),
    "softmax": over_axes_as_one(torch.softmax),
    "cumulative_prod": cumulative(torch.cumprod, 1),
    "cumulative_sum": cumulative(torch.cumsum, 0),
    "max": reduction(torch.amax),
    "mean": reduction(torch.mean),
    "min": reduction(torch.amin),
    "prod": prod,
    "std": spread(torch.std),
    "sum": _sum,
    "var": spread(torch.var),
}


# -- rearrangements ----------------------------------------------------------------------------------------------------


def concat(arrays, *, axis=0):
    arrays = together(arrays)
    return torch.cat([x.reshape(-1) for x in arrays]) if axis is None else torch.cat(arrays, dim=axis)


def expand_dims(x, axis):
    axes = (axis,) if isinstance(axis, int) else axis
    for a in sorted(a % (x.ndim + len(axes)) for a in axes):
        x = x.unsqueeze(a)
    return x


def repeat(x, repeats, *, axis=None):
    return torch.repeat_interleave(x, repeats if repeats.ndim else int(repeats), dim=axis)


def places(shape, key):
    """The numbers of the elements that NumPy's indexing takes."""
    key = tuple(np.asarray(k) if torch.is_tensor(k) else k for k in key) if isinstance(key, tuple) else key
    return torch.as_tensor(np.arange(math.prod(shape)).reshape(shape)[key].copy())


def getitem(x, key):
    return x.reshape(-1)[places(x.shape, key)]


def setitem(x, value, *, key):
    place = places(x.shape, key)
    value = value.to(x.dtype).broadcast_to(place.shape)
    return x.reshape(-1).index_put((place,), value).reshape(x.shape)


def embed(x, *, key, shape):
    flat = torch.zeros(math.prod(shape), dtype=x.dtype)
    return flat.index_put((places(shape, key),), x, accumulate=True).reshape(shape)


def embed_all(arrays, *, keys, shape):
    return sum(embed(x, key=key, shape=shape) for x, key in zip(arrays, keys, strict=True))


def take(x, indices, *, axis=None):
    a = 0 if axis is None else axis
    return torch.index_select(x, a, indices % x.shape[a])


def take_along_axis(x, indices, *, axis=-1):
    return torch.take_along_dim(x, indices % x.shape[axis], dim=axis)


def pad(x, pad_width, mode="constant", *, constant_values=0):
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    # From the last axis to the first.
    flat = [n for pair in reversed(widths) for n in pair]
    return torch.nn.functional.pad(x, flat, mode, constant_values) if flat else torch.clone(x)


REARRANGED = {
    "astype": lambda x, dtype, **_: x.to(dtype_of(dtype)),
    "broadcast_arrays": torch.broadcast_tensors,
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
    "clone": torch.clone,
    "concat": concat,
    # Its condition holds wherever it is tested.
    "defined_where": lambda x, condition, *, reason="": torch.clone(x),
    "diff": lambda x, *, axis=-1, n=1, prepend=None, append=None: torch.diff(
        x, n=n, dim=axis, prepend=prepend, append=append
    ),
    "embed": embed,
    "embed_all": embed_all,
    "expand_dims": expand_dims,
    "flip": lambda x, *, axis=None: torch.flip(x, dims(x, axis)),
    "getitem": getitem,
    "matrix_transpose": lambda x: x.mT,
    "moveaxis": torch.movedim,
    "pad": pad,
    "permute_dims": torch.permute,
    # Of chunks there is one.
    "rechunk": lambda x, *_, **__: torch.clone(x),
    "repeat": repeat,
    "reshape": lambda x, shape, *, copy=None: torch.reshape(x, shape),
    "roll": lambda x, shift, *, axis=None: torch.roll(x, shift, axis),
    "scatter_add": lambda x, indices, value: torch.index_add(x, 0, indices, value),
    "setitem": setitem,
    "sort": lambda x, *, axis=-1, descending=False, stable=True: (
        torch.sort(x, dim=axis, descending=descending, stable=True).values
    ),
    "squeeze": torch.squeeze,
    "stack": lambda arrays, *, axis=0: torch.stack(together(arrays), dim=axis),
    "take": take,
    "take_along_axis": take_along_axis,
    "tile": torch.tile,
    "tril": lambda x, *, k=0: torch.tril(x, k),
    "triu": lambda x, *, k=0: torch.triu(x, k),
    "unstack": lambda x, *, axis=0: torch.unbind(x, axis),
}

# -- linear algebra ----------------------------------------------------------------------------------------------------


def cross(x1, x2, *, axis=-1):
    return torch.linalg.cross(*torch.broadcast_tensors(x1, x2), dim=axis)


def solve(x1, x2):
    if x2.ndim == 1:
        return torch.linalg.solve(x1, x2[:, None])[..., 0]
    # Of as many axes as x1 has, it cannot be taken for a stack of vectors.
    batch = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return torch.linalg.solve(x1, x2.broadcast_to((*batch, *x2.shape[-2:])))


def trace(x, *, offset=0, dtype=None):
    return torch.sum(torch.diagonal(x, offset, -2, -1), dim=-1, dtype=dtype_of(dtype))


def vector_norm(x, *, axis=None, keepdims=False, ord=2):
    return torch.linalg.vector_norm(x, ord, None if axis is None else dims(x, axis), keepdims)


def matrix_norm(x, *, keepdims=False, ord="fro"):
    return torch.linalg.matrix_norm(x, ord, (-2, -1), keepdims)


def determinant(x):
    """By Laplace's expansion along the first row: a polynomial, which torch differentiates at singular matrices too."""
    n = x.shape[-1]
    if n == 0:
        return torch.ones(x.shape[:-2], dtype=x.dtype)
    return sum((-1) ** k * x[..., 0, k] * determinant(minor(x, 0, k)) for k in range(n))


def minor(x, i, j):
    rows, columns = ([k for k in range(x.shape[-1]) if k != left_out] for left_out in (i, j))
    return x[..., rows, :][..., columns]


def cofactors(x):
    n = x.shape[-1]
    cells = [(-1) ** (i + j) * determinant(minor(x, i, j)) for i in range(n) for j in range(n)]
    return torch.stack(cells, dim=-1).reshape(x.shape)


def diagonal_matrix(x, *, shape, offset=0):
    m, n = shape
    whole = torch.diag_embed(x, offset) if x.shape[-1] else x.new_zeros((*x.shape[:-1], m, n))
    m, n = m - whole.shape[-2], n - whole.shape[-1]
    return torch.nn.functional.pad(whole, (0, n, 0, m))


def cholesky_pullback(x1, x2):
    lower, g = torch.tril(x1), torch.tril(x2)
    middle = torch.tril(lower.mH @ g)
    middle = middle - torch.diag_embed(torch.diagonal(middle, 0, -2, -1)) / 2
    inverse = torch.linalg.inv(lower)
    return inverse.mH @ ((middle + middle.mH) / 2) @ inverse


def solve_triangular(x1, x2, *, upper=False):
    return torch.linalg.solve((torch.triu if upper else torch.tril)(x1), x2)


def contract(x1, x2, *, labels):
    in1, in2, out = labels
    return torch.einsum(f"{in1},{in2}->{out}", x1, x2)


def einsum(subscripts, *arrays, optimize=None):
    return torch.einsum(subscripts, *arrays)


def completed(columns, whole):
    """The leading columns of a unitary matrix, followed by the others, which turn with the space that they span.

    torch refuses to take them back, or drops their cotangent.
    """
    rest = whole.detach()[..., columns.shape[-1] :]
    rest = rest - columns @ (columns.mH @ rest)
    factor = torch.linalg.cholesky(rest.mH @ rest)
    return torch.cat([columns, torch.linalg.solve_triangular(factor.mH, rest, upper=True, left=False)], dim=-1)


def qr(x, *, mode="reduced"):
    q, r = torch.linalg.qr(x)
    if mode == "reduced":
        return q, r
    whole, r_whole = torch.linalg.qr(x.detach(), "complete")
    return completed(q, whole), torch.cat([r, r_whole[..., r.shape[-2] :, :]], dim=-2)


def svd(x, *, full_matrices=True):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    if not full_matrices:
        return u, s, vh
    u_whole, _, vh_whole = torch.linalg.svd(x.detach())
    return completed(u, u_whole), s, completed(vh.mH, vh_whole.mH).mH


LINEAR_ALGEBRA = {
    "cholesky_pullback": promoted(cholesky_pullback),
    "cofactors": cofactors,
    "diagonal_matrix": diagonal_matrix,
    "solve_triangular": promoted(solve_triangular),
    "contract": promoted(contract),
    "einsum": einsum,
    "linalg.cholesky": lambda x, *, upper=False: torch.linalg.cholesky(x, upper=upper),
    "linalg.cross": promoted(cross),
    "linalg.det": torch.linalg.det,
    "linalg.diagonal": lambda x, *, offset=0: torch.diagonal(x, offset, -2, -1),
    "linalg.eig": torch.linalg.eig,
    "linalg.eigh": torch.linalg.eigh,
    "linalg.eigvals": torch.linalg.eigvals,
    "linalg.eigvalsh": torch.linalg.eigvalsh,
    "linalg.inv": torch.linalg.inv,
    "linalg.matrix_norm": matrix_norm,
    "linalg.matrix_power": torch.linalg.matrix_power,
    "linalg.outer": promoted(torch.outer),
    "linalg.pinv": lambda x, *, rtol=None: torch.linalg.pinv(x, rtol=rtol),
    "linalg.qr": qr,
    "linalg.slogdet": torch.linalg.slogdet,
    "linalg.solve": promoted(solve),
    "linalg.svd": svd,
    "linalg.svdvals": torch.linalg.svdvals,
    "linalg.trace": trace,
    "linalg.vector_norm": vector_norm,
    "matmul": promoted(torch.matmul),
    "norm": torch.linalg.vector_norm,
    "tensordot": promoted(lambda x1, x2, axes=2: torch.tensordot(x1, x2, dims=axes)),
    "vecdot": promoted(lambda x1, x2, *, axis=-1: torch.linalg.vecdot(*torch.broadcast_tensors(x1, x2), dim=axis)),
}

# -- Fourier transforms ------------------------------------------------------------------------------------------------


def over_one_axis(function):
    return lambda x, *, n=None, axis=-1, norm="backward": function(x, n, axis, norm)


def over_axes(function):
    return lambda x, *, s=None, axes=None, norm="backward": function(x, s, axes, norm)


FOURIER = {
    **{f"fft.{n}": over_one_axis(getattr(torch.fft, n)) for n in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{f"fft.{n}": over_axes(getattr(torch.fft, n)) for n in ("fftn", "ifftn", "rfftn", "irfftn")},
    "fft.fftshift": lambda x, *, axes=None: torch.fft.fftshift(x, axes),
    "fft.ifftshift": lambda x, *, axes=None: torch.fft.ifftshift(x, axes),
}

COUNTERPARTS = ELEMENTWISE | STATISTICAL | REARRANGED | LINEAR_ALGEBRA | FOURIER

WITHOUT = {
    "to_backend": "torch has one kind of storage, and nothing to convert to",
    "to_device": "on the CPU, where these tests run, there is one device: to move to it is to do nothing",
}
