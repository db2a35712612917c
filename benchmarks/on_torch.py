"""agnograd over PyTorch's tensors against PyTorch's own autograd: `python -m benchmarks on-torch [NAME ...]`.

What an engine adds is its time minus that of the same gradient by hand, on the same tensors and without autograd.
agnograd's must be below PyTorch's. All three run in turns, in one process for each workload and on one thread, after
their gradients were checked; what is printed are medians of ratios of CPU times. Needs the plugin agnograd-torch.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks import models, workloads
from benchmarks.worker import ROOT, environment

# Workloads, and the most that agnograd may take over PyTorch's autograd. In `c`, three large products, an engine adds
# nothing that could be measured.
BARS = {"a": 1.0, "b": 1.0, "e": 1.0, "g": 1.0, "j": 1.0, "c": 1.05}
NAMES = tuple(BARS)

_SECONDS = 6.0

Array = Any
Gradient = Callable[[], Sequence[Array]]


def installed() -> bool:
    """Whether PyTorch and the plugin can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "agnograd_torch"))


def make(name: str, *, small: bool = False) -> workloads.Workload:
    """A workload."""
    if name in models.MAKERS:
        return models.MAKERS[name][small]()
    return workloads.make(name, small=small)


# -- by hand -----------------------------------------------------------------------------------------------------------


def _tiny(xp: Any, workload: Any, x: Array, a: Array, b: Array) -> list[Array]:
    saved = []
    for _ in range(workload.rounds):
        u = x * a
        x = xp.tanh(xp.sin(u) + b)
        saved.append((u, x))
    xp.sum(x)
    g = xp.ones_like(x)
    for u, x in reversed(saved):
        g = (g - g * x * x) * xp.cos(u) * a
    return [g]


def _perceptron(xp: Any, _: Any, w1: Array, b1: Array, w2: Array, b2: Array, x: Array, y: Array) -> list[Array]:
    h = xp.tanh(x @ w1 + b1)
    difference = h @ w2 + b2 - y
    xp.mean(difference * difference)
    g = difference * (2 / difference.numel())
    gh = g @ w2.T
    gh -= gh * h * h
    return [x.T @ gh, xp.sum(gh, 0), h.T @ g, xp.sum(g, 0)]


def _classifier(xp: Any, _: Any, *arrays: Array) -> list[Array]:
    w1, b1, w2, b2, w3, b3, x, y = arrays
    n = x.shape[0]
    h1 = xp.tanh(x @ w1 + b1)
    h2 = xp.tanh(h1 @ w2 + b2)
    z = h2 @ w3 + b3
    e = xp.exp(z)
    total = xp.sum(e, 1, keepdim=True)
    xp.sum(y * (xp.log(total) - z)) / n
    g3 = (e / total - y) / n
    g2 = g3 @ w3.T
    g2 -= g2 * h2 * h2
    g1 = g2 @ w2.T
    g1 -= g1 * h1 * h1
    return [x.T @ g1, xp.sum(g1, 0), h1.T @ g2, xp.sum(g2, 0), h2.T @ g3, xp.sum(g3, 0)]


def _recurrent(xp: Any, workload: Any, wx: Array, wh: Array, b: Array, xs: Array, zero: Array) -> list[Array]:
    n = workload.hidden
    h = c = zero
    total = xp.zeros((), dtype=zero.dtype)
    saved = []
    for t in range(workload.steps):
        z = xs[t] @ wx + h @ wh + b
        gates = 1 / (1 + xp.exp(-z[:, : 3 * n]))
        i, f, o = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
        u = xp.tanh(z[:, 3 * n :])
        before = h, c
        c = f * c + i * u
        r = xp.tanh(c)
        h = o * r
        total = total + xp.sum(h * h)
        saved.append((*before, gates, u, r, h))
    gwx, gwh, gb = xp.zeros_like(wx), xp.zeros_like(wh), xp.zeros_like(b)
    gh = gc = xp.zeros_like(zero)
    g = zero.new_empty((zero.shape[0], 4 * n))
    parts = [g[:, k * n : (k + 1) * n] for k in range(4)]
    sigmoids = g[:, : 3 * n]
    for t, (h0, c0, gates, u, r, h) in zip(reversed(range(workload.steps)), reversed(saved), strict=True):
        i, f, o = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
        gh = gh + h + h
        gc = gc + gh * o * (1 - r * r)
        xp.mul(gc, u, out=parts[0])
        xp.mul(gc, c0, out=parts[1])
        xp.mul(gh, r, out=parts[2])
        sigmoids *= gates - gates * gates
        xp.mul(gc * i, 1 - u * u, out=parts[3])
        gwx += xs[t].T @ g
        gwh += h0.T @ g
        gb += xp.sum(g, 0)
        gh = g @ wh.T
        gc = gc * f
    return [gwx, gwh, gb]


