"""What the results of operations are held against: NumPy's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnograd.core.op import Op
from agnograd.core.table import spaces
from agnograd.testing.gradcheck import leaves
from agnograd.testing.samples import Arguments, Case, determined, invoke, on_device


def _references() -> dict[str, Callable[..., Any]]:
    """What the table's own operations mean, in NumPy."""
    import numpy as np

    def embed(x: Any, *, key: Any, shape: Any) -> Any:
        out = np.zeros(shape, x.dtype)
        np.add.at(out, key, x)
        return out

    def scatter_add(x: Any, indices: Any, value: Any) -> Any:
        out = x.copy()
        np.add.at(out, indices, value)
        return out

    def setitem(x: Any, value: Any, *, key: Any) -> Any:
        out = x.copy()
        out[key] = value
        return out

    return {
        "clone": np.copy,
        "embed": embed,
        "getitem": lambda x, key: x[key],
        "norm": lambda x: np.asarray(np.linalg.norm(x.reshape(-1)), dtype=x.real.dtype),
        "scatter_add": scatter_add,
        "setitem": setitem,
        # The standard has `axes` by name only.
        "tensordot": lambda x1, x2, axes=2: np.tensordot(x1, x2, axes=axes),
        "to_backend": lambda x, _name: x,
        "to_device": lambda x, _device: x,
    }


def reference(case: Case, made: Arguments) -> list[Any]:
    """NumPy's result; for operations that NumPy does not have, that of the NumPy backend, without a kernel."""
    import array_api_compat.numpy as xp
    import numpy as np

    op = case.op
    function: Any = _references().get(op.name)
    if function is None:
        function = xp
        for part in op.name.split("."):
            function = getattr(function, part, None)
    with np.errstate(all="ignore"):
        if function is None and op.body is not None and op.name in spaces.named("numpy").kernels:
            return [np.asarray(x) for x in outputs(op, _without_kernel(op, made))]
        function = function or op.call
        return [np.asarray(x) for x in outputs(op, invoke(op, function, made.host, made.host_params))]


def _without_kernel(op: Op, made: Arguments) -> Any:
    """What an operation's own body gives: a kernel is held against it."""
    assert op.body is not None
    params = dict(made.host_params)
    by_position = [params.pop(name) for name in op.positional_only]
    arrays = [list(made.host)] if op.variadic else made.host
    return op.body(spaces.named("numpy"), *arrays, *by_position, **params)


def outputs(op: Op, ans: Any) -> list[Any]:
    """The arrays of a result, and of those that a library is free to choose what is determined."""
    if op.invariant is None:
        return leaves(ans)
    items = ans if isinstance(ans, tuple) else (ans,)
    # Shape and dtype of each, and values that do not depend on the choice.
    return [*on_device(lambda xp, *arrays: [xp.zeros_like(x) for x in arrays], items), *leaves(determined(op, ans))]
