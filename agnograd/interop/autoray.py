"""autoray on tensors: ``autoray.do`` and all that is written with it (quimb, cotengra).

autoray looks for functions in the package that an array comes from, which is agnograd, under NumPy's names. Those that
the standard calls differently, or does not have, are NumPy's own: called on a tensor they come back to it.
"""

from __future__ import annotations

from functools import cache, partial

from agnograd.core.table import OPS
from agnograd.interop.numpy_methods import take


@cache
def register() -> None:
    """Tell autoray where NumPy's names are; a second call changes nothing.

    Examples
    --------
    >>> import agnograd as ag
    >>> import autoray
    >>> ag.interop.autoray.register()
    >>> x = ag.ones(3, requires_grad=True)
    >>> autoray.do("cumsum", x, axis=0)
    tensor([1., 2., 3.], grad_fn=<CumulativeSumBackward0>)
    """
    import autoray

    # As autoray has it of every library.
    autoray.register_function("agnograd", "linalg.svd", partial(OPS["linalg.svd"].call, full_matrices=False))
    autoray.register_function("agnograd", "take", take)
    for name in _NAMES:
        if name not in OPS:
            package, _, _ = name.rpartition(".")
            autoray.register_function("agnograd", name, module=f"numpy.{package}".rstrip("."))


_NAMES = (
    *("absolute", "amax", "amin", "arccos", "arcsin", "arctan", "arctan2", "argwhere", "average", "cumprod", "cumsum"),
    *("diag", "diagonal", "dot", "hstack", "identity", "inner", "median", "moveaxis", "outer", "pad", "power", "ravel"),
    *("split", "swapaxes", "trace", "true_divide", "vdot", "vstack"),
    *("linalg.norm", "linalg.lstsq", "linalg.eig"),
)
