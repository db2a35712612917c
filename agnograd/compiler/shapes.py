"""Shapes and dtypes of results, found without computing them.

Shapes follow from rules for what is common and may be large. Dtypes, and all of the rest, the backend's own function
tells, called on small arrays of the same dtypes, or on ones that stand for the arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from agnograd.compiler.program import Var, frozen, name_of, substitute, variables
from agnograd.core.batching import elements
from agnograd.core.formulas import broadcast_shapes
from agnograd.core.table import OPS, Space
from agnograd.errors import TraceError

Array = Any
# What one result is: shape and dtype.
Fact = tuple[tuple[int, ...], Any]

# Elements up to which a function may be called on stand-ins of the size of its arguments.
_SMALL = 1 << 12

# Their results are views: arrays without memory of their own show what becomes of a shape.
_VIEWS = frozenset(
    (
        *("reshape", "permute_dims", "expand_dims", "squeeze", "moveaxis", "flip", "matrix_transpose", "broadcast_to"),
        *("unstack", "linalg.diagonal", "linalg.matrix_transpose", "real", "imag", "broadcast_arrays"),
    )
)
_REDUCTIONS = frozenset(("sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin"))
_SAME = frozenset(
    (
        *("sort", "argsort", "tril", "triu", "roll", "copy", "cumulative_sum", "cumulative_prod"),
        *("fft.fft", "fft.ifft", "fft.fftshift", "fft.ifftshift"),
    )
)
# The result is like the first argument.
_WRITES = frozenset(("set", "add_into", "scatter_add", "settle"))

# Shapes that depend on values.
_UNKNOWN = frozenset(("nonzero", "unique_values", "unique_counts", "unique_inverse", "unique_all", "repeat"))


@cache
def is_elementwise(name: str) -> bool:
    """Whether an operation acts on elements that broadcast."""
    op = OPS.get(name)
    if op is None:
        return name in ("clip", "defined_where")
    return (op.tier == "elementwise" or op.batch is elements) and not name.endswith("_like")


def results(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """What a call returns: a `Fact`, or a tuple of them, in a container of the type that the function returns.

    Raises
    ------
    TraceError
        If a shape depends on values.
    """
    _check_known(name, args, params)
    rule = _rule(name, args, params)
    return (rule or _stood_in)(space, name, args, params)


def _check_known(name: str, args: Sequence[Any], params: dict[str, Any]) -> None:
    masks = _masks(params["key"] if "key" in params else args[1] if len(args) > 1 else ()) if name == "getitem" else ()
    counted = name == "repeat" and not isinstance(params.get("repeats", args[-1]), Var)
    if masks or (name in _UNKNOWN and not counted):
        what = "an index that is a mask" if masks else name
        msg = (
            f"the shape of {what} depends on values, and a compiled function has fixed shapes. Write where() and "
            f"reductions over all elements, or let agnograd.compile(f, fallback=True) run it as it is."
        )
        raise TraceError(msg)


def _masks(key: Any) -> list[Any]:
    return [k for k in (key if type(key) is tuple else (key,)) if isinstance(k, Var) and "bool" in name_of(k.dtype)]


Rule = Callable[[Space, str, Sequence[Any], dict[str, Any]], Any]


def _rule(name: str, args: Sequence[Any], params: dict[str, Any]) -> Rule | None:
    if is_elementwise(name):
        return _elementwise
    if name in _REDUCTIONS:
        return _reduced
    if name in _VIEWS or (name == "getitem" and not _is_array_index(args, params)):
        return _viewed
    if name in _WRITES or (name in _SAME and not params.get("include_initial") and params.get("n") is None):
        return _like_first
    large = sum(v.size for v in variables((args, params))) > _SMALL
    return _LARGE.get(name) if large else None


def _is_array_index(args: Sequence[Any], params: dict[str, Any]) -> bool:
    key = params["key"] if "key" in params else args[1]
    return any(isinstance(k, (Var, list)) or hasattr(k, "shape") for k in (key if type(key) is tuple else (key,)))


def _elementwise(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    shapes = {v.shape for v in variables((tuple(args), params))}
    shape = next(iter(shapes)) if len(shapes) == 1 else broadcast_shapes(*shapes)
    return tuple(shape), _dtype(space, name, args, params)  # type: ignore[arg-type]


_dtypes: dict[Any, Any] = {}


def _dtype(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """The dtype of the result, from arrays of one element."""

    def kind(v: Any) -> Any:
        return ("dtype", name_of(v.dtype))

    key: tuple[Any, ...]
    if not params and all(type(x) is Var for x in args):
        key = (space.name, name, *[name_of(v.dtype) for v in args])
    else:
        key = (space.name, name, frozen(substitute(tuple(args), kind)), frozen(substitute(params, kind)))
    found = _dtypes.get(key)
    if found is None:
        found = _call(space, name, args, params, lambda v: _ones(space, (1,) * len(v.shape), v)).dtype
        if len(_dtypes) > 10_000:
            _dtypes.clear()
        _dtypes[key] = found
    return found


def _reduced(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    x = args[0]
    given = {**dict(zip(("axis",), args[1:], strict=False)), **params}
    axis, keepdims = given.get("axis"), given.get("keepdims", False)
    n = len(x.shape)
    axes = range(n) if axis is None else [a % n for a in ((axis,) if isinstance(axis, int) else axis)]
    shape = [1 if i in axes else m for i, m in enumerate(x.shape)]
    if not keepdims:
        shape = [m for i, m in enumerate(shape) if i not in axes]
    return tuple(shape), _dtype(space, name, args, params)


def _viewed(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    return _as_facts(_call(space, name, args, params, lambda v: _flat(space, v)))


def _like_first(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    x = args[0]
    if name in _WRITES or name in ("sort", "tril", "triu", "roll", "copy"):
        return x.shape, x.dtype
    return x.shape, _dtype(space, name, args, params)


def _taken(_: Space, _name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    x, indices = args[:2]
    axis = params.get("axis", args[2] if len(args) > 2 else None)
    a = 0 if axis is None else axis % len(x.shape)
    return (*x.shape[:a], *indices.shape, *x.shape[a + 1 :]), x.dtype


def _multiplied(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    x, y = args
    dtype = _dtype(space, "multiply", args, {})
    if len(x.shape) == 1 or len(y.shape) == 1:
        small = _call(space, name, args, params, lambda v: _flat(space, v)) if _cheap(x, y) else None
        if small is not None:
            return tuple(small.shape), dtype
        if len(x.shape) == 1 == len(y.shape):
            return (), dtype
        if len(x.shape) == 1:
            return (*y.shape[:-2], y.shape[-1]), dtype
        return x.shape[:-1], dtype
    _check_equal(x.shape[-1], y.shape[-2], name, x, y)
    lead = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return (*lead, x.shape[-2], y.shape[-1]), dtype


def _cheap(*operands: Var) -> bool:
    return sum(v.size for v in operands) <= _SMALL


def _check_equal(m: int, n: int, name: str, x: Var, y: Var) -> None:
    if m != n:
        msg = f"{name} got arrays of shapes {x.shape} and {y.shape}, which do not fit"
        raise ValueError(msg)


def _joined(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Fact:
    arrays = list(args[0])
    axis = params.get("axis", args[1] if len(args) > 1 else 0)
    dtype = _dtype(space, "stack", (arrays,), {}) if len({name_of(x.dtype) for x in arrays}) > 1 else arrays[0].dtype
    if name == "stack":
        shape = list(arrays[0].shape)
        shape.insert(axis % (len(shape) + 1), len(arrays))
    else:
        if axis is None:
            return (sum(x.size for x in arrays),), dtype
        shape = list(arrays[0].shape)
        shape[axis % len(shape)] = sum(x.shape[axis] for x in arrays)
    return tuple(shape), dtype


def _like_square(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    x = args[0]
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        return _stood_in(space, name, args, params)
    return x.shape, _dtype(space, name, args, params)


def _solved(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    a, b = args
    fits = type(a) is Var and type(b) is Var and len(a.shape) >= 2 and a.shape[-1] == a.shape[-2]
    if not fits or not b.shape or a.shape[-1] != b.shape[max(len(b.shape) - 2, 0)]:
        return _stood_in(space, name, args, params)
    dtype = _dtype(space, name, args, params)
    if len(b.shape) == 1:
        return a.shape[:-1], dtype
    return (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), dtype


_LARGE: dict[str, Rule] = {
    "linalg.cholesky": _like_square,
    "linalg.inv": _like_square,
    "linalg.solve": _solved,
    "matmul": _multiplied,
    "linalg.matmul": _multiplied,
    "take": _taken,
    "concat": _joined,
    "stack": _joined,
}


# -- stand-ins -------------------------------------------------------------------------------------------------------


def _call(
    space: Space, name: str, args: Sequence[Any], params: dict[str, Any], stand_in: Callable[[Var], Array]
) -> Any:
    import numpy as np  # NumPy is there in any case

    function = function_of(space, name)
    with np.errstate(all="ignore"):
        return function(*substitute(tuple(args), stand_in), **substitute(params, stand_in))


def function_of(space: Space, name: str) -> Callable[..., Any]:
    """The function of a step; those that write return another array."""
    if name == "set":
        return lambda x, key, value: space.set(space.copy(x), key, value)
    if name == "add_into":
        return lambda x, value, key: space.add_into(space.copy(x), value, key)
    if name == "astype" and "astype" not in space.kernels:
        return space.module.astype  # type: ignore[no-any-return]
    found: Any = space
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _ones(space: Space, shape: tuple[int, ...], v: Var) -> Array:
    return space.ones(shape, dtype=v.dtype, device=v.device)


def _flat(space: Space, v: Var) -> Array:
    """An array of the shape of a variable which, if the backend can, has one element."""
    return space.broadcast_to(space.zeros((), dtype=v.dtype, device=v.device), v.shape)


def _stand_in(space: Space, name: str) -> Callable[[Var], Array]:
    """An array with which a function can be expected to do something: zeros as indices, unit matrices, ones."""

    def stand_in(v: Var) -> Array:
        if not space.isdtype(v.dtype, ("real floating", "complex floating")):
            return space.zeros(v.shape, dtype=v.dtype, device=v.device)
        if name.startswith("linalg.") and len(v.shape) >= 2:
            unit = space.eye(*v.shape[-2:], dtype=v.dtype, device=v.device)
            return space.copy(space.broadcast_to(unit, v.shape))
        return _ones(space, v.shape, v)

    return stand_in


def _stood_in(space: Space, name: str, args: Sequence[Any], params: dict[str, Any]) -> Any:
    return _as_facts(_call(space, name, args, params, _stand_in(space, name)))


def _as_facts(ans: Any) -> Any:
    if isinstance(ans, (tuple, list)):
        items = [_as_facts(x) for x in ans]
        return type(ans)(*items) if hasattr(ans, "_fields") else tuple(items)
    shape = tuple(ans.shape)
    if any(is_unknown(n) for n in shape):
        msg = "a shape that the backend does not know cannot be compiled. Compute chunk sizes first."
        raise TraceError(msg)
    return shape, ans.dtype


def is_unknown(n: Any) -> bool:
    """Whether a size is not known: None, or the NaN of a lazy backend."""
    return n is None or bool(n != n)  # noqa: PLR0124


def nbytes(v: Var) -> int:
    """Bytes of a variable; eight an element where the dtype does not tell."""
    return math.prod(v.shape) * getattr(v.dtype, "itemsize", 8)
