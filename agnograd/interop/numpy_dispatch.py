"""Which function of the table NumPy's own functions are, and what becomes of those that it does not have."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.conversions import carries_gradient
from agnograd.core.facts import describe, raw_space
from agnograd.core.nodes import classes, wrap
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import GradientLostError, UnsupportedError
from agnograd.interop.numpy_functions import CONSTANTS, FUNCTIONS, UFUNCS, by_name
from agnograd.interop.numpy_functions.registry import as_array
from agnograd.interop.numpy_functions.ufuncs import NAMES, REAL, accumulation, reduction

# Functions whose results have no derivative, which NumPy runs itself on the values.
ON_VALUES = frozenset((
    *("allclose", "argpartition", "argwhere", "array2string", "array_equal", "array_equiv", "array_repr", "array_str"),
    *("can_cast", "common_type", "diag_indices_from", "digitize", "einsum_path", "flatnonzero", "isclose", "iscomplex"),
    *("iscomplexobj", "isneginf", "isposinf", "isreal", "isrealobj", "lexsort", "linalg.matrix_rank"),
    *("may_share_memory", "min_scalar_type", "nanargmax", "nanargmin", "result_type", "shares_memory"),
    *("tril_indices_from", "triu_indices_from"),
))  # fmt: skip
# Ufuncs of that kind.
STEPS = frozenset(("spacing",))


def array_ufunc(self: Array, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """Run a NumPy ufunc, or one of its methods, as operations of the table."""
    if not options and method == "__call__":
        op = OPS.get(_name_in_table(ufunc))
        if op is not None:
            if type(self) is classes.plain:
                return op.call(*[_array(self, x) if type(x) in _SEQUENCES else x for x in inputs])
            # A plain array of the same library as a constant: operations are fastest on tensors throughout.
            plain = type(innermost(self))
            return op.call(*[wrap(x, None) if type(x) is plain else _array(self, x) for x in inputs])
    name = ufunc_name(ufunc)
    full = name if method == "__call__" else f"{name}.{method}"
    function = _ufunc(name, method)
    return _run(full, getattr(ufunc, method), function, self, inputs, options, on_values=name in STEPS)


def array_function(self: Array, function: Any, types: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Run a NumPy function as operations of the table."""
    name = full_name(function)
    found = FUNCTIONS.get(name) or CONSTANTS.get(name) or by_name(name)
    return _run(name, function, found, self, args, dict(options), on_values=name in ON_VALUES)


def _array(self: Array, x: Any) -> Any:
    return as_array(self.__array_namespace__(), x) if type(x) in _SEQUENCES else x


_SEQUENCES = frozenset((list, tuple))


@functools.lru_cache(maxsize=1024)
def _name_in_table(ufunc: Any) -> str:
    """The name of the operation that a ufunc is, argument for argument, if there is one; else an empty name."""
    name = ufunc_name(ufunc)
    return "" if name in UFUNCS else NAMES.get(name, name)


@functools.lru_cache(maxsize=1024)
def ufunc_name(ufunc: Any) -> str:
    """What the table knows a ufunc by; a name alone says nothing, anybody can make a ufunc that is called ``exp``."""
    name = str(ufunc.__name__)
    for library, prefix in (("numpy", ""), ("scipy.special", "special.")):
        if getattr(sys.modules.get(library), name, None) is ufunc:
            return prefix + name
    return f"ufunc {name!r} of another library"


@functools.lru_cache(maxsize=1024)
def full_name(function: Any) -> str:
    """A function's name, with ``linalg`` or ``fft`` in front where it belongs there; others may have NumPy's names."""
    module, name = str(function.__module__), str(function.__name__)
    if module in {"numpy", "numpy.linalg", "numpy.fft"} and getattr(sys.modules[module], name, None) is function:
        return name if module == "numpy" else f"{module[6:]}.{name}"
    return f"function {module}.{name}"


def status(name: str, ufunc: bool = False) -> str:
    """What becomes of a gradient: ``kept``, ``none`` where the result has no derivative, or ``raises``."""
    if ufunc:
        op = OPS.get(NAMES.get(name, name))
        if name in UFUNCS or (op is not None and op.connected):
            return "kept"
        return "none" if op is not None or name in STEPS else "raises"
    if name in FUNCTIONS:
        return "kept"
    op = OPS.get(name)
    if name in CONSTANTS or name in ON_VALUES or (op is not None and not op.connected):
        return "none"
    return "raises" if op is None else "kept"


