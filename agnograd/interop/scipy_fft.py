"""Cosine and sine transforms of SciPy on tensors: ``dct``, ``dst``, their inverses, and those over several axes.

SciPy takes ``fft`` and its relatives from the namespace of an array. These it knows for NumPy's arrays only: this
module is a backend of `scipy.fft` that computes them from Fourier transforms of twice the length [1]_.

.. [1] J. Makhoul, "A fast cosine transform in one and two dimensions", IEEE Transactions on Acoustics, Speech and
   Signal Processing 28 (1980), 27-34.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agnograd.core.array import Array

__ua_domain__ = "numpy.scipy.fft"  # by which SciPy knows what this module is a backend of


def register() -> None:
    """Make SciPy's cosine and sine transforms of tensors work everywhere in this process.

    ``with scipy.fft.set_backend(agnograd.interop.scipy_fft)`` does so within a block. Other arrays and other transforms
    are left to SciPy.

    Examples
    --------
    >>> import agnograd as ag
    >>> import scipy.fft
    >>> from agnograd.interop import scipy_fft
    >>> x = ag.ones(2, requires_grad=True)
    >>> with scipy.fft.set_backend(scipy_fft):
    ...     scipy.fft.dct(x).sum().backward()
    >>> x.grad
    tensor([3.4142, 0.5858])
    """
    import scipy.fft

    scipy.fft.register_backend(sys.modules[__name__])


def __ua_function__(method: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: N807
    """Run a transform of a tensor; NotImplemented hands all else to the next backend."""
    name = method.__name__
    if name not in _NAMES or not args or not isinstance(args[0], Array):
        return NotImplemented
    transform = _several if name.endswith("n") else _single
    return transform(*args, **options, sine="dst" in name, inverse=name.startswith("i"))


_NAMES = {"dct", "dctn", "dst", "dstn", "idct", "idctn", "idst", "idstn"}


def _single(
    x: Array,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    overwrite_x: bool = False,
    workers: int | None = None,
    orthogonalize: bool | None = None,
    *,
    sine: bool,
    inverse: bool,
) -> Any:
    return _several(
        x, type, None if n is None else (n,), (axis,), norm, False, None, orthogonalize, sine=sine, inverse=inverse
    )


def _several(
    x: Array,
    type: int = 2,
    s: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
    norm: str | None = None,
    overwrite_x: bool = False,
    workers: int | None = None,
    orthogonalize: bool | None = None,
    *,
    sine: bool,
    inverse: bool,
) -> Any:
    xp = x.__array_namespace__()
    sizes = None if s is None else (s,) if isinstance(s, int) else tuple(s)
    if axes is None:
        axes = range(x.ndim)[-len(sizes) :] if sizes else range(x.ndim)
    elif isinstance(axes, int):
        axes = (axes,)
    if norm not in _OPPOSITE or type not in _SWAPPED:
        msg = (
            f"cosine and sine transforms have the types 1 to 4 and the norms {list(_OPPOSITE)}, got {type!r}, {norm!r}"
        )
        raise ValueError(msg)
    orthogonal = norm == "ortho" if orthogonalize is None else orthogonalize
    if inverse:
        type, norm = _SWAPPED[type], _OPPOSITE[norm]
    if xp.isdtype(x.dtype, ("bool", "integral")):
        x = xp.astype(x, xp.__array_namespace_info__().default_dtypes()["real floating"])
    for i, axis in enumerate(axes):
        size = x.shape[axis] if sizes is None or sizes[i] == -1 else sizes[i]
        if size < 1:
            msg = f"a cosine or sine transform needs one element at least, got {size} on axis {axis}"
            raise ValueError(msg)
        x = _transform(xp, x, _formula(sine, type, size, orthogonal), size, axis, norm)
    return x


_SWAPPED = {1: 1, 2: 3, 3: 2, 4: 4}
_OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
_HALF = math.sqrt(0.5)


class _Formula(NamedTuple):
    """``y[k] = 2 Re sum_n x[n] pre[n] exp(-i (before n + after j + constant + 2 pi n j / length))``, ``j = k + shift``.

    Sine transforms have ``-Im`` in place of ``Re``. The factors `pre` and `post`, of x and y, are 1 but for those that
    are named by their places.
    """

    sine: bool
    length: int
    before: float
    after: float
    constant: float
    shift: int
    pre: dict[int, float]
    post: dict[int, float]


def _formula(sine: bool, type: int, n: int, orthogonal: bool) -> _Formula:
    """The transform of `n` elements as SciPy defines it."""
    last = n - 1
    if type == 1:
        if sine:
            length = 2 * (n + 1)
            return _Formula(True, length, 0, 2 * math.pi / length, 0, 1, {}, {})
        if n < 2:
            msg = f"the cosine transform of type 1 needs two elements or more, got {n}"
            raise ValueError(msg)
        ends = {0: _HALF, last: _HALF} if orthogonal else {0: 0.5, last: 0.5}
        return _Formula(False, 2 * last, 0, 0, 0, 0, ends, {0: _HALF, last: _HALF} if orthogonal else {})
    step = math.pi / (2 * n)
    edge = last if sine else 0
    if type == 2:
        return _Formula(sine, 2 * n, 0, step, 0, int(sine), {}, {edge: _HALF} if orthogonal else {})
    if type == 3:
        pre = {edge: _HALF if orthogonal else 0.5}
        return _Formula(sine, 2 * n, step, 2 * step if sine else 0, step if sine else 0, 0, pre, {})
    return _Formula(sine, 2 * n, step, step, step / 2, 0, {}, {})


def _transform(xp: Any, x: Any, formula: _Formula, n: int, axis: int, norm: str | None) -> Any:
    if xp.isdtype(x.dtype, "complex floating"):
        parts = [_transform(xp, part, formula, n, axis, norm) for part in (xp.real(x), xp.imag(x))]
        return xp.astype(parts[0], x.dtype) + 1j * xp.astype(parts[1], x.dtype)
    x = xp.moveaxis(x, axis, -1)[..., :n]
    given = x.shape[-1]
    x = x * _factors(xp, x, given, formula.pre)
    z = x * _rotations(xp, x, [formula.before * i for i in range(given)])
    z = xp.fft.fft(z, n=formula.length)[..., formula.shift : formula.shift + n]
    turns = [formula.constant + formula.after * (k + formula.shift) for k in range(n)]
    z = z * _rotations(xp, x, turns)
    y = -xp.imag(z) if formula.sine else xp.real(z)
    scale = {"ortho": 1 / math.sqrt(formula.length), "forward": 1 / formula.length}.get(norm or "", 1.0)
    return xp.moveaxis(2 * scale * y * _factors(xp, x, n, formula.post), -1, axis)


def _factors(xp: Any, x: Any, n: int, special: Mapping[int, float]) -> Any:
    return xp.asarray([special.get(i, 1.0) for i in range(n)], dtype=x.dtype, device=x.device)


def _rotations(xp: Any, x: Any, angles: Sequence[float]) -> Any:
    phase = xp.asarray(angles, dtype=x.dtype, device=x.device)
    complex_ = xp.complex64 if x.dtype == xp.float32 else xp.complex128
    return xp.astype(xp.cos(phase), complex_) - 1j * xp.astype(xp.sin(phase), complex_)
