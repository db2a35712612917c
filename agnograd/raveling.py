"""All numbers of a tree of arrays as one vector, for solvers that know nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import optree

from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe, raw_space
from agnograd.core.operands import lifting
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import ForeignArrayError, MixedBackendsError, TreeError
from agnograd.namespaces import default_backend

Unravel = Callable[[Any], Any]


def ravel_tree(tree: Any) -> tuple[Any, Unravel]:
    """All numbers of a tree as one vector, and the way back; JAX's ``ravel_pytree``.

    Parameters
    ----------
    tree : tree
        Of arrays of one backend and device, or of Python numbers, which count as arrays without axes.

    Returns
    -------
    flat : array
        The leaves one after the other, in the dtype to which those of the highest kind promote: complex before real
        before integer before boolean. The dtypes of Python numbers count only where their kind is above that of all
        arrays. Differentiable.
    unravel : callable
        Takes a vector of the shape, dtype, backend and device of `flat` to a tree like `tree`, with the shapes and
        dtypes of its leaves. Differentiable. Real leaves get the real parts of complex numbers.

    Raises
    ------
    TreeError
        If a leaf has a shape that is not known; by `unravel` if the vector is another.
    ForeignArrayError
        If a leaf is neither an array nor a number.
    MixedBackendsError
        If the leaves are arrays of several libraries.

    Examples
    --------
    >>> import agnograd as ag
    >>> flat, unravel = ag.ravel_tree({"b": ag.zeros(2), "w": ag.ones((1, 2))})
    >>> flat
    tensor([0., 0., 1., 1.])
    >>> unravel(flat * 3)
    {'b': tensor([0., 0.]), 'w': tensor([[3., 3.]])}
    """
    found, structure = optree.tree_flatten(tree)
    found = [settled(x) if isinstance(x, Array) else x for x in found]
    kind = _Common(found)
    leaves = [kind.array(x) for x in found]
    forms = [(tuple(x.shape), x.dtype) for x in leaves]
    for k, (shape, _) in enumerate(forms):
        if any(n is None or math.isnan(n) for n in shape):  # as a lazy backend and its tensors write unknown sizes
            path = "".join(f"[{key!r}]" for key in optree.tree_paths(tree)[k])
            msg = f"the shape of leaf tree{path} depends on values that are not computed yet: compute it first"
            raise TreeError(msg)
    ends = [0]
    for shape, _ in forms:
        ends.append(ends[-1] + math.prod(shape))
    flat = OPS["concat"].call([_cast(_reshape(x, (-1,)), kind.dtype) for x in leaves]) if leaves else kind.nothing()
    wanted = describe(flat)

    def unravel(flat: Any) -> Any:
        if (given := describe(flat)) != wanted:
            msg = f"unravel takes a vector like the one that ravel_tree returned ({wanted}), got one of {given}"
            raise TreeError(msg)
        parts = [
            _cast(_reshape(flat[start:end], shape), dtype)
            for (start, end), (shape, dtype) in zip(pairwise(ends), forms, strict=True)
        ]
        return optree.tree_unflatten(structure, parts)

    return flat, unravel


def ravel_real(tree: Any) -> tuple[Any, Unravel]:
    """The same with the real and the imaginary part of a complex leaf one after the other, so that the vector is real.

    The map is an isometry for the real inner product in which gradients are taken.
    """
    leaves, structure = optree.tree_flatten(tree)
    flat, unravel = ravel_tree([_real_parts(x) for x in leaves])

    def joined(flat: Any) -> Any:
        return optree.tree_unflatten(structure, [_from_parts(*parts) for parts in unravel(flat)])

    return flat, joined


def is_complex(x: Any) -> bool:
    """Whether an array is complex."""
    space = raw_space(x)
    return x.dtype in space.floats and x.dtype not in space.reals


def _real_parts(x: Any) -> tuple[Any, ...]:
    if isinstance(x, complex):
        return x.real, x.imag
    if not hasattr(x, "dtype") or not is_complex(x):
        return (x,)
    return OPS["real"].call(x), OPS["imag"].call(x)


def _from_parts(real: Any, imag: Any = None) -> Any:
    if imag is None:
        return real
    space = raw_space(real)
    dtype = space.complex64 if real.dtype == space.float32 else space.complex128
    astype = OPS["astype"].call
    return astype(real, dtype) + astype(imag, dtype) * 1j


def _reshape(x: Any, shape: tuple[int, ...]) -> Any:
    return OPS["reshape"].call(x, shape)


def _cast(x: Any, dtype: Any) -> Any:
    if x.dtype == dtype:
        return x
    if is_complex(x) and not raw_space(x).module.isdtype(dtype, "complex floating"):
        x = OPS["real"].call(x)
    return OPS["astype"].call(x, dtype)


class _Common:
    """Backend, device and dtype that the leaves of a tree have in common."""

    # The kinds of numbers, the lowest first, by the names that the standard has for them.
    kinds = ("bool", "integral", "real floating", "complex floating")
    numbers = (bool, int, float, complex)

    def __init__(self, leaves: list[Any]) -> None:
        arrays = [x for x in leaves if type(x) not in self.numbers]
        for x in arrays:
            if not isinstance(x, Array) and spaces.known(type(x)) is None:
                msg = f"the leaves of a tree must be arrays or numbers, got one of type {type(x).__name__}"
                raise ForeignArrayError(msg)
        names = sorted({raw_space(x).name for x in arrays})
        target = lifting(arrays)
        if len(names) > 1 and target is None:
            msg = (
                f"the leaves of a tree that becomes one vector must be of one backend, got {' and '.join(names)}. "
                f"Convert with agnograd.to_backend(x, {names[0]!r}) first."
            )
            raise MixedBackendsError(msg)
        self.space = target or spaces.named(default_backend())
        like = next((x for x in arrays if raw_space(x) is self.space), None)
        self.device = None if like is None else self.space.device(innermost(like))
        ranks = [self.rank(x) for x in leaves]
        self.top = max(ranks, default=2)
        # Real and complex dtypes promote to one another, no other kinds do.
        dtypes = [x.dtype for x in arrays if self.rank(x) >= min(self.top, 2)]
        if self.top not in map(self.rank, arrays):
            dtypes.append(self.default(self.top))
        self.dtype = self.space.module.result_type(*dtypes)

    def rank(self, x: Any) -> int:
        if type(x) in self.numbers:
            return self.numbers.index(type(x))
        return next(i for i, kind in enumerate(self.kinds) if self.space.module.isdtype(x.dtype, kind))

    def default(self, rank: int) -> Any:
        if not rank:
            return self.space.bool
        return self.space.module.__array_namespace_info__().default_dtypes(device=self.device)[self.kinds[rank]]

    def array(self, x: Any) -> Any:
        if type(x) not in self.numbers:
            return x
        rank = self.rank(x)
        return self.space.asarray(x, dtype=self.dtype if rank == self.top else self.default(rank), device=self.device)

    def nothing(self) -> Any:
        return self.space.zeros(0, dtype=self.dtype, device=self.device)
