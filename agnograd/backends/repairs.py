"""What several libraries get wrong alike, mended in names of the standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any


def kernels(xp: Any) -> dict[str, Callable[[Array], Array]]:
    """The functions by name, for the namespace `xp`; real arrays go straight to the library's own.

    Examples
    --------
    >>> import array_api_compat.numpy as xp
    >>> mended = kernels(xp)
    >>> complex(mended["expm1"](xp.asarray(1e-20 + 0j)))
    (1e-20+0j)
    >>> complex(mended["tanh"](xp.asarray(complex("inf+2j"))))
    (1+0j)
    """
    real = tuple(xp.empty((0,), dtype=dtype).dtype for dtype in (xp.float64, xp.float32))

    def of_complex(name: str, mended: Callable[[Any, Array, Array], Array]) -> Callable[[Array], Array]:
        standard = getattr(xp, name)

        def kernel(x: Array) -> Array:
            if x.dtype in real or not xp.isdtype(x.dtype, "complex floating"):
                return standard(x)
            return mended(xp, x, standard(x))

        return kernel

    return {"expm1": of_complex("expm1", _expm1), "tanh": of_complex("tanh", _tanh)}


def _expm1(xp: Any, x: Array, ans: Array) -> Array:
    # Made of real functions, whose products are NaN where a factor is 0 and the other infinite. The exponential
    # function itself has these cases right, and there no digits can be lost.
    return xp.where(xp.isfinite(x) & (x != 0), ans, xp.exp(x) - 1)


def _tanh(xp: Any, x: Array, ans: Array) -> Array:
    # At an infinite real part the imaginary one is 0 with the sign of that of `x`, where C takes that of its sine.
    a, b = xp.real(x), xp.imag(x)
    limit = xp.astype(a > 0, x.dtype) * 2 - 1
    limit = xp.where(b > 0, limit, xp.conj(limit))
    return xp.where(xp.isinf(a) & xp.isfinite(b) & (b != 0), limit, ans)