# -- which function ----------------------------------------------------------------------------------------------------


def _ufunc(name: str, method: str) -> Callable[..., Any] | None:
    """What runs a ufunc's method on a namespace; None if the table does not have it."""
    if method == "reduce":
        return reduction(name)
    if method == "accumulate":
        return accumulation(name)
    function = UFUNCS.get(name) or by_name(NAMES.get(name, name))
    return None if function is None else _of_method(function, name, method)


@functools.lru_cache(maxsize=512)
def _of_method(function: Callable[..., Any], name: str, method: str) -> Callable[..., Any] | None:
    run = _METHODS.get(method)
    return None if run is None else functools.partial(run, function, name)


def _call(
    function: Callable[..., Any], name: str, xp: Any, *inputs: Any, dtype: Any = None, out: Any = None,
    where: Any = True,
) -> Any:  # fmt: skip
    inputs = tuple([x if isinstance(x, (int, float, complex)) else as_array(xp, x) for x in inputs])
    if name in UFUNCS:
        inputs = _arrays(xp, inputs)
    if dtype is not None:
        inputs = tuple([xp.astype(x, dtype) for x in _arrays(xp, inputs)])
    if name in REAL and any(xp.isdtype(x.dtype, "complex floating") for x in inputs if hasattr(x, "dtype")):
        msg = f"numpy.{name} takes real numbers, and got complex ones"
        raise TypeError(msg)
    ans = function(xp, *inputs)
    if where is True:
        return ans
    if out is None:
        # NumPy leaves such elements uninitialised.
        raise NotImplementedError
    return xp.where(where, ans, out[0])


