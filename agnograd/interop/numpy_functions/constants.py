"""Functions whose results have no derivative: indices, truth values, shapes, new arrays."""

from __future__ import annotations

from typing import Any

from agnograd.interop.numpy_functions.registry import Function, as_array, constant, flat, masked, named


def _logical(name: str) -> Function:
    def logical(
        xp: Any, a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = None
    ) -> Any:
        return getattr(xp, name)(masked(xp, a, where, name == "all"), axis=axis, keepdims=keepdims)

    return logical


def _argument(name: str) -> Function:
    def argument(xp: Any, a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(xp, name)(as_array(xp, a), axis=axis, keepdims=keepdims)

    return argument


for _name in ("all", "any"):
    constant(_name)(_logical(_name))
for _name in ("argmax", "argmin"):
    constant(_name)(_argument(_name))


@constant("argsort")
def _argsort(xp: Any, a: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Any:
    return xp.argsort(flat(xp, a), axis=0) if axis is None else xp.argsort(as_array(xp, a), axis=axis)


@constant("nonzero")
def _nonzero(xp: Any, a: Any) -> Any:
    return xp.nonzero(as_array(xp, a))


@constant("count_nonzero")
def _count_nonzero(xp: Any, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return xp.count_nonzero(as_array(xp, a), axis=axis, keepdims=keepdims)


@constant("searchsorted")
def _searchsorted(xp: Any, a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    return xp.searchsorted(as_array(xp, a), as_array(xp, v), side=side, sorter=sorter)


@constant("isin")
def _isin(xp: Any, element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    return xp.isin(as_array(xp, element), as_array(xp, test_elements), invert=invert)


@constant("shape")
def _shape(xp: Any, a: Any) -> Any:
    return as_array(xp, a).shape


@constant("ndim")
def _ndim(xp: Any, a: Any) -> Any:
    return as_array(xp, a).ndim


@constant("size")
def _size(xp: Any, a: Any, axis: int | None = None) -> Any:
    a = as_array(xp, a)
    return a.size if axis is None else a.shape[axis]


def _like(name: str) -> Function:
    def like(
        xp: Any, a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
        device: Any = None,
    ) -> Any:  # fmt: skip
        a = as_array(xp, a)
        if shape is not None:
            return getattr(xp, name)(shape, dtype=a.dtype if dtype is None else dtype)
        return getattr(xp, f"{name}_like")(a, dtype=dtype)

    return like


for _name in ("zeros", "ones", "empty"):
    constant(f"{_name}_like")(_like(_name))


@named("full_like")
def _full_like(
    xp: Any, a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
    device: Any = None,
) -> Any:  # fmt: skip
    a = as_array(xp, a)
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    filled = xp.broadcast_to(as_array(xp, fill_value), shape)
    return xp.astype(filled, a.dtype if dtype is None else dtype)
