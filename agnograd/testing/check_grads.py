"""JAX's ``check_grads``: derivatives of any order, in both modes, against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from agnograd.autograd.hosts import compute, kind, like, pairs
from agnograd.core.array import Array, innermost
from agnograd.core.facts import short
from agnograd.core.nodes import wrap
from agnograd.core.operands import default_array
from agnograd.core.views import settled
from agnograd.errors import GradcheckError
from agnograd.transforms import jvp, vjp

Function = Callable[..., Any]

MODES = ("fwd", "rev")
# What derivatives may differ by from differences with the step below, by the dtype of the result.
TOLERANCES = {"float64": 1e-5, "complex128": 1e-5, "float32": 5e-3, "complex64": 5e-3}
STEP = 1e-4


def check_grads(
    f: Function,
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = MODES,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check the derivatives of a function up to some order.

    Along random directions, forward mode is compared with central differences of the function, and reverse mode with
    these and a random cotangent. For the next order, the same is done with the function that the mode made.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    args : sequence
        Its arguments. Arrays of integers or booleans stay constant.
    order : int
        The highest order.
    modes : sequence of str
        ``"fwd"``, ``"rev"`` or both: then second order is checked for all four pairs of modes.
    atol, rtol : float, optional
        Allowed difference, absolute and relative; 1e-5 by default, 5e-3 in single precision.
    eps : float, optional
        Step of the differences, 1e-4 by default.

    Raises
    ------
    GradcheckError
        If a derivative is wrong; the message names the modes that led to it.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.testing import check_grads
    >>> check_grads(lambda x: ag.sum(ag.exp(x) * x), (ag.tensor([1.0, 2.0]),), order=3)
    >>> check_grads(lambda x: x * ag.stop_gradient(x), (ag.tensor(2.0),), order=1, modes=("rev",))
    Traceback (most recent call last):
        ...
    agnograd.errors.GradcheckError: rev: the derivative along a direction ...
    """
    unknown = [m for m in ((modes,) if isinstance(modes, str) else modes) if m not in MODES]
    if unknown or isinstance(modes, str):
        msg = f"modes are a sequence of {' and '.join(map(repr, MODES))}, got {modes!r}"
        raise ValueError(msg)
    limits = _Limits(atol, rtol, STEP if eps is None else eps)
    given: Any = tuple(args)
    arrays = optree.tree_map(_as_array, given)
    if not any(map(_is_float, _flat(arrays))):
        msg = "check_grads needs an argument of real or complex numbers to vary"
        raise ValueError(msg)
    _check(f, arrays, order, tuple(modes), limits, "")


class _Limits:
    """Steps, and what may differ."""

    def __init__(self, atol: float | None, rtol: float | None, eps: float) -> None:
        self.atol = atol
        self.rtol = rtol
        self.eps = eps

    def agree(self, name: str, found: Sequence[Any], expected: Sequence[Any], dtype: str) -> None:
        """Compare lists of values on the host."""
        import numpy as np

        atol, rtol = (TOLERANCES[dtype] if limit is None else limit for limit in (self.atol, self.rtol))
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            wrong = ~(abs(a - b) <= atol + rtol * abs(b))
            if np.any(wrong):
                msg = (
                    f"{name} of output {i} is not that of finite differences: {int(np.sum(wrong))} of {wrong.size} "
                    f"entries differ, by up to {np.max(abs(a - b)):.2g} where entries are up to {np.max(abs(b)):.2g} "
                    f"(atol {atol:.2g}, rtol {rtol:.2g})"
                )
                raise GradcheckError(msg)


def _check(f: Function, args: Any, order: int, modes: tuple[str, ...], limits: _Limits, inner: str) -> None:
    for mode in modes:
        name = f"{mode} of {inner}" if inner else mode
        if mode == "fwd":
            _check_forward(f, args, limits, name)
        else:
            _check_reverse(f, args, limits, name)
        if order > 1:
            g, arguments = (_ahead(f), (args, args)) if mode == "fwd" else (_back(f), args)
            _check(g, arguments, order - 1, modes, limits, name)


