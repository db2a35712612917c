"""A deep chain that does not fit in memory, trained with and without spilling: ``python scripts/spilling.py``.

Each run is a process of its own whose data may grow by a limit and no more. What the graph saves is several times that.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MB = 1 << 20


def train(way: str, layers: int, megabytes: int, steps: int) -> Any:
    """Train the factors of a chain of `layers` operations on an array of `megabytes`; the loss of the last step."""
    import agnograd as ag
    from agnograd.autograd import graph

    x = ag.linspace(0.0, 1.0, megabytes * MB // 8)
    factors = [ag.tensor(1.0, requires_grad=True) for _ in range(layers)]

    def block(x: Any, factors: Any) -> Any:
        for factor in factors:
            x = ag.sin(x * factor)
        return x

    def model() -> Any:
        if way == "checkpoint":
            y = x
            for i in range(0, layers, 5):
                y = ag.checkpoint(block, y, factors[i : i + 5])
            return ag.mean(y)
        if way == "spill":
            with graph.spill():
                return ag.mean(block(x, factors))
        return ag.mean(block(x, factors))

    loss = None
    for _ in range(steps):
        loss = model()
        loss.backward()
        with ag.no_grad():
            for factor in factors:
                factor -= 0.1 * factor.grad
                factor.grad = None
    return float(loss)


def worker(options: argparse.Namespace) -> None:
    """One run under the limit; prints what it took."""
    import numpy as np

    import agnograd as ag

    # What the libraries need by themselves is not counted.
    ag.tensor(np.ones(3), requires_grad=True).sum().backward()
    used = data_bytes()
    if options.limit:
        limit = used + options.limit * MB
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    before = time.perf_counter()
    try:
        loss = train(options.worker, options.layers, options.megabytes, options.steps)
    except MemoryError:
        print(json.dumps({"failed": True}))
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"failed": False, "loss": loss, "seconds": time.perf_counter() - before, "peak": peak}))


def data_bytes() -> int:
    """Bytes of this process that the limit counts."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024


def run(way: str, *, limit: int, layers: int = 40, megabytes: int = 16, steps: int = 2) -> dict[str, Any]:
    """One way of training, in a process of its own.

    Parameters
    ----------
    way : str
        ``plain``, ``spill`` or ``checkpoint``.
    limit : int
        By how many MB its data may grow; 0 for no limit.
    layers, megabytes, steps : int
        Operations in the chain (two for each layer), MB of an array, steps of training.
    """
    given = {"worker": way, "limit": limit, "layers": layers, "megabytes": megabytes, "steps": steps}
    options = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    found = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> None:
    """Print a table of the ways, with the limit and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker")
    parser.add_argument("--limit", type=int, default=400, help="MB by which the data of a run may grow")
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return
    sizes = {"layers": options.layers, "megabytes": options.megabytes, "steps": options.steps}
    print(f"{options.layers} layers, {options.megabytes} MB an array, two arrays saved a layer")
    for way, limit in (("plain", 0), ("plain", options.limit), ("spill", options.limit), ("checkpoint", options.limit)):
        found = run(way, limit=limit, **sizes)
        took = "fails" if found["failed"] else "loss {loss:.6f}, {seconds:.1f} s, peak {peak} MB".format(**found)
        print(f"{way:10} limit {f'{limit} MB' if limit else 'none':8} {took}")


if __name__ == "__main__":
    main()
