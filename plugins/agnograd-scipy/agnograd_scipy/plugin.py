"""The hooks: operations, and SciPy's own functions for the backends that can call them."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from agnograd.hookspecs import Kernel, Op, hookimpl

from agnograd_scipy import interpolate, libraries, linalg, signal, sparse
from agnograd_scipy.stats import discrete, multivariate, normal, positive, student

FAMILIES: tuple[ModuleType, ...] = (linalg, signal, interpolate, sparse)
DISTRIBUTIONS: tuple[ModuleType, ...] = (normal, student, positive, discrete, multivariate)


@hookimpl
def agnograd_ops() -> Iterator[Op]:
    """Every operation among the names of the modules, in order."""
    for family in FAMILIES:
        yield from (value for value in vars(family).values() if isinstance(value, Op))
    for module in DISTRIBUTIONS:
        yield from module.OPERATIONS


@hookimpl
def agnograd_kernels() -> Iterator[Kernel]:
    """SciPy's functions on NumPy, and block by block on dask."""
    for name, (function, signature) in libraries.FUNCTIONS.items():
        yield Kernel(op=name, backend="numpy", body=function)
        yield Kernel(op=name, backend="dask", body=libraries.in_blocks(function, signature))
    yield from sparse.kernels()
