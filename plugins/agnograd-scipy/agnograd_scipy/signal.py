"""Convolution and correlation, of real and complex numbers, over any axes.

By sums of products where one array is small, and else by Fourier transforms: with the convolution theorem, and so with
its rounding errors, which are relative to the largest element of the result. Both are made of operations, so that they
run on every backend and have derivatives of any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agnograd.hookspecs import Sample, Uniform, composite

Array = Any

# Products per element up to which sums are faster than transforms.
_FEW = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _window(n1: int, n2: int, mode: str) -> tuple[int, int]:
    """Where the result begins in the full convolution, and its length."""
    full = n1 + n2 - 1 if n1 and n2 else 0
    if mode == "full":
        return 0, full
    if mode == "same":
        return (full - n1) // 2, n1
    if mode == "valid":
        return min(n1, n2) - 1, abs(n1 - n2) + 1
    msg = f"mode must be 'full', 'same' or 'valid', got {mode!r}"
    raise ValueError(msg)


def _check_valid(sizes: Sequence[tuple[int, int]], mode: str) -> None:
    if mode == "valid" and any(a < b for a, b in sizes) and any(a > b for a, b in sizes):
        msg = (
            f"mode='valid' needs one array that is at least as large as the other along every axis, got the sizes "
            f"{[a for a, _ in sizes]} and {[b for _, b in sizes]}"
        )
        raise ValueError(msg)


def _windows(xp: Any, x: Array, axis: int, count: int, start: int, length: int) -> Array:
    """``y[i, j] = x[i + start - j]`` along an axis, zero where there is none; `i` stays there, `j` comes last."""
    size = x.shape[axis]
    before, after = max(count - 1 - start, 0), max(start + length - size, 0)
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (before, after)
    x = xp.pad(x, tuple(widths))
    lead = (slice(None),) * axis
    first = start + before
    return xp.stack([x[(*lead, slice(first - j, first - j + length), ...)] for j in range(count)], axis=-1)


class _Plan:
    """Which axes of two arrays are convolved, contracted and kept, as letters of a sum of products."""

    def __init__(self, shape1: Sequence[int], shape2: Sequence[int], axes: Any, dot_axes: Any) -> None:
        ndims = len(shape1), len(shape2)
        if axes is None:
            if ndims[0] != ndims[1]:
                msg = f"convolve needs arrays of as many axes, or axes=, got {ndims[0]} and {ndims[1]}"
                raise ValueError(msg)
            axes = (range(ndims[0]), range(ndims[0]))
        self.over = [tuple(a % n for a in side) for side, n in zip(axes, ndims, strict=True)]
        dots = [tuple(a % n for a in side) for side, n in zip(dot_axes or ((), ()), ndims, strict=True)]
        if len(self.over[0]) != len(self.over[1]) or len(dots[0]) != len(dots[1]):
            msg = f"axes and dot_axes name as many axes of one array as of the other, got {axes} and {dot_axes}"
            raise ValueError(msg)
        for side, dot, n in zip(self.over, dots, ndims, strict=True):
            if len({*side, *dot}) != len(side) + len(dot):
                msg = f"an axis is named twice among axes={axes} and dot_axes={dot_axes} of {n}"
                raise ValueError(msg)
        letters = iter(_LETTERS)
        self.positions = [next(letters) for _ in self.over[0]]
        self.shifts = [next(letters) for _ in self.over[0]]
        shared = [next(letters) for _ in dots[0]]
        self.labels = []
        kept = ""
        for side, dot, n in zip(self.over, dots, ndims, strict=True):
            named = dict(zip((*side, *dot), (*self.positions, *shared), strict=True))
            own = {a: next(letters) for a in range(n) if a not in named}
            kept += "".join(own.values())
            self.labels.append([named.get(a) or own[a] for a in range(n)])
        self.out = kept + "".join(self.positions)
        self.sizes = [(shape1[a], shape2[b]) for a, b in zip(self.over[0], self.over[1], strict=True)]


def _by_sums(xp: Any, x1: Array, x2: Array, plan: _Plan, mode: str) -> Array:
    arrays, labels = [x1, x2], [list(side) for side in plan.labels]
    for axis, (sizes, shift) in enumerate(zip(plan.sizes, plan.shifts, strict=True)):
        # The longer one is laid out in windows.
        longer = 0 if sizes[0] >= sizes[1] else 1
        start, length = _window(*sizes, mode)
        place = plan.over[longer][axis]
        arrays[longer] = _windows(xp, arrays[longer], place, sizes[1 - longer], start, length)
        labels[longer].append(shift)
        labels[1 - longer][plan.over[1 - longer][axis]] = shift
    terms = ["".join(side) for side in labels]
    return xp.einsum(f"{terms[0]},{terms[1]}->{plan.out}", *arrays)


def _transformed(xp: Any, x1: Array, x2: Array, axes: Sequence[Sequence[int]], sizes: Sequence[int]) -> Any:
    """Both arrays, transformed over some axes, and how to take a product of them back."""
    from scipy.fft import next_fast_len

    real = all(xp.isdtype(x.dtype, "real floating") for x in (x1, x2))
    s = tuple(next_fast_len(n, real) for n in sizes)
    there, back = (xp.fft.rfftn, xp.fft.irfftn) if real else (xp.fft.fftn, xp.fft.ifftn)
    transforms = [there(x, s=s, axes=tuple(side)) for x, side in zip((x1, x2), axes, strict=True)]
    return transforms, lambda y, over: back(y, s=s, axes=tuple(over))


def _by_transforms(xp: Any, x1: Array, x2: Array, plan: _Plan, mode: str) -> Array:
    full = [a + b - 1 for a, b in plan.sizes]
    (f1, f2), back = _transformed(xp, x1, x2, plan.over, full)
    terms = ["".join(side) for side in plan.labels]
    product = xp.einsum(f"{terms[0]},{terms[1]}->{plan.out}", f1, f2)
    lead = len(product.shape) - len(full)
    out = back(product, range(lead, lead + len(full)))
    return out[(..., *_slices(plan.sizes, mode))]


def _slices(sizes: Sequence[tuple[int, int]], mode: str) -> list[slice]:
    return [slice(start, start + length) for start, length in (_window(*pair, mode) for pair in sizes)]


def _convolve(
    xp: Any,
    x1: Array,
    x2: Array,
    /,
    mode: str = "full",
    method: str = "auto",
    *,
    axes: Any = None,
    dot_axes: Any = None,
) -> Array:
    plan = _Plan(x1.shape, x2.shape, axes, dot_axes)
    _check_valid(plan.sizes, mode)
    exact = not all(xp.isdtype(x.dtype, ("real floating", "complex floating")) for x in (x1, x2))
    if method == "auto":
        few = exact or not plan.sizes or math.prod(min(pair) for pair in plan.sizes) <= _FEW
        method = "direct" if few else "fft"
    if method == "direct":
        return _by_sums(xp, x1, x2, plan, mode)
    if method != "fft" or exact:
        msg = f"method must be 'auto', 'direct' or, for floating-point numbers, 'fft', got {method!r} for {x1.dtype}"
        raise ValueError(msg)
    return _by_transforms(xp, x1, x2, plan, mode)


_PAIRS = [
    ((Uniform(shape=(5,)), Uniform(shape=(3,))), {}),
    ((Uniform(shape=(3,)), Uniform(shape=(5,))), {"mode": "same"}),
    ((Uniform(shape=(5,)), Uniform(shape=(2,))), {"mode": "same"}),
    ((Uniform(shape=(3,)), Uniform(shape=(5,))), {"mode": "valid"}),
    ((Uniform(shape=(4, 3)), Uniform(shape=(2, 3))), {"mode": "same"}),
    ((Uniform(shape=(4, 3)), Uniform(shape=(2, 2))), {"mode": "valid"}),
    ((Uniform(shape=(4,), kind="complex"), Uniform(shape=(3,), kind="complex")), {}),
    ((Uniform(shape=(4,), kind="complex"), Uniform(shape=(3,))), {"mode": "valid"}),
]

convolve = composite(
    "scipy.signal.convolve(x1, x2, /, mode='full', method='auto', *, axes=None, dot_axes=None)",
    body=_convolve,
    doc="y_i = sum_j x1_j x2_(i-j); over chosen axes, summed over others, the rest is kept: those of x1, of x2, and i",
    samples=[
        *(Sample(arrays, params) for arrays, params in _PAIRS),
        Sample((Uniform(shape=(5,)), Uniform(shape=(3,))), {"method": "fft"}),
        Sample((Uniform(shape=(4, 3)), Uniform(shape=(2, 2))), {"mode": "same", "method": "fft"}),
        Sample(
            (Uniform(shape=(2, 3, 5)), Uniform(shape=(3, 4, 3))),
            {"mode": "valid", "axes": ((2,), (2,)), "dot_axes": ((1,), (0,))},
        ),
        Sample(
            (Uniform(shape=(5, 2)), Uniform(shape=(3, 3))),
            {"mode": "full", "method": "fft", "axes": ((0,), (1,))},
        ),
    ],
)


def _correlate(xp: Any, x1: Array, x2: Array, /, mode: str = "full", method: str = "auto") -> Array:
    turned = xp.flip(x2)
    if xp.isdtype(x2.dtype, "complex floating"):
        turned = xp.conj(turned)
    return xp.scipy.signal.convolve(x1, turned, mode=mode, method=method)


correlate = composite(
    "scipy.signal.correlate(x1, x2, /, mode='full', method='auto')",
    body=_correlate,
    doc="y_k = sum_j x1_(j+k) conj(x2_j)",
    samples=[Sample(arrays, params) for arrays, params in _PAIRS],
)


def _fftconvolve(xp: Any, x1: Array, x2: Array, /, mode: str = "full", *, axes: Any = None) -> Array:
    ndim = len(x1.shape)
    if ndim != len(x2.shape):
        msg = f"fftconvolve needs arrays of as many axes, got {ndim} and {len(x2.shape)}"
        raise ValueError(msg)
    given = range(ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    over = [a % ndim for a in given]
    sizes = [(x1.shape[a], x2.shape[a]) for a in over]
    _check_valid(sizes, mode)
    (f1, f2), back = _transformed(xp, x1, x2, (over, over), [a + b - 1 for a, b in sizes])
    keys = dict(zip(over, _slices(sizes, mode), strict=True))
    return back(f1 * f2, over)[tuple(keys.get(a, slice(None)) for a in range(ndim))]


fftconvolve = composite(
    "scipy.signal.fftconvolve(x1, x2, /, mode='full', *, axes=None)",
    body=_fftconvolve,
    doc="the same over some axes by Fourier transforms, while the others broadcast",
    samples=[
        *(Sample(arrays, params) for arrays, params in _PAIRS),
        Sample((Uniform(shape=(2, 4)), Uniform(shape=(1, 3))), {"axes": 1}),
        Sample((Uniform(shape=(2, 4)), Uniform(shape=(2, 3))), {"axes": (1,), "mode": "same"}),
    ],
)
