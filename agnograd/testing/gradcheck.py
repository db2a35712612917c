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

from agnograd.core.array import innermost
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.transforms import jvp, vjp

Array = Any
Function = Callable[..., Any]
Guard = Callable[[], AbstractContextManager[Any]]


class GradcheckError(AssertionError):
    """A derivative is wrong; the message says which, and by how much."""


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
        Its arguments, in double precision. What has an integer or boolean dtype stays constant.
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
    agnograd.testing.gradcheck.GradcheckError: reverse mode: ...
    """
    point = [innermost(settled(x)) for x in args]
    floats = [i for i, x in enumerate(point) if _kind(x) in "fc"]

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
    rtol, atol, seed
        As in `gradcheck`.
    passes, rules : callable
        Context managers under which whole passes run, and those parts in which only derivative rules run.

    Raises
    ------
    GradcheckError
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
    found = hosts(gradients)
    # Where a value has single precision, so have its differences.
    rtol = max(rtol, 4 * max([0.0, *(_epsilon(y) for y in outputs)]) / _STEP)
    for direction in _real_and_imaginary([draw(x) for x in primals]):
        tangents = [like(x, v) for x, v in zip(primals, direction, strict=True)]
        with passes(), rules():
            ahead, tangent = jvp(f, tuple(primals), tuple(tangents))
        check_kept(leaves(tangent), leaves(ahead))
        forward = _inner(cotangent, hosts(leaves(tangent)))
        reverse = _inner(direction, found)
        expected = _slope(f, primals, direction, cotangent)
        scale = _size(cotangent, outputs) + _size(direction, found)
        _agree("reverse mode", reverse, "finite differences", expected, rtol * scale + atol)
        _agree("forward mode", forward, "reverse mode", reverse, 1e-11 * scale + 1e-13)


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
    """
    value = f(*primals)
    outputs = leaves(value)
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

    reference = hosts(forward_of_back)
    expected = _difference(lambda *args: hosts(gradient(*args, *w)), primals, direction)
    scale = 1 + max([0.0, *(float(abs(e).max()) for e in (*expected, *reference) if e.size)])
    for a, b in zip(reference, expected, strict=True):
        _agree_all("forward over reverse mode", a, "finite differences", b, rtol * scale + atol)
    for name, result in (("reverse over reverse mode", twice_back[:count]), ("reverse over forward", back_of_forward)):
        for a, b in zip(hosts(result), reference, strict=True):
            _agree_all(name, a, "forward over reverse mode", b, 1e-10 * scale)
    for a, b in zip(hosts(twice_back[count:]), hosts(first_slope), strict=True):
        _agree_all("the gradient's derivative by its cotangent", a, "forward mode", b, 1e-10 * (1 + _largest([b])))
    _agree(
        "forward over forward mode", _inner(cotangent, hosts(twice_forward)),
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


# -- arrays and NumPy ------------------------------------------------------------------------------------------------


def to_host(x: Any) -> Any:
    """The values of an array, raw or wrapped, as a NumPy array."""
    import numpy as np

    raw = innermost(settled(x))
    return np.asarray(spaces[type(raw)].backend.to_host(raw))


def hosts(arrays: Sequence[Any]) -> list[Any]:
    """The values of several arrays; lazy ones are computed together."""
    import numpy as np

    raw = [innermost(settled(x)) for x in arrays]
    if raw and all(hasattr(x, "dask") for x in raw):
        import dask

        return [np.asarray(x) for x in dask.compute(*raw, scheduler="synchronous")]
    return [to_host(x) for x in raw]


def like(x: Array, host: Any) -> Array:
    """Values as an array of the backend, dtype, device and chunks of the raw array `x`."""
    import numpy as np

    space = spaces[type(x)]
    host = np.asarray(host, dtype=_host_dtype(x))
    if hasattr(x, "chunks"):
        return space.module.asarray(host).rechunk(x.chunks)
    return space.module.asarray(host, device=space.device(x))


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


def _kind(x: Array) -> str:
    space = spaces[type(x)]
    if space.isdtype(x.dtype, "complex floating"):
        return "c"
    return "f" if space.isdtype(x.dtype, "real floating") else "i"


def _epsilon(x: Any) -> float:
    raw = innermost(settled(x))
    return float(spaces[type(raw)].module.finfo(raw.dtype).eps)


def _host_dtype(x: Array) -> Any:
    import numpy as np

    return np.dtype(str(x.dtype).rpartition(".")[2])


# -- numbers ---------------------------------------------------------------------------------------------------------


def _directions(seed: int) -> Callable[[Array], Any]:
    import numpy as np

    generator = np.random.default_rng(seed)

    def draw(x: Any) -> Any:
        raw = innermost(settled(x))
        out = generator.uniform(-1, 1, tuple(raw.shape))
        return out + 1j * generator.uniform(-1, 1, out.shape) if _kind(raw) == "c" else out

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

    return math.fsum(float(np.sum(abs(x) * abs(y))) for x, y in zip(a, hosts_of(b), strict=True))


def hosts_of(arrays: Sequence[Any]) -> list[Any]:
    """As `hosts`, for what may be NumPy's already."""
    import numpy as np

    return [x if isinstance(x, np.ndarray) else y for x, y in zip(arrays, hosts(arrays), strict=True)]


def _largest(arrays: Sequence[Any]) -> float:
    return max([0.0, *(float(abs(x).max()) for x in arrays if x.size)])


# Steps of a central difference of fourth order, with which rounding and truncation stay below 1e-10.
_STEP = 1e-3
_WEIGHTS = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))


def _difference(f: Callable[..., list[Any]], primals: Sequence[Array], direction: Sequence[Any]) -> list[Any]:
    """The derivative of `f`, which returns NumPy arrays, along a direction."""
    origin = hosts(primals)
    total: list[Any] = []
    for steps, weight in _WEIGHTS:
        moved = [like(x, h + steps * _STEP * v) for x, h, v in zip(primals, origin, direction, strict=True)]
        terms = [weight / _STEP * y for y in f(*moved)]
        total = [a + b for a, b in zip(total, terms, strict=True)] if total else terms
    return total


def _slope(f: Function, primals: Sequence[Array], direction: Sequence[Any], cotangent: Sequence[Any]) -> float:
    return _inner(cotangent, _difference(lambda *args: hosts(leaves(f(*args))), primals, direction))


def _agree(name: str, got: float, other: str, expected: float, tolerance: float) -> None:
    if not abs(got - expected) <= tolerance:
        msg = (
            f"{name}: {got!r}, {other}: {expected!r}; they differ by {abs(got - expected):.2g}, allowed {tolerance:.2g}"
        )
        raise GradcheckError(msg)


def _agree_all(name: str, got: Any, other: str, expected: Any, tolerance: float) -> None:
    difference = _largest([got - expected])
    if not difference <= tolerance:
        msg = f"{name}:\n{got!r}\n{other}:\n{expected!r}\nthey differ by {difference:.2g}, allowed {tolerance:.2g}"
        raise GradcheckError(msg)