def _pieces(xp: Any, workload: Any, x: Array, *indices: Array) -> list[Array]:
    pieces = [x[place] for place in [*workload.places, *indices]]
    total = xp.zeros((), dtype=x.dtype)
    for piece in pieces:
        total = total + xp.sum(piece * piece)
    g = xp.zeros_like(x)
    for place, piece in zip(workload.places, pieces, strict=False):
        g[place] += piece + piece
    for taken, piece in zip(indices, pieces[len(workload.places) :], strict=True):
        g.index_add_(0, taken, piece + piece)
    return [g]


def _pendulums(xp: Any, workload: Any, stiffness: Array, damping: Array, q: Array, p: Array) -> list[Array]:
    dt = workload.step

    def force(q: Array, p: Array) -> Array:
        return -stiffness * xp.sin(q) - damping * p

    saved = []
    for _ in range(workload.steps):
        q1, k1 = q, p
        l1 = force(q1, k1)
        q2, k2 = q + (dt / 2) * k1, p + (dt / 2) * l1
        l2 = force(q2, k2)
        q3, k3 = q + (dt / 2) * k2, p + (dt / 2) * l2
        l3 = force(q3, k3)
        q4, k4 = q + dt * k3, p + dt * l3
        l4 = force(q4, k4)
        saved.append((q1, k1, q2, k2, q3, k3, q4, k4))
        q = q + (dt / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
        p = p + (dt / 6) * (l1 + 2 * l2 + 2 * l3 + l4)
    xp.sum(q * q)
    gq, gp = q + q, xp.zeros_like(q)
    gs, gd = xp.zeros_like(q), xp.zeros_like(q)

    def pulled(gk: Array, gl: Array, q: Array, p: Array) -> tuple[Array, Array]:
        gs.sub_(xp.sin(q) * gl)
        gd.sub_(p * gl)
        return -stiffness * xp.cos(q) * gl, gk - damping * gl

    for q1, k1, q2, k2, q3, k3, q4, k4 in reversed(saved):
        outer, inner = ((dt / 6) * gq, (dt / 6) * gp), ((dt / 3) * gq, (dt / 3) * gp)
        a4, b4 = pulled(*outer, q4, k4)
        a3, b3 = pulled(inner[0] + dt * a4, inner[1] + dt * b4, q3, k3)
        a2, b2 = pulled(inner[0] + (dt / 2) * a3, inner[1] + (dt / 2) * b3, q2, k2)
        a1, b1 = pulled(outer[0] + (dt / 2) * a2, outer[1] + (dt / 2) * b2, q1, k1)
        gq, gp = gq + a1 + a2 + a3 + a4, gp + b1 + b2 + b3 + b4
    return [gs, gd]


_BY_HAND: dict[str, Callable[..., list[Array]]] = {
    "a": _tiny,
    "b": _perceptron,
    "c": _classifier,
    "e": _recurrent,
    "g": _pieces,
    "j": _pendulums,
}

# -- the three ---------------------------------------------------------------------------------------------------------


def engines(name: str, *, small: bool = False) -> tuple[list[Any], dict[str, Gradient]]:
    """The gradients of a workload by hand in NumPy, and the functions that compute them on tensors.

    Returns
    -------
    tuple
        What is expected, and functions by name: ``"hand"``, ``"torch"`` and ``"agnograd"``.
    """
    import torch

    import agnograd as ag

    workload = make(name, small=small)
    leaves = [torch.from_numpy(x) for x in workload.leaves]
    constants = [torch.from_numpy(x) for x in workload.constants]
    by_hand = _BY_HAND[name]

    def hand() -> Sequence[Array]:
        with torch.no_grad():
            return by_hand(torch, workload, *leaves, *constants)

    def recorded(xp: Any, xs: Sequence[Array], others: Sequence[Array]) -> Gradient:
        def gradient() -> Sequence[Array]:
            for x in xs:
                x.grad = None
            workload.function(xp, *xs, *others).backward()
            return [x.grad for x in xs]

        return gradient

    # Parameters are made once, as for a loop that trains: agnograd copies them.
    own = recorded(torch, [x.clone().requires_grad_() for x in leaves], constants)
    ours = recorded(ag, [ag.tensor(x, requires_grad=True) for x in leaves], [ag.asarray(x) for x in constants])
    return workload.backward(workload.forward()[1]), {"hand": hand, "torch": own, "agnograd": ours}


def check(name: str, found: Sequence[Array], expected: Sequence[Any]) -> None:
    """Compare gradients; none of them may hang on a graph of PyTorch.

    Raises
    ------
    AssertionError
        If they differ.
    """
    for x, y in zip(found, expected, strict=True):
        raw = getattr(x, "array", x)
        assert type(raw).__module__.split(".")[0] == "torch", f"{name}: a gradient is no tensor of PyTorch"
        assert raw.grad_fn is None
        assert not raw.requires_grad
        single = y.dtype.itemsize == 4
        np.testing.assert_allclose(raw.numpy(), y, rtol=1e-3 if single else 1e-6, atol=1e-5 if single else 1e-9)


def measure(name: str, seconds: float = _SECONDS) -> dict[str, Any]:
    """Check and time one workload in this process.

    Returns
    -------
    dict
        CPU microseconds of the three, ratios of agnograd and of PyTorch's autograd to the gradient by hand, what
        agnograd takes over PyTorch's autograd with quartiles, and what it adds over what that adds.
    """
    import torch

    torch.set_num_threads(1)
    expected, runs = engines(name)
    for run in runs.values():
        check(name, run(), expected)
    gc.collect()
    # PyTorch brings many objects of its own, which no user's collection should be charged for.
    gc.freeze()
    repeat = max(1, int(0.02 / _seconds(runs["hand"], 1)))
    samples: dict[str, list[float]] = {engine: [] for engine in runs}
    until = time.process_time() + seconds
    while time.process_time() < until or len(samples["hand"]) < 5:
        for engine, run in runs.items():
            samples[engine].append(_seconds(run, repeat))
    hand, own, ours = (samples[engine] for engine in runs)
    low, median, high = _quartiles(_pairs(ours, own))
    added = [(x - h) / (y - h) for x, y, h in zip(ours, own, hand, strict=True) if y > h]
    return {
        "name": name,
        **{f"{engine} us": statistics.median(times) * 1e6 for engine, times in samples.items()},
        "torch ratio": statistics.median(_pairs(own, hand)),
        "agnograd ratio": statistics.median(_pairs(ours, hand)),
        "over torch": median,
        "quartiles": [low, high],
        "added over torch": statistics.median(added) if added else None,
    }


def _seconds(run: Gradient, repeat: int) -> float:
    """CPU seconds of a gradient, with what it takes to free its graph."""
    start = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - start) / repeat