def _ahead(f: Function) -> Function:
    def tangent(primals: Any, tangents: Any) -> Any:
        directions: Any = optree.tree_map(_moving, tangents)
        return jvp(f, primals, directions)

    return tangent


def _back(f: Function) -> Function:
    def pulled(*args: Any) -> Any:
        value, pullback = vjp(f, *args)
        return pullback(value)

    return pulled


def _check_forward(f: Function, args: Any, limits: _Limits, name: str) -> None:
    direction = _random_like(args, 0)
    value, tangent = jvp(f, args, direction)
    plain, found, (low, high) = compute((f(*args), tangent, _moved(f, args, direction, limits.eps)))
    dtype = _dtype(args)
    limits.agree(f"{name}: the value", _flat(compute(value)), _flat(plain), dtype)
    limits.agree(f"{name}: the derivative along a direction", _flat(found), _slope(low, high, limits.eps), dtype)


def _check_reverse(f: Function, args: Any, limits: _Limits, name: str) -> None:
    import numpy as np

    direction = _random_like(args, 1)
    value, pullback = vjp(f, *args)
    cotangent = _random_like(value, 2)
    found = pullback(cotangent)
    plain, same, w, v, g, (low, high) = compute(
        (f(*args), value, cotangent, direction, found, _moved(f, args, direction, limits.eps))
    )
    dtype = _dtype(args)
    limits.agree(f"{name}: the value", _flat(same), _flat(plain), dtype)
    # <v, vjp(w)> = <jvp(v), w>, for the real inner product of pairs of reals.
    got = sum(pairs(a) @ pairs(b) for a, b in zip(_flat(v), _flat(g), strict=True))
    slopes = _slope(low, high, limits.eps)
    expected = sum(pairs(a) @ pairs(b) for a, b in zip(slopes, _flat(w), strict=True))
    limits.agree(f"{name}: the derivative along a direction", [np.asarray(got)], [np.asarray(expected)], dtype)


# -- trees -------------------------------------------------------------------------------------------------------------


def _as_array(x: Any) -> Any:
    if isinstance(x, (int, float, complex)) and not isinstance(x, bool):
        return default_array(float(x) if isinstance(x, int) else x)
    return x


def _moving(x: Any) -> Any:
    return x if _is_float(x) else None


def _is_float(x: Any) -> bool:
    return hasattr(x, "dtype") and kind(x) in "fc"


def _random_like(tree: Any, seed: int) -> Any:
    """Random arrays in the place of those of a tree; None for constants."""
    import numpy as np

    generator = np.random.default_rng(seed)

    def draw(x: Any) -> Any:
        raw = innermost(settled(x))
        if not _is_float(raw):
            return None
        host = generator.uniform(-1, 1, tuple(raw.shape))
        return like(raw, host + 1j * generator.uniform(-1, 1, host.shape) if kind(raw) == "c" else host)

    return optree.tree_map(draw, tree)


def _moved(f: Function, args: Any, direction: Any, eps: float) -> tuple[Any, Any]:
    """The values of a function at two points, a step away on either side."""
    # None is an argument as well as the direction of a constant.
    found, structure = optree.tree_flatten(args, none_is_leaf=True)
    steps = optree.tree_leaves(direction, none_is_leaf=True)
    origin, ways = compute((found, steps))

    def at(sign: int) -> Any:
        moved = [x if w is None else _like(x, h + sign * eps * w) for x, h, w in zip(found, origin, ways, strict=True)]
        return f(*optree.tree_unflatten(structure, moved))

    return at(-1), at(1)


def _like(x: Any, host: Any) -> Any:
    made = like(innermost(settled(x)), host)
    return wrap(made, None) if isinstance(x, Array) else made


def _slope(low: Any, high: Any, eps: float) -> list[Any]:
    return [(b - a) / (2 * eps) for a, b in zip(_flat(low), _flat(high), strict=True) if a.dtype.kind in "fc"]


def _flat(tree: Any) -> list[Any]:
    return list(optree.tree_leaves(tree))


def _dtype(args: Any) -> str:
    """The least precise dtype among the arguments."""
    dtypes = [short(x.dtype) for x in _flat(args) if _is_float(x)]
    return max(dtypes, key=TOLERANCES.__getitem__)
