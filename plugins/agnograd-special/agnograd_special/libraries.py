"""Where values come from: SciPy on the host, block by block on dask, ``cupyx.scipy.special`` on a GPU.

PyTorch and JAX have modules of their own, `on_torch` and `on_jax`. Nothing is imported until a function is called.
Results have the precision of the floating-point arguments, also where a library computes in double precision because an
order is an integer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from agnograd.errors import UnsupportedError

Array = Any
Body = Callable[..., Array]

# What of SciPy's functions CuPy lacks.
NOT_IN_CUPY = frozenset(
    (
        *("betaincc", "betainccinv", "hyp1f1", "hyp2f1", "iv", "ive", "jn", "jv", "kv", "kve", "psi"),
        *("spence", "stdtr", "stdtrit", "yv"),
    )
)


def in_scipy(name: str) -> Body:
    """A function on NumPy's arrays."""
    return lambda *args: on_numpy(name)(*args)


def in_cupy(name: str) -> Body | None:
    """A function on CuPy's arrays, if CuPy has it."""
    return None if name in NOT_IN_CUPY else lambda *args: _cupy(name)(*args)


def on_host(name: str) -> Body:
    """The same on array-api-strict's arrays, through the NumPy arrays inside, back to their device."""

    def body(*args: Any) -> Array:
        import array_api_strict as xp
        import numpy as np

        device = next(x.device for x in args if isinstance(x, xp._array_object.Array))
        host = xp.Device("CPU_DEVICE")
        plain = [np.asarray(x.to_device(host)) if hasattr(x, "dtype") else x for x in args]
        return xp.asarray(np.asarray(on_numpy(name)(*plain)), device=device)

    return body


def in_blocks(name: str) -> Body:
    """The same on every block of dask's arrays; nothing is computed."""

    def body(*args: Any) -> Array:
        import dask.array as da
        import numpy as np

        function = on_numpy(name)
        # Of no elements: tells the dtype, and now whether there is such a function, not when blocks are computed.
        empty = function(*[np.empty((0,) * max(x.ndim, 1), x.dtype) if hasattr(x, "dtype") else x for x in args])
        # map_blocks would neither align the chunks of arguments nor see that one is broadcast.
        return da.core.elemwise(_Block(name), *args, dtype=empty.dtype)

    return body


class _Block:
    """A function of SciPy that a scheduler can send to another process, as its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any) -> Array:
        return on_numpy(self.name)(*args)

    def __dask_tokenize__(self) -> tuple[str, str]:
        return "agnograd-special", self.name


@cache
def on_numpy(name: str) -> Body:
    """SciPy's function, imported."""
    import numpy as np
    import scipy.special

    function = getattr(scipy.special, name)
    if name in ("bdtr", "bdtrc", "bdtri"):
        # Beside an array in single precision a Python number would be taken for a float, which they refuse.
        return _fitted(name, lambda *args: function(*[np.asarray(x) if type(x) is int else x for x in args]), "SciPy")
    return _fitted(name, function, "SciPy")


@cache
def _cupy(name: str) -> Body:
    import cupy as cp
    import cupyx.scipy.special

    if name == "ellipe":  # only the incomplete integral is there
        return _fitted(name, lambda m: cupyx.scipy.special.ellipeinc(math.pi / 2, m), "CuPy")
    function = getattr(cupyx.scipy.special, name)
    if name == "polygamma":  # takes no Python numbers
        return _fitted(name, lambda n, x: function(cp.full((), n) if isinstance(n, (int, float)) else n, x), "CuPy")
    return _fitted(name, function, "CuPy")


def _fitted(name: str, function: Body, library: str) -> Body:
    """A function whose result has the precision of its floating-point arguments."""
    import numpy as np

    def fitted(*args: Any) -> Array:
        try:
            out = function(*args)
        except TypeError as error:
            dtypes = ", ".join(str(x.dtype) if hasattr(x, "dtype") else type(x).__name__ for x in args)
            msg = f"{library} has no special.{name} of {dtypes}. Its functions of complex numbers are few."
            raise UnsupportedError(msg) from error
        floats = [x.dtype for x in args if hasattr(x, "dtype") and x.dtype.kind in "fc"]
        if len(set(floats)) > 1:
            floats = [np.result_type(*floats)]
        return out.astype(floats[0]) if floats and out.dtype != floats[0] else out

    return fitted