def _pairs(a: Sequence[float], b: Sequence[float]) -> Iterator[float]:
    return (x / y for x, y in zip(a, b, strict=True))


def _quartiles(values: Iterator[float]) -> list[float]:
    return statistics.quantiles(values, n=4)


def in_process(name: str, *, seconds: float = _SECONDS) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.on_torch", "--child", name, str(seconds)]
    output = subprocess.run(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    found: dict[str, Any] = json.loads(output)
    return found | {"kept": found["over torch"] <= BARS[name]}


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """What was found, to print."""
    shown = Table(title="agnograd over PyTorch's tensors and PyTorch's own autograd, one thread, CPU time")
    columns = ("", "by hand us", "torch us", "agnograd us", "torch over hand", "agnograd over hand")
    for column in (*columns, "agnograd over torch", "at most", "added over torch's", "kept"):
        shown.add_column(column, justify="right" if column else "left")
    for row in rows:
        low, high = row["quartiles"]
        added = row["added over torch"]
        shown.add_row(
            row["name"],
            *(f"{row[f'{engine} us']:.0f}" for engine in ("hand", "torch", "agnograd")),
            *(f"{row[f'{engine} ratio']:.2f}" for engine in ("torch", "agnograd")),
            f"{row['over torch']:.2f} ({low:.2f}-{high:.2f})",
            f"{BARS[row['name']]:g}",
            "-" if added is None else f"{added:.2f}",
            "yes" if row["kept"] else "[bold red]NO[/]",
        )
    return shown


if __name__ == "__main__":
    if sys.argv[1:2] != ["--child"]:
        sys.exit("python -m benchmarks on-torch --help")
    print(json.dumps(measure(sys.argv[2], float((*sys.argv[3:], _SECONDS)[0]))))
