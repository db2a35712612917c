"""The way between trees of arrays of any backend and the vectors that SciPy knows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import optree

from agnograd.core.array import Array
from agnograd.core.facts import carries, describe, raw_space
from agnograd.core.level import ROOT
from agnograd.core.nodes import wrap
from agnograd.core.operands import default_array
from agnograd.core.table import Space, spaces
from agnograd.core.views import settled
from agnograd.errors import ForeignArrayError, MissingLibraryError, NotDifferentiableError
from agnograd.raveling import Unravel, ravel_real
from agnograd.transforms import jacobian


def scipy(module: str) -> Any:
    """A module of SciPy.

    Raises
    ------
    MissingLibraryError
        If SciPy is not installed.
    """
    try:
        import_module("scipy")
    except ModuleNotFoundError as error:
        if error.name != "scipy":
            raise
        msg = "agnograd.optimize leaves the work to SciPy, which is not installed: pip install 'agnograd[optimize]'"
        raise MissingLibraryError(msg) from None
    return import_module(f"scipy.{module}")


class Vectors:
    """The vectors that stand for trees like one that is given.

    Parameters
    ----------
    tree : tree
        Of arrays of real or complex numbers of one backend and device.
    ravel : callable
        `ravel_real`, or `ravel_tree` for complex vectors.
    name : str
        What users call the tree, for messages.

    Attributes
    ----------
    start : array
        The vector for that tree, on the host.
    """

    def __init__(
        self, tree: Any, ravel: Callable[[Any], tuple[Any, Unravel]] = ravel_real, *, name: str = "x0"
    ) -> None:
        leaves, structure = optree.tree_flatten(tree)
        self.tensors: list[bool] = [isinstance(x, Array) for x in leaves]
        leaves = [_parameter(x, name + _path(tree, k)) for k, x in enumerate(leaves)]
        self.shapes: list[tuple[int, ...]] = [tuple(x.shape) for x in leaves]
        self.ravel = ravel
        self.structure = structure
        self.flat: Any
        self.unravel: Unravel
        self.flat, self.unravel = ravel(optree.tree_unflatten(structure, leaves))
        self.space: Space = raw_space(self.flat)
        self.device: Any = self.space.device(self.flat)
        self.start: Any = self.space.backend.to_host(self.flat)
        self.size: int = int(self.start.shape[0])
        self.dtype: Any = self.start.dtype

    def raw(self, vector: Any) -> Any:
        """A vector of the host as an array of the backend, on the device; a copy, which SciPy may write to no more."""
        import numpy as np

        found = self.space.backend.from_host(np.array(np.reshape(vector, -1), dtype=self.dtype))
        return found if str(self.space.device(found)) == str(self.device) else self.space.to_device(found, self.device)

    def tree(self, vector: Any) -> Any:
        """The tree that a vector stands for, with tensors where the first one had them."""
        leaves, structure = optree.tree_flatten(self.unravel(self.raw(vector)))
        return optree.tree_unflatten(
            structure, [wrap(x, None) if tensor else x for x, tensor in zip(leaves, self.tensors, strict=True)]
        )

    def host(self, tree: Any) -> Any:
        """The vector that stands for a tree, fetched from the backend in one piece."""
        flat = self.ravel(optree.tree_map(plain, tree))[0]
        # Of another backend than the parameters where these were lifted into it.
        return raw_space(flat).backend.to_host(flat)

    def doubles(self, tree: Any) -> Any:
        """The same in double precision."""
        import numpy as np

        return np.asarray(self.host(tree), dtype=np.float64)

    def on_vectors(self, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of trees as one of vectors, both on the host."""
        return lambda vector: self.doubles(f(self.tree(vector)))

    def jacobian(self, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function from a vector to the matrix of the derivative of `f` there, on the host."""
        import numpy as np

        matrix = jacobian(lambda v: self.ravel(f(self.unravel(v)))[0])

        def of_vector(vector: Any) -> Any:
            found = plain(matrix(self.raw(vector)))
            return np.asarray(raw_space(found).backend.to_host(found), dtype=np.float64)

        return of_vector


def _parameter(x: Any, place: str) -> Any:
    """A leaf of the parameters as a raw array."""
    if isinstance(x, (int, float, complex)) and not isinstance(x, bool):
        x = default_array(float(x) if isinstance(x, int) else x)
    if not isinstance(x, Array) and spaces.known(type(x)) is None:
        msg = f"parameters are arrays or numbers, got {place} of type {type(x).__name__}"
        raise ForeignArrayError(msg)
    if not carries(x):
        msg = (
            f"parameters are real or complex numbers, got {place} ({describe(x)}). Convert it to a floating "
            f"dtype, or pass it in args."
        )
        raise NotDifferentiableError(msg)
    return plain(x)


def _path(tree: Any, k: int) -> str:
    return "".join(f"[{key!r}]" for key in optree.tree_paths(tree)[k])


def plain(x: Any) -> Any:
    """The raw array of a value; a graph of the user's stays behind.

    Raises
    ------
    NotDifferentiableError
        If it belongs to a transformation, whose derivative would be lost.
    """
    while isinstance(x, Array):
        x = settled(x)
        if x.level is not None and x.level is not ROOT:
            msg = (
                f"a value that SciPy needs depends on what {x.level.name} differentiates or maps, and SciPy's steps "
                f"cannot be followed. For derivatives of a solution use agnograd.implicit, with this as the solver."
            )
            raise NotDifferentiableError(msg)
        x = x._array
    return x


def tuple_of(args: Any) -> tuple[Any, ...]:
    """Extra arguments as SciPy takes them: one that is no tuple stands for itself."""
    return args if isinstance(args, tuple) else (args,)
