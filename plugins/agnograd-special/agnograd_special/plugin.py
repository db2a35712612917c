"""The hooks: operations, and on each backend the library that computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

from agnograd.hookspecs import Kernel, Op, hookimpl

from agnograd_special import (
    bessel,
    distributions,
    elementary,
    errors,
    gamma,
    integrals,
    libraries,
    on_jax,
    on_torch,
    reductions,
)

# What gives a function's body on a backend, or None where its library lacks the function.
LIBRARIES: dict[str, Callable[[str], libraries.Body | None]] = {
    "numpy": libraries.in_scipy,
    "strict": libraries.on_host,
    "dask": libraries.in_blocks,
    "cupy": libraries.in_cupy,
    "torch": on_torch.in_torch,
    "jax": on_jax.in_jax,
}
# Backends that plugins describe, which need not be installed.
OPTIONAL = frozenset(("torch", "jax"))

FAMILIES: tuple[ModuleType, ...] = (elementary, errors, gamma, integrals, bessel, distributions, reductions)


@hookimpl
def agnograd_ops() -> Iterator[Op]:
    """Every operation among the names of the modules, in order."""
    for family in FAMILIES:
        for op in vars(family).values():
            if isinstance(op, Op):
                op.doc = f"SciPy's ``scipy.{op.name}``, with derivatives."
                yield op


@hookimpl
def agnograd_kernels() -> Iterator[Kernel]:
    """Each operation bound to the library of each backend that has it."""
    for op in agnograd_ops():
        if op.tier == "composite":
            continue
        name = op.name.removeprefix("special.")
        for backend, bound in LIBRARIES.items():
            body = bound(name)
            if body is not None:
                yield Kernel(op=op.name, backend=backend, body=body, optional=backend in OPTIONAL)
