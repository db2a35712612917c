"""``python -m agnograd bench``: what a gradient costs on this machine, beside its function and beside peers.

A look, not a benchmark to be quoted: those are run by ``python -m benchmarks`` from a clone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import agnograd as ag
from agnograd import plugins
from agnograd.cli import show as _show

_LARGE = 1_000_000
_STEPS = 200


class Workload(NamedTuple):
    """What is measured: a function written for any namespace, of one array.

    Many steps of a few elements show what an operation costs beside its arithmetic. A lazy library takes them apart
    before it computes them, which would be measured instead.
    """

    name: str
    size: tuple[int, ...]
    function: Callable[[Any, Any], Any]
    lazy: bool = True


def _chain(xp: Any, x: Any) -> Any:
    for _ in range(_STEPS):
        x = xp.sin(x * 0.9 + 0.1)
    return xp.sum(x)


WORKLOADS = (
    Workload(f"{_STEPS} steps of sin(x*c+b), 10 elements", (10,), _chain, lazy=False),
    Workload("sum(exp(x)*x), a million elements", (_LARGE,), lambda xp, x: xp.sum(xp.exp(x) * x)),
    Workload("sum(tanh(x @ x)), 500 x 500", (500, 500), lambda xp, x: xp.sum(xp.tanh(xp.matmul(x, x) / 500))),
)


def run(backends: Sequence[str] | None, rounds: int) -> dict[str, Any]:
    """Measure each workload on each backend.

    Parameters
    ----------
    backends : sequence of str or None
        By default those that work here, but for array-api-strict, which is not made to be fast.
    rounds : int
        The median of so many is told.

    Returns
    -------
    dict
        Milliseconds of the function on the backend's own arrays, of value and gradient, and the ratio of the two.
    """
    from agnograd.testing.matrix import backend_names

    names = backend_names(",".join(backends) if backends else "available")
    if not backends:
        names = [name for name in names if name != "strict"]
    found = [
        {"workload": work.name, "on": who, **_measured(plain, gradient, rounds)}
        for work in WORKLOADS
        for who, plain, gradient in (*_ours(work, names), *(_peers(work) if "numpy" in names else ()))
    ]
    return {"rounds": rounds, "results": found}


def _ours(work: Workload, names: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    for name in names:
        space = plugins.manager.space(name)
        if space.backend.lazy and not work.lazy:
            continue
        wait = space.backend.synchronise or (lambda: None)
        xp = ag.namespace(name)
        x = ag.to_backend(_start(work), name)
        raw = x.array if isinstance(x, ag.Tensor) else x
        both = ag.value_and_grad(lambda x, xp=xp: work.function(xp, x))

        def plain(raw: Any = raw, xp: Any = xp, wait: Any = wait, lazy: bool = space.backend.lazy) -> None:
            ans = work.function(xp, raw)
            _finish([ans], lazy, wait)

        def gradient(raw: Any = raw, both: Any = both, wait: Any = wait, lazy: bool = space.backend.lazy) -> None:
            _finish(both(raw), lazy, wait)

        yield name, plain, gradient


def _start(work: Workload) -> Any:
    import numpy as np

    return np.random.default_rng(0).uniform(-1, 1, work.size)


def _finish(results: Sequence[Any], lazy: bool, wait: Callable[[], Any]) -> None:
    if lazy:
        import dask

        dask.compute(*[getattr(x, "array", x) for x in results])
    wait()


def _peers(work: Workload) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Other libraries on the same arrays of NumPy's, where they are installed."""
    x = _start(work)
    if importlib.util.find_spec("autograd") is not None:
        import autograd
        import autograd.numpy as anp

        both = autograd.value_and_grad(lambda x: work.function(anp, x))
        yield "HIPS autograd", lambda: work.function(anp, x), lambda: both(x)
    if importlib.util.find_spec("torch") is not None:
        import torch

        t = torch.from_numpy(x)

        def gradient() -> Any:
            leaf = t.detach().requires_grad_()
            work.function(torch, leaf).backward()
            return leaf.grad

        yield "PyTorch", lambda: work.function(torch, t), gradient


def _measured(plain: Callable[[], Any], gradient: Callable[[], Any], rounds: int) -> dict[str, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds + 1):
        for function, kept in zip((plain, gradient), times, strict=True):
            start = perf_counter()
            function()
            if i:  # the first loads, compiles and fills caches
                kept.append(perf_counter() - start)
    function_ms, gradient_ms = (median(kept) * 1e3 for kept in times)
    return {"function_ms": function_ms, "gradient_ms": gradient_ms, "ratio": gradient_ms / function_ms}


def show(data: dict[str, Any]) -> None:
    """Print the times."""
    _show.table(
        ["workload", "on", "function, ms", "value and gradient, ms", "ratio"],
        [
            [r["workload"], r["on"], f"{r['function_ms']:.3g}", f"{r['gradient_ms']:.3g}", f"{r['ratio']:.1f}"]
            for r in data["results"]
        ],
    )
    _show.console().print(f"\nMedians of {data['rounds']} rounds.")
