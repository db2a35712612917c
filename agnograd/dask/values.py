"""What is inside of tensors, and results in the form that arguments had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core.array import Array
from agnograd.core.custom import is_array
from agnograd.core.facts import describe, raw_space
from agnograd.core.level import ROOT
from agnograd.core.nodes import Reverse, is_leaf, wrap
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import EscapedError


def is_dask(x: Any) -> bool:
    """Whether a raw value is an array of dask."""
    space = spaces.known(type(x))
    return space is not None and space.name == "dask"


def raw(x: Any) -> Any:
    """The array inside of all wrappers; anything else as it is."""
    if not isinstance(x, Array):
        return plain(x)
    while isinstance(x, Array):
        x = settled(x)._array
    return plain(x)


def plain(x: Any) -> Any:
    """A raw value; a cotangent of dask that is not built yet as an array."""
    if not is_dask(x):
        return x
    from agnograd.backends import dask_cotangents

    return dask_cotangents.plain(x)


def computable(x: Any) -> Any:
    """The array of what is to be computed now.

    Raises
    ------
    EscapedError
        If it belongs to a transformation, which has more to do with it.
    """
    x = settled(x) if isinstance(x, Array) else x
    level = x.level if isinstance(x, Array) else None
    if level is not None and level is not ROOT:
        msg = (
            f"a value of {level.name!r} was to be computed within it ({describe(x)}): the transformation may have more "
            f"to do with it. Return it from the function, and compute the result."
        )
        raise EscapedError(msg)
    return raw(x)


def finished(values: Sequence[Any]) -> list[Any]:
    """The same values, with lazy arrays in the form in which they are computed together."""
    lazy = [x for x in values if is_dask(x)]
    finish = spaces[type(lazy[0])].finish if lazy else None
    found = iter(lazy if finish is None else finish(lazy))
    return [next(found) if is_dask(x) else x for x in values]


def computed(x: Any, like: Any) -> Any:
    """A value that was computed: an array, as a tensor where what stood for it was one."""
    if not is_array(x):
        return x
    # Numbers of NumPy stand for arrays of no axes.
    x = raw_space(x).asarray(x)
    return wrap(x, None) if isinstance(like, Array) else x


def dressed(x: Any, like: Any) -> Any:
    """A raw array as another one is: plain, or a tensor, which may require grad."""
    if not isinstance(like, Array):
        return x
    tensor = wrap(x, None)
    return tensor.requires_grad_() if requires_grad(like) else tensor


def requires_grad(x: Any) -> bool:
    """Whether it is a leaf of the user's graph that has a gradient."""
    return isinstance(x, Reverse) and x._node is not None and is_leaf(x._node)
