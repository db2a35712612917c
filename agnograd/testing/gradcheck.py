"""Derivatives checked against finite differences, and against one another.

Everything is tested along random directions: for a real argument one, for a complex one a real and an imaginary one.
Complex numbers are pairs of reals here, with the inner product ``<a, b> = Re sum(conj(a) b)``. The gradient of a real
loss L is ``dL/dRe + i dL/dIm``, so that it is the ordinary gradient of those pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import optree

from agnograd.autograd.hosts import compute, hosts, kind, like
from agnograd.core.array import innermost
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import GradcheckError
from agnograd.transforms import jvp, vjp

Array = Any
Function = Callable[..., Any]
Guard = Callable[[], AbstractContextManager[Any]]


def gradcheck(
    f: Function,
    args: Sequence[Any],
    *,
    order: int = 2,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
) -> None:
    """Check the derivatives of a function at a point, in reverse and in forward mode.

    Parameters
    ----------
    f : callable
        Function of arrays to an array, or a tree of arrays.
    args : sequence of array or Tensor
        Its arguments, in double precision. Python numbers, and arrays of integers or booleans, stay constant.
    order : int
        1, or 2 for second derivatives in all four pairs of modes, too.
    rtol, atol : float
        Allowed difference, relative to the size of the terms that are summed and absolute.
    seed : int
        Seed of the directions.

    Raises
    ------
    GradcheckError
        If two ways to a derivative disagree, or a gradient has another shape, dtype or device than its argument.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.testing import gradcheck
    >>> gradcheck(lambda x: ag.sum(ag.exp(x) * x), [ag.tensor([1.0, 2.0])])
    >>> gradcheck(lambda x: x * ag.stop_gradient(x), [ag.tensor([1.0, 2.0])])
    Traceback (most recent call last):
        ...
    agnograd.errors.GradcheckError: reverse mode: ...
    """
    point = [innermost(settled(x)) for x in args]
    floats = [i for i, x in enumerate(point) if hasattr(x, "dtype") and kind(x) in "fc"]

    def g(*primals: Any) -> Any:
        arguments = list(args)
        for i, x in zip(floats, primals, strict=True):
            arguments[i] = x
        return f(*arguments)

    primals = [point[i] for i in floats]
    check_first_order(g, primals, rtol=rtol, atol=atol, seed=seed)
    if order > 1:
        check_second_order(g, primals, rtol=rtol, atol=atol, seed=seed)


def check_first_order(
    f: Function,
    primals: Sequence[Array],
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
    passes: Guard = nullcontext,
    rules: Guard = nullcontext,
) -> None:
    """VJP and JVP against central differences, and against each other.

    Parameters
    ----------
    f : callable
        Function of the primals.
    primals : sequence of array
        Raw arrays with real or complex dtypes, in double precision.
    rtol, atol : float
        As in `gradcheck`.
    seed : int
        As in `gradcheck`.
    passes, rules : callable
        Context managers under which whole passes run, and those parts in which only derivative rules run.

    Raises
    ------
    GradcheckError

    Examples
    --------
    >>> import agnograd as ag
    >>> import numpy as np
    >>> from agnograd.testing import check_first_order
    >>> check_first_order(lambda x: ag.sin(x) * x, [np.asarray([0.5, 2.0])])
    """
    with passes():
        value, pullback = vjp(f, *primals)
    outputs = leaves(value)
    draw = _directions(seed)
    cotangent = [draw(y) for y in outputs]
    given = rebuild(value, [like(y, w) for y, w in zip(outputs, cotangent, strict=True)])
    with passes(), rules():
        gradients = pullback(given)
    check_kept(gradients, primals)
    origin = hosts(primals)
    directions = _real_and_imaginary([draw(x) for x in primals])
    ahead = []
    moved = []
    for direction in directions:
        tangents = [like(x, v) for x, v in zip(primals, direction, strict=True)]
        with passes(), rules():
            same, tangent = jvp(f, tuple(primals), tuple(tangents))
        check_kept(leaves(tangent), leaves(same))
        ahead.append(leaves(tangent))
        moved.append([leaves(f(*x)) for x in _moved(primals, origin, direction)])
    # Lazy arrays are computed once, all together.
    values, found, ahead, moved = compute((outputs, list(gradients), ahead, moved))
    # Where a value has single precision, so have its differences.
    epsilon = max([0.0, *(_epsilon(y) for y in outputs)])
    rtol = max(rtol, 4 * epsilon / _STEP)
    for direction, tangents, points in zip(directions, ahead, moved, strict=True):
        forward = _inner(cotangent, tangents)
        reverse = _inner(direction, found)
        expected = _inner(cotangent, _difference(points))
        scale = _size(cotangent, values) + _size(direction, found)
        _agree("reverse mode", reverse, "finite differences", expected, rtol * scale + atol)
        _agree("forward mode", forward, "reverse mode", reverse, max(1e-11, 16 * epsilon) * scale + 1e-13)


def check_second_order(
    f: Function,
    primals: Sequence[Array],
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
    passes: Guard = nullcontext,
) -> None:
    """Second derivatives in the four pairs of modes against differences of the first, and against one another.

    Parameters and errors are those of `check_first_order`.

    Examples
    --------
    >>> import agnograd as ag
    >>> import numpy as np
    >>> from agnograd.testing import check_second_order
    >>> check_second_order(lambda x: ag.sin(x) * x, [np.asarray([0.5, 2.0])])
    """
    value = f(*primals)
    outputs = [innermost(settled(y)) for y in leaves(value)]
    draw = _directions(seed + 1)
    cotangent = [draw(y) for y in outputs]
    direction, other = ([draw(x) for x in primals] for _ in range(2))
    count = len(primals)
    x = tuple(primals)
    v = tuple(like(p, d) for p, d in zip(primals, direction, strict=True))
    u = tuple(like(p, d) for p, d in zip(primals, other, strict=True))
    w = tuple(like(y, c) for y, c in zip(outputs, cotangent, strict=True))

    def gradient(*args: Any) -> tuple[Any, ...]:
        """Of <w, f(x)> with respect to x; a function of x and w."""
        return vjp(f, *args[:count])[1](rebuild(value, list(args[count:])))  # type: ignore[no-any-return]

    def slope(*args: Any) -> Any:
        """Of f along v."""
        return jvp(f, args, v)[1]

    with passes():
        _, pullback = vjp(gradient, *x, *w)
        twice_back = pullback(v)
        forward_of_back = jvp(lambda *args: gradient(*args, *w), x, v)[1]
        _, pullback = vjp(slope, *x)
        back_of_forward = pullback(rebuild(value, list(w)))
        twice_forward = leaves(jvp(slope, x, u)[1])
        first_slope = leaves(slope(*x))
    for found in (twice_back[:count], forward_of_back, back_of_forward):
        check_kept(found, primals)
    check_kept(twice_forward, outputs)

    moved = [list(gradient(*y, *w)) for y in _moved(primals, hosts(primals), direction)]
    twice_back, reference, back_of_forward, twice_forward, first_slope, moved = compute(
        (list(twice_back), list(forward_of_back), list(back_of_forward), twice_forward, first_slope, moved)
    )
    expected = _difference(moved)
    scale = 1 + _largest([*expected, *reference])
    for a, b in zip(reference, expected, strict=True):
        _agree_all("forward over reverse mode", a, "finite differences", b, rtol * scale + atol)
    for name, result in (("reverse over reverse mode", twice_back[:count]), ("reverse over forward", back_of_forward)):
        for a, b in zip(result, reference, strict=True):
            _agree_all(name, a, "forward over reverse mode", b, 1e-10 * scale)
    for a, b in zip(twice_back[count:], first_slope, strict=True):
        _agree_all("the gradient's derivative by its cotangent", a, "forward mode", b, 1e-10 * (1 + _largest([b])))
    _agree(
        "forward over forward mode", _inner(cotangent, twice_forward),
        "forward over reverse mode", _inner(other, reference),
        1e-10 * (_size(cotangent, twice_forward) + _size(other, reference) + scale),
    )  # fmt: skip


def check_kept(results: Sequence[Any], arrays: Sequence[Any]) -> None:
    """Each result has the shape, dtype and device of its array, and is on its backend.

    Raises
    ------
    GradcheckError
    """
    for i, (result, x) in enumerate(zip(results, arrays, strict=True)):
        got, wanted = _spec(result), _spec(x)
        if got != wanted:
            msg = f"result {i} has shape, dtype, device and backend {got}, it should have {wanted}"
            raise GradcheckError(msg)


# -- arrays ------------------------------------------------------------------------------------------------------------


def leaves(value: Any) -> list[Any]:
    """The arrays of a result."""
    return list(optree.tree_leaves(value))


def rebuild(value: Any, arrays: list[Any]) -> Any:
    """Arrays in the structure of `value`."""
    return optree.tree_unflatten(optree.tree_structure(value), arrays)


def _spec(x: Any) -> tuple[Any, ...]:
    raw = innermost(settled(x))
    space = spaces[type(raw)]
    return tuple(raw.shape), str(raw.dtype), str(space.device(raw)), space.name


def _epsilon(x: Any) -> float:
    raw = innermost(settled(x))
    return float(spaces[type(raw)].module.finfo(raw.dtype).eps)


# -- numbers -----------------------------------------------------------------------------------------------------------


def _directions(seed: int) -> Callable[[Array], Any]:
    import numpy as np

    generator = np.random.default_rng(seed)

    def draw(x: Any) -> Any:
        raw = innermost(settled(x))
        out = generator.uniform(-1, 1, tuple(raw.shape))
        return out + 1j * generator.uniform(-1, 1, out.shape) if kind(raw) == "c" else out

    return draw


def _real_and_imaginary(direction: list[Any]) -> list[list[Any]]:
    if not any(v.dtype.kind == "c" for v in direction):
        return [direction]
    real = [v.real + 0j if v.dtype.kind == "c" else v for v in direction]
    imaginary = [1j * v.imag if v.dtype.kind == "c" else 0 * v for v in direction]
    return [real, imaginary]


def _inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    import numpy as np

    return math.fsum(float(np.sum(np.real(np.conj(x) * y))) for x, y in zip(a, b, strict=True))


def _size(a: Sequence[Any], b: Sequence[Any]) -> float:
    """What the terms of an inner product amount to: rounding errors are relative to that."""
    import numpy as np

    return math.fsum(float(np.sum(abs(x) * abs(y))) for x, y in zip(a, b, strict=True))


def _largest(arrays: Sequence[Any]) -> float:
    return max([0.0, *(float(abs(x).max()) for x in arrays if x.size)])


# Steps of a central difference of fourth order, with which rounding and truncation stay below 1e-10.
_STEP = 1e-3
_WEIGHTS = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))


def _moved(primals: Sequence[Array], origin: Sequence[Any], direction: Sequence[Any]) -> list[list[Array]]:
    """The points on a line through `origin` at which a function is evaluated for its difference."""
    return [
        [like(x, h + steps * _STEP * v) for x, h, v in zip(primals, origin, direction, strict=True)]
        for steps, _ in _WEIGHTS
    ]


def _difference(points: Sequence[Sequence[Any]]) -> list[Any]:
    """The derivative along the line, from the values at the points of `_moved`."""
    weighted = [[weight / _STEP * y for y in values] for (_, weight), values in zip(_WEIGHTS, points, strict=True)]
    return [sum(terms[1:], terms[0]) for terms in zip(*weighted, strict=True)]


def _agree(name: str, got: float, other: str, expected: float, tolerance: float) -> None:
    if not abs(got - expected) <= tolerance:
        msg = (
            f"{name}: {got!r}, {other}: {expected!r}; they differ by {abs(got - expected):.2g}, allowed {tolerance:.2g}"
        )
        raise GradcheckError(msg)


def _agree_all(name: str, got: Any, other: str, expected: Any, tolerance: float) -> None:
    difference = _largest([got - expected])
    if not difference <= tolerance:
        msg = (
            f"{name} and {other} differ by {difference:.2g} in an array of shape {got.shape} whose entries are up to "
            f"{_largest([expected]):.2g}, allowed {tolerance:.2g}"
        )
        raise GradcheckError(msg)