def _arrays(xp: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Python numbers as arrays, in the floating dtype of the first array where that holds them."""
    like = next((x for x in inputs if hasattr(x, "dtype")), None)
    kinds = {float: ("real floating", "complex floating"), complex: "complex floating", int: "numeric", bool: "bool"}

    def array(x: Any) -> Any:
        if hasattr(x, "dtype"):
            return x
        fits = like is not None and xp.isdtype(like.dtype, kinds[type(x)])
        return xp.asarray(x, dtype=like.dtype) if fits and like is not None else xp.asarray(x)

    return tuple([array(x) for x in inputs])


def _outer(function: Callable[..., Any], name: str, xp: Any, a: Any, b: Any) -> Any:
    a, b = as_array(xp, a), as_array(xp, b)
    return function(xp, a[(..., *(None,) * b.ndim)], b)


def _at(function: Callable[..., Any], name: str, xp: Any, a: Any, indices: Any, b: Any = None) -> None:
    if name not in {"add", "subtract"} or not isinstance(a, Array):
        raise NotImplementedError
    spread = xp.broadcast_to(as_array(xp, b), a[indices].shape)
    a[...] = function(xp, a, xp.embed(spread, key=indices, shape=a.shape))


_METHODS: dict[str, Callable[..., Any]] = {"__call__": _call, "outer": _outer, "at": _at}


class _Parameters:
    """What a function of the table takes: binding a signature takes longer than a small operation."""

    def __init__(self, function: Callable[..., Any]) -> None:
        _, *parameters = inspect.signature(function).parameters.values()
        placed = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
        self.names = {p.name for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}}
        self.most = math.inf if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(placed)
        self.any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.out = next((i for i, p in enumerate(placed) if p.name == "out"), None)

    def unknown(self, args: Sequence[Any], options: Mapping[str, Any]) -> str:
        """Why a call does not fit; empty if it does."""
        names = [f"{k}=" for k in options if k not in self.names and not self.any_name]
        if names:
            return f"it takes no {', '.join(names)} here"
        return "" if len(args) <= self.most else f"it takes only {self.most} arguments by position here"


parameters_of: Callable[[Callable[..., Any]], _Parameters] = functools.lru_cache(maxsize=1024)(_Parameters)


# -- running it --------------------------------------------------------------------------------------------------------

# What asks for nothing that the results of the table are not: layout in memory, and casts that follow from a dtype.
_IGNORED = {
    "casting": ("same_kind", "safe", "equiv", "no"),
    "order": ("C", "K", "A"),
    "subok": (True, False),
    "like": (),
}


def _run(
    name: str,
    numpys: Callable[..., Any],
    function: Callable[..., Any] | None,
    self: Array,
    args: Sequence[Any],
    options: dict[str, Any],
    *,
    on_values: bool,
) -> Any:
    """A function of the table, or NumPy's own on values where no gradient would be lost."""
    given = {k: v for k, v in options.items() if type(v).__name__ != "_NoValueType"}
    if on_values:
        return _on_values(name, numpys, args, given)
    if function is None:
        _refuse_gradients(name, args, given, "there is no derivative for it")
        return _on_values(name, numpys, args, given)
    taken = parameters_of(function)
    kept = {
        k: v
        for k, v in given.items()
        if k in taken.names or (v is not None and not (k in _IGNORED and v in _IGNORED[k]))
    }
    why = taken.unknown(args, kept)
    out = kept.get("out")
    if out is None and taken.out is not None and len(args) > taken.out:
        out = args[taken.out]
    targets = out if isinstance(out, tuple) else () if out is None else (out,)
    if any(not isinstance(target, Array) for target in targets):
        why = why or "out= is a plain array"
    if why:
        _refuse_gradients(name, args, given, why)
        return _on_values(name, numpys, args, given)
    try:
        ans = function(self.__array_namespace__(), *args, **kept)
    except NotImplementedError as error:
        if type(error) is not NotImplementedError:
            raise
        _refuse_gradients(name, args, given, "there is no derivative for what these arguments ask for")
        return _on_values(name, numpys, args, given)
    if not targets:
        return ans
    for target, value in zip(targets, ans if isinstance(ans, tuple) else (ans,), strict=True):
        target[...] = value
    return targets[0] if len(targets) == 1 else targets


def wrappers(tree: Any) -> list[Array]:
    """All tensors and duals among arguments, inside sequences and dictionaries too."""
    if isinstance(tree, Array):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if not isinstance(tree, (list, tuple)):
        return []
    return [x for item in tree for x in wrappers(item)]


def _refuse_gradients(name: str, args: Sequence[Any], options: dict[str, Any], why: str) -> None:
    """Raise if one of the arguments carries a gradient.

    Raises
    ------
    GradientLostError
        With the reason.
    """
    for x in wrappers([args, options]):
        value = settled(x)
        if carries_gradient(value):
            msg = (
                f"an array that carries a gradient cannot be given to {_shown(name)} ({describe(value)}): {why}, and "
                f"the gradient would be lost. Write it with functions of agnograd or of x.__array_namespace__(), or "
                f"use detach() where no gradient is needed. If a library asked for it, it may need SCIPY_ARRAY_API=1 "
                f"(SciPy) or array_api_dispatch=True (scikit-learn) to work on tensors."
            )
            raise GradientLostError(msg)


def _shown(name: str) -> str:
    return name if " " in name else f"scipy.{name}" if name.startswith("special.") else f"numpy.{name}"


def _on_values(name: str, function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
    """NumPy's function on the arrays inside tensors, its arrays as tensors."""
    for x in wrappers([args, options]):
        if raw_space(settled(x)).name != "numpy":
            msg = (
                f"{_shown(name)} runs on NumPy's arrays, and got a tensor of another library ({describe(settled(x))}). "
                f"Use agnograd.to_backend(x, 'numpy') first, or a function of x.__array_namespace__()."
            )
            raise UnsupportedError(msg)
    ans = function(*_plain(args), **_plain(options))
    # Where NumPy wrote into plain arrays, it returns these.
    return ans if options.get("out") is not None else _wrapped(ans)


def _plain(x: Any) -> Any:
    if isinstance(x, Array):
        raw = innermost(settled(x))
        return raw_space(raw).backend.expose(raw)
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    if type(x) in {list, tuple}:
        return type(x)(_plain(v) for v in x)
    return x


def _wrapped(x: Any) -> Any:
    if hasattr(x, "dtype") and hasattr(x, "shape") and getattr(x.dtype, "kind", "") in {"b", "i", "u", "f", "c"}:
        return wrap(x, None)
    if type(x) in {list, tuple}:
        return type(x)(_wrapped(v) for v in x)
    return x
