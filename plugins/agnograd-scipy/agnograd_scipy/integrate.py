"""Ordinary differential equations: an adaptive solver with the derivatives of its solution, and a fixed-step one.

`odeint` finds values with `scipy.integrate.solve_ivp`; nothing of its steps is kept. Derivatives are solutions of
further equations, found in the same way, so that they have derivatives again:

- forward mode the sensitivity equation ``s' = df/dy s + df/dp dp``,
- reverse mode the adjoint equation ``l' = -(df/dy)^H l``, backwards in time, together with the state, which begins
  anew at each time that was asked for: F. Froehlich, C. Loos and J. Hasenauer, *Scalable inference of ordinary
  differential equation models of biochemical processes* (2017), section 2.4.2; R. T. Q. Chen et al., *Neural ordinary
  differential equations* (2018).

They are as exact as the tolerances. `rk4` is made of operations of the arrays alone: it runs on every backend,
lazy ones too, under every transformation, and its derivatives are those of its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import agnograd as ag
from agnograd import tree
from agnograd.errors import UnsupportedError
from agnograd.implicit import check_followed, opened

__all__ = ["odeint", "rk4"]

Array = Any
# A function of state, time and parameters, each a vector or a number.
Flat = Callable[[Array, Array, Array], Array]


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Array,
    *args: Any,
    rtol: float | None = None,
    atol: float | None = None,
    method: str = "DOP853",
    max_step: float = float("inf"),
) -> Any:
    """The solution of ``dy/dt = func(y, t, *args)`` at some times.

    SciPy's ``scipy.integrate.odeint``, differentiable in both modes and to any order in `y0`, `t`, `args` and the
    variables that `func` holds.

    Parameters
    ----------
    func : callable
        Returns the derivative of a state: a tree like `y0`. It is given tensors.
    y0 : array or tree of arrays
        The state at ``t[0]``, of real numbers.
    t : array
        Times in one axis, which increase or decrease.
    *args
        Trees of arrays.
    rtol, atol : float, optional
        Tolerances of the solver, for the solution and for the equations of derivatives. By default the root of what
        rounding is in the dtype of the state, as in SciPy: 1.5e-8 in double precision.
    method : str
        Of ``scipy.integrate.solve_ivp``: ``"LSODA"``, ``"Radau"`` or ``"BDF"`` where the equation is stiff.
    max_step : float
        The longest step.

    Returns
    -------
    tree
        Like `y0`, with the times along a first axis of each array.

    Raises
    ------
    ValueError
        If the times are not in order, or the derivative is no tree like the state.
    UnsupportedError
        If the arrays are lazy, the state is complex, times are mapped over under ``vmap``, or the solver fails.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd_scipy.integrate import odeint
    >>> t = ag.tensor([0.0, 1.0])
    >>> decay = lambda rate: odeint(lambda y, t: -rate * y, ag.tensor([1.0]), t)[-1, 0]
    >>> decay(ag.tensor(0.5)), ag.grad(decay)(ag.tensor(0.5))
    (tensor(0.6065), tensor(-0.6065))
    """
    held, around = opened(func)
    state, to_state = ag.ravel_tree(y0)
    parameters, to_parameters = _raveled((held, args), state)
    t = _times(t, state)
    if not _is(state, "real floating") or _is(parameters, "complex floating"):
        msg = (
            f"odeint needs a state of real floating-point numbers and real parameters, got {state.dtype} and "
            f"{parameters.dtype}. Of complex numbers, integrate real and imaginary parts: a tree of two arrays."
        )
        raise UnsupportedError(msg)
    dtypes = state.dtype, parameters.dtype
    if not _is(parameters, "real floating"):
        parameters = ag.astype(parameters, state.dtype)

    def flat(y: Array, time: Array, p: Array) -> Array:
        # Equations of derivatives have state and parameters in one vector, in the dtype of both.
        own, held = [x if x.dtype == d else ag.astype(x, d) for x, d in zip((y, p), dtypes, strict=True)]
        inner, args = to_parameters(held)
        return _like_state(around(inner)(to_state(own), time, *args), y)

    check_followed(flat(*map(ag.stop_gradient, (state, t[0], parameters))))
    rounding = _tolerance(state)
    options = {"rtol": rounding if rtol is None else rtol, "atol": rounding if atol is None else atol}
    problem = _Problem(flat, {**options, "method": method, "max_step": max_step})
    found = problem.solved(state, t, parameters)
    leaves, structure = tree.flatten(y0)
    parts, start = [], 0
    for x in leaves:
        shape = tuple(getattr(x, "shape", ()))
        size = 1
        for n in shape:
            size *= n
        parts.append(ag.reshape(found[:, start : start + size], (t.shape[0], *shape)))
        start += size
    return tree.unflatten(structure, parts)


def _raveled(parameters: Any, state: Array) -> tuple[Array, Callable[[Array], Any]]:
    """Parameters as a vector beside the state, and none as an empty one."""
    if not tree.leaves(parameters):
        return ag.zeros_like(state[:0]), lambda _: parameters
    return ag.ravel_tree(parameters)


def _times(t: Any, state: Array) -> Array:
    """Times as an array of the backend of the state."""
    if not hasattr(t, "dtype"):
        like = ag.asarray(ag.stop_gradient(state))
        t = like.__array_namespace__().asarray(t, dtype=like.dtype, device=like.device)
    if len(t.shape) != 1 or not t.shape[0]:
        msg = f"t needs times in one axis, got the shape {tuple(t.shape)}"
        raise ValueError(msg)
    return t if _is(t, "real floating") else ag.astype(t, state.dtype)


def _tolerance(x: Array) -> float:
    xp = ag.asarray(ag.stop_gradient(x)).__array_namespace__()
    return float(xp.finfo(x.dtype).eps ** 0.5)


def _is(x: Array, kind: str) -> bool:
    xp = ag.asarray(ag.stop_gradient(x)).__array_namespace__()
    return bool(xp.isdtype(x.dtype, kind))


def _like_state(derivative: Any, y: Array) -> Array:
    found = ag.ravel_tree(derivative)[0]
    if tuple(found.shape) != tuple(y.shape):
        msg = f"func must return a derivative for each number of the state: {y.shape[0]}, got {found.shape[0]}"
        raise ValueError(msg)
    return found if found.dtype == y.dtype else ag.astype(found, y.dtype)


class _Problem:
    """An equation of vectors, and how it is solved."""

    def __init__(self, f: Flat, options: dict[str, Any]) -> None:
        self.f = f
        self.options = options

    def solved(self, y0: Array, t: Array, p: Array) -> Array:
        """The states at all times, one in each row."""
        return _Solution.apply(self, y0, t, p)

    # -- derivatives are further problems ------------------------------------------------------------------------------

    def sensitivity(self, y0: Array, t: Array, p: Array, dy0: Array, dp: Array) -> Array:
        """The tangents of the states, at fixed times."""
        n, count = y0.shape[0], p.shape[0]

        def f(z: Array, time: Array, parameters: Array) -> Array:
            value, change = ag.jvp(
                lambda y, p: self.f(y, time, p),
                (z[:n], parameters[:count]),
                (z[n:], parameters[count:]),
            )
            return ag.concat([value, change])

        found = _Problem(f, self.options).solved(ag.concat([y0, dy0]), t, ag.concat([p, dp]))
        return found[:, n:]

    def adjoint(self, y: Array, g: Array, t: Array, p: Array) -> tuple[Array, Array]:
        """The cotangents of the state at ``t[1]`` and of the parameters, from that of the state at ``t[0]``."""
        n, count = y.shape[0], p.shape[0]

        def f(z: Array, time: Array, p: Array) -> Array:
            value, back = ag.vjp(lambda y, p: self.f(y, time, p), z[:n], p)
            gy, gp = back(z[n : 2 * n])
            return ag.concat([value, -gy, -gp])

        begin = ag.concat([y, g, ag.zeros_like(p)])
        z = _Problem(f, self.options).solved(begin, t, p)[-1, ...]
        return z[n : 2 * n], z[2 * n : 2 * n + count]


class _Solution(ag.autograd.Function):
    """``apply(problem, y0, t, p)``: the states at all times."""

    @staticmethod
    def forward(problem: _Problem, y0: Array, t: Array, p: Array) -> Array:
        return _integrated(problem, y0, t, p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        ctx.problem, _, t, p = inputs
        ctx.save_for_backward(output, t, p)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Any, ...]:
        problem = ctx.problem
        ys, t, p = ctx.saved_tensors
        count = t.shape[0]
        along = ag.zeros_like(ys[0, ...])
        gp = ag.zeros_like(p)
        gt: list[Array] = []
        for i in range(count - 1, 0, -1):
            here = problem.f(ys[i, ...], t[i], p)
            gt.append(ag.sum(g[i, ...] * here))
            along, more = problem.adjoint(ys[i, ...], along + g[i, ...], ag.stack([t[i], t[i - 1]]), p)
            gp = gp + more
        # A later beginning shortens the way: the state then would have been there already.
        gt.append(-ag.sum(along * problem.f(ys[0, ...], t[0], p)))
        times = ag.astype(ag.stack(gt[::-1]), t.dtype)
        return None, along + g[0, ...], times, gp

    @staticmethod
    def jvp(ctx: Any, _: Any, dy0: Array, dt: Array, dp: Array) -> Array:
        problem = ctx.problem
        ys, t, p = ctx.saved_tensors
        first = problem.f(ys[0, ...], t[0], p)
        begin = dy0 - first * dt[0]
        change = problem.sensitivity(ys[0, ...], t, p, begin, dp)
        rates = [problem.f(ys[i, ...], t[i], p) * dt[i] for i in range(t.shape[0])]
        return change + ag.stack(rates)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], problem: _Problem, y0: Array, t: Array, p: Array) -> Any:
        """All members as one system: the steps are those that the most difficult one needs."""
        _, of_y0, of_t, of_p = in_dims
        if of_t is not None:
            msg = "odeint under vmap takes the same times for all members. Scale time, a parameter of func, instead."
            raise UnsupportedError(msg)
        size, n, count = info.batch_size, y0.shape[-1], p.shape[-1]
        y0, p = [x if axis == 0 else ag.broadcast_to(x, (size, *x.shape)) for x, axis in ((y0, of_y0), (p, of_p))]

        def f(y: Array, time: Array, p: Array) -> Array:
            each = ag.vmap(lambda y, p: problem.f(y, time, p))
            found = each(ag.reshape(y, (size, n)), ag.reshape(p, (size, count)))
            return ag.reshape(found, (size * n,))

        together = _Problem(f, problem.options)
        found = together.solved(ag.reshape(y0, (size * n,)), t, ag.reshape(p, (size * count,)))
        return ag.reshape(found, (t.shape[0], size, n)), 1


def _integrated(problem: _Problem, y0: Array, t: Array, p: Array) -> Array:
    """The values, by SciPy on the host."""
    import numpy as np
    from scipy.integrate import solve_ivp

    # Tensors throughout: an operator between an array and a tensor is not for every library.
    like, p = ag.asarray(y0), ag.asarray(p)
    xp, device = like.__array_namespace__(), like.device
    if ag.plugins.manager.find_backend(_backend(like)).lazy:
        msg = (
            f"odeint chooses its steps by values, which are not there on the lazy backend {_backend(like)!r}. Take "
            f"agnograd_scipy.integrate.rk4, whose steps are fixed, or compute the arrays first."
        )
        raise UnsupportedError(msg)
    start, times = _to_host(like), _to_host(ag.asarray(t)).astype(float)
    steps = np.diff(times)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        msg = "the times of odeint must increase, or decrease, each from the one before"
        raise ValueError(msg)
    rows = [start.astype(float)]
    t_dtype = ag.asarray(t).dtype

    def f(time: float, y: Any) -> Any:
        state = xp.asarray(y, dtype=like.dtype, device=device)
        return _to_host(ag.asarray(problem.f(state, xp.asarray(time, dtype=t_dtype, device=device), p)))

    # One interval after the other, so that each ends with a step and not with an interpolation between two.
    for begin, end in pairwise(times):
        found = solve_ivp(f, (begin, end), rows[-1], t_eval=[end], **problem.options)
        if not found.success:
            msg = f"scipy.integrate.solve_ivp has failed: {found.message} Take another method, or wider tolerances."
            raise UnsupportedError(msg)
        rows.append(found.y[:, -1])
    out = xp.asarray(np.stack(rows), dtype=like.dtype, device=device)
    return out if isinstance(y0, ag.Tensor) else out.array


def _backend(x: Any) -> str:
    return str(x.__array_namespace__().__name__.rpartition(".")[2])


def _to_host(x: Any) -> Any:
    import numpy as np

    return np.array(ag.to_backend(x.detach(), "numpy").array)


def rk4(func: Callable[..., Any], y0: Any, t: Array, *args: Any, steps: int = 1) -> Any:
    """The solution of ``dy/dt = func(y, t, *args)`` by Runge and Kutta's method of fourth order.

    W. Kutta, *Beitrag zur naeherungsweisen Integration totaler Differentialgleichungen* (1901).

    Parameters
    ----------
    func : callable
        Returns the derivative of a state: a tree like `y0`.
    y0 : array or tree of arrays
        The state at ``t[0]``; of real or complex numbers.
    t : array
        Times in one axis.
    *args
        Further arguments of `func`.
    steps : int
        How many steps are taken from one time to the next.

    Returns
    -------
    tree
        Like `y0`, with the times along a first axis of each array.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd_scipy.integrate import rk4
    >>> t = ag.tensor([0.0, 1.0])
    >>> decay = lambda rate: rk4(lambda y, t: -rate * y, ag.tensor([1.0]), t, steps=8)[-1, 0]
    >>> decay(ag.tensor(0.5)), ag.grad(decay)(ag.tensor(0.5))
    (tensor(0.6065), tensor(-0.6065))
    """

    def moved(y: Any, k: Any, h: Any) -> Any:
        return tree.map(lambda y, k: y + h * k, y, k)

    states = [y0]
    y = y0
    for i in range(t.shape[0] - 1):
        h = (t[i + 1] - t[i]) / steps
        for j in range(steps):
            time = t[i] + j * h
            k1 = func(y, time, *args)
            k2 = func(moved(y, k1, h / 2), time + h / 2, *args)
            k3 = func(moved(y, k2, h / 2), time + h / 2, *args)
            k4 = func(moved(y, k3, h), time + h, *args)
            y = tree.map(lambda y, a, b, c, d, h=h: y + h / 6 * (a + 2 * b + 2 * c + d), y, k1, k2, k3, k4)
        states.append(y)
    return tree.map(lambda *rows: ag.stack(rows), *states)
