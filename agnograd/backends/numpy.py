"""NumPy: the default backend."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agnograd.backends import host_memory, numpy_matrices, repairs
from agnograd.backends.text import describe, undefined_gradient
from agnograd.hookspecs import Backend, hookimpl

Array = Any


def to_host(x: Array) -> Array:
    """The same values as an ndarray."""
    import numpy as np

    return np.asarray(x)


def expose(x: Array) -> Array:
    """A read-only view: values of tensors are immutable. NumPy's scalars become 0-d arrays."""
    import numpy as np

    out = np.asarray(x).view()
    out.flags.writeable = False
    return out


def to_array(x: Array, dtype: Any, copy: bool | None) -> Array:
    """What ``numpy.asarray`` of a tensor gives."""
    import numpy as np

    out = expose(x)
    if copy or (dtype is not None and np.dtype(dtype) != out.dtype):
        return np.array(out, dtype=dtype)
    return out


def copy(x: Array) -> Array:
    """An independent ndarray."""
    import numpy as np

    return np.array(x)


def device(x: Array) -> str:
    """NumPy knows one device."""
    return "cpu"


def seed(root: Array) -> Array:
    """Ones like the root of a pass; where it has no axes NumPy's scalar, with which it reckons six times faster."""
    if not root.shape:
        return root.dtype.type(1)
    import numpy as np

    return np.ones(root.shape, root.dtype)


def kernels_of(type_: type) -> Mapping[str, Callable[..., Any]]:
    """What NumPy's scalars run on: their own operators, which its functions would make arrays of them for."""
    import numpy as np

    return _OPERATORS if issubclass(type_, np.inexact) else {}


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}


def is_scalar(x: Array) -> bool:
    """NumPy's scalars take part in other libraries' operations as Python scalars."""
    import numpy as np

    return isinstance(x, np.generic)


def kernels() -> dict[str, Callable[..., Any]]:
    """Bodies that skip NumPy's Python layers, and the scatter that the standard lacks."""
    import array_api_compat.numpy as xp
    import numpy as np

    add_reduce: Callable[..., Array] = np.add.reduce

    def sum_(x: Array, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        # np.sum spends half a microsecond on dispatch; small integers must still be widened as the standard says.
        if dtype is None and x.dtype.kind in "fc":
            return add_reduce(x, axis=axis, keepdims=keepdims)
        return np.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        # So does np.mean, and more on what is seldom asked of it: half precision, no elements, several axes.
        if x.dtype.char in "fdFD" and x.size and (axis is None or type(axis) is int):
            return add_reduce(x, axis=axis, keepdims=keepdims) / (x.size if axis is None else x.shape[axis])
        return np.mean(x, axis=axis, keepdims=keepdims)

    def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
        if not x.shape:
            # A 0-d value: a zero-stride view, ten times faster than np.broadcast_to.
            out = np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
            if type(x) is not np.ndarray:
                return out  # the memory of a scalar is read-only
            out.flags.writeable = False
            return out
        return np.broadcast_to(x, shape)

    def reshape(x: Array, shape: Any, *, copy: bool | None = None) -> Array:
        if copy is None and type(x) is np.ndarray:
            return x.reshape(shape)
        return np.reshape(np.asarray(x), shape, copy=copy)

    def matrix_transpose(x: Array) -> Array:
        if x.ndim < 2:
            msg = f"matrix_transpose needs two axes or more, the array has shape {x.shape}"
            raise ValueError(msg)
        return x.mT

    def conj(x: Array) -> Array:
        return np.conjugate(x) if x.dtype.kind == "c" else x

    def add_into(x: Array, value: Array, key: Any) -> Array:
        if type(x) is not np.ndarray:
            x = np.array(x)  # sums without axes are NumPy's scalars
        if type(key) is slice or _is_basic(key):
            part = x[key]
            if type(part) is np.ndarray:
                part += value  # x[key] += value would write the view back to where it is
            else:
                x[key] = part + value
        else:
            np.add.at(x, key, value)
        return x

    def scatter_add(x: Array, indices: Array, value: Array) -> Array:
        out = np.array(x)
        np.add.at(out, indices, value)
        return out

    def getitem(x: Array, key: Any) -> Array:
        return x[key]

    def matmul(x1: Array, x2: Array) -> Array:
        # The same BLAS call, and half of the time of a small one.
        return np.dot(x1, x2) if x1.ndim == 2 == x2.ndim else np.matmul(x1, x2)

    def outer(x1: Array, x2: Array) -> Array:
        # What is wrong, NumPy's own explains.
        return x1[:, None] * x2 if x1.ndim == x2.ndim == 1 else np.linalg.outer(x1, x2)

    def unit_multiples(x: Array) -> Array:
        n = x.size
        out = np.zeros(n * n, x.dtype)
        out[:: n + 1] = x.ravel()
        return out.reshape(n, n)

    return {
        "sum": sum_,
        "unit_multiples": unit_multiples,
        "mean": mean,
        "bounded": lambda x, *, low=None, high=None: np.clip(x, low, high),
        # array-api-compat's functions check what these check themselves.
        "ones": np.ones,
        "zeros": np.zeros,
        "broadcast_to": broadcast_to,
        "reshape": reshape,
        "matrix_transpose": matrix_transpose,
        "conj": conj,
        # array-api-compat divides by zero first and repairs the result.
        "sign": np.sign,
        # Not tanh, which is common and would pay for it: there a special case lacks the sign of a zero.
        "expm1": repairs.kernels(xp)["expm1"],
        "add_into": add_into,
        "scatter_add": scatter_add,
        "defined_where": defined_where,
        "getitem": getitem,
        "permute_dims": lambda x, axes: x.transpose(axes),
        "matmul": matmul,
        "linalg.outer": outer,
        # A third faster than broadcasting, whose innermost loops are short.
        "outer_of_stacks": lambda x1, x2: np.einsum("...i,...j->...ij", x1, x2),
        "tensordot": np.tensordot,
        **numpy_matrices.kernels(),
    }


def defined_where(x: Array, condition: Array, *, reason: str = "") -> Array:
    """`x`, if a condition holds everywhere."""
    if not condition.all():
        raise undefined_gradient(x, reason)
    return x


def _is_basic(key: Any) -> bool:
    return _BASIC.issuperset(map(type, key if type(key) is tuple else (key,)))


_BASIC = frozenset((int, slice, type(None), type(Ellipsis)))


@hookimpl
def agnograd_backends() -> Iterable[Backend]:
    """NumPy's description."""
    yield Backend(
        name="numpy",
        namespace="array_api_compat.numpy",
        array_types=("numpy:ndarray", "numpy:generic"),
        requires=("numpy",),
        to_host=to_host,
        expose=expose,
        copy=copy,
        device=device,
        seed=seed,
        is_scalar=is_scalar,
        kernels=kernels,
        kernels_of=kernels_of,
        memory=host_memory.memory,
        describe=describe,
        generator="agnograd.compiler.on_numpy:generate",
        doc="NumPy arrays in the memory of the host",
        url="https://numpy.org",
    )
