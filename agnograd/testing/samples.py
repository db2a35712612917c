"""From the samples of the table to arrays: one case for each operation and sample.

Values are drawn from a seed that depends on the operation and the sample alone, so every backend and every run gets the
same ones. Drawn values keep their distance from one another: where a finite difference is taken across a tie of
`maximum`, or two steps of `floor`, it tells nothing.
"""

from __future__ import annotations

import contextlib
import fnmatch
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agnograd import plugins
from agnograd.core.array import Array as Wrapper
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.table import spaces
from agnograd.testing.matrix import DOUBLE, SINGLE, Row

Array = Any


@dataclass(frozen=True)
class Case:
    """An operation with one of its samples.

    Attributes
    ----------
    op : Op
    number : int
        Position of the sample.
    id : str
        What the sample is, in short: shapes, parameters.
    few : bool
        Whether it is one of the few that ``cases(few=True)`` gives.

    Examples
    --------
    >>> from agnograd.testing import cases
    >>> case = cases("tanh")[0]
    >>> case.key, case.is_complex
    (('tanh', 0), False)
    """

    op: Op
    number: int
    id: str
    few: bool = False

    @property
    def sample(self) -> Sample:
        """The sample."""
        return self.op.samples[self.number]

    @property
    def key(self) -> tuple[str, int]:
        """Operation and position: what the case is known by."""
        return self.op.name, self.number

    @property
    def is_edge(self) -> bool:
        """Whether expected gradients are given, because a finite difference would not tell."""
        return self.sample.gradient is not None

    @property
    def is_complex(self) -> bool:
        """Whether an argument is complex."""
        return any(_kind(x) == "c" for x in self.sample.arrays)

    def build(self, row: Row, precision: str = DOUBLE) -> Arguments:
        """The arguments on a row of the matrix."""
        return build(self.op, self.sample, row, precision)


@dataclass(frozen=True)
class Arguments:
    """A sample's arguments as arrays.

    Attributes
    ----------
    op : Op
    host : tuple
        NumPy arrays and Python numbers.
    arrays : tuple
        The same as raw arrays of the row.
    host_params, params : dict
        Static parameters for NumPy and for the row.
    positions : tuple of int
        The arrays that have a derivative.

    Examples
    --------
    >>> from agnograd.testing import cases, rows
    >>> made = cases("tanh")[0].build(rows(["numpy"])[0])
    >>> made.positions, made.primals[0].shape
    ((0,), (3,))
    """

    op: Op
    host: tuple[Any, ...]
    arrays: tuple[Any, ...]
    host_params: dict[str, Any]
    params: dict[str, Any]
    positions: tuple[int, ...]

    @property
    def primals(self) -> list[Array]:
        """The raw arrays that have a derivative."""
        return [self.arrays[i] for i in self.positions]

    def of(self, arrays: Sequence[Any]) -> Arguments:
        """The same with other arrays."""
        return replace(self, arrays=tuple(arrays))

    def function(self, call: Callable[..., Any] | None = None, only: Sequence[int] | None = None) -> Callable[..., Any]:
        """The operation as a function of the arrays that have a derivative, or of those at positions `only`.

        Where it is defined for some arrays only, it takes those; where it leaves something open, what is determined of
        its outputs is returned.
        """
        positions = self.positions if only is None else tuple(only)
        run = self.op.call if call is None else call

        def f(*primals: Any) -> Any:
            arrays = list(self.arrays)
            for i, x in zip(positions, primals, strict=True):
                arrays[i] = x
            if self.op.domain is not None:
                arrays = list(on_device(self.op.domain, arrays))
            return determined(self.op, invoke(self.op, run, arrays, self.params))

        return f


def on_device(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """``function(xp, *arrays)`` of wrappers, or of raw arrays where their device is the current one."""
    found = next((x for x in arrays if isinstance(x, Wrapper)), None)
    if found is not None:
        return function(found.__array_namespace__(), *arrays)
    space = spaces[type(arrays[0])]
    with contextlib.nullcontext() if space.guard is None else space.guard(arrays[0]):
        return function(space, *arrays)


def determined(op: Op, ans: Any) -> Any:
    """What of the outputs of an operation is not left to the library."""
    if op.invariant is None:
        return ans
    return on_device(op.invariant, ans if isinstance(ans, tuple) else (ans,))


def invoke(op: Op, function: Callable[..., Any], arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """Call a function with the signature of an operation, as users do: parameters by position where they may be."""
    rest = dict(params)
    leading = []
    for name in op.positional:
        if name not in rest:
            break
        leading.append(rest.pop(name))
    if op.starred:
        return function(*leading, *arrays, **rest)
    if op.variadic:
        return function(list(arrays), *leading, **rest)
    return function(*arrays, *leading, **rest)


def cases(pattern: str = "*", *, few: bool = False) -> list[Case]:
    """The cases of the table.

    Parameters
    ----------
    pattern : str
        Which operations, as in a shell: ``"special.*"``; several separated by commas.
    few : bool
        For each operation the first real sample, the first complex one and those at edges only.

    Examples
    --------
    >>> [case.id for case in cases("concat")][:2]
    ['(2x3,1x3)', '(2x3,2x1,2x3)-axis=-1']
    """
    patterns = [p.strip() for p in pattern.split(",")]
    out: list[Case] = []
    for op in plugins.manager.operations().values():
        if any(fnmatch.fnmatchcase(op.name, p) for p in patterns):
            out += [case for case in _cases_of(op) if case.few or not few]
    return out


def _cases_of(op: Op) -> list[Case]:
    names: dict[str, int] = {}
    out = []
    for number, sample in enumerate(op.samples):
        name = describe(op, sample)
        names[name] = names.get(name, 0) + 1
        out.append(Case(op, number, name if names[name] == 1 else f"{name}-{names[name]}"))
    few = _few(out)
    return [replace(case, few=case in few) for case in out]


def _few(found: list[Case]) -> list[Case]:
    plain = [case for case in found if not case.is_edge]
    firsts = [[case for case in plain if case.is_complex is kind][:1] for kind in (False, True)]
    return [*(case for case in found if case.is_edge), *firsts[0], *firsts[1]]


# -- names -------------------------------------------------------------------------------------------------------------


def describe(op: Op, sample: Sample) -> str:
    """A short name: shapes (``c`` for complex), values, parameters."""
    arrays = ",".join(_text(x) for x in sample.arrays)
    params = [f"{name}={_value(value)}" for name, value in sample.params.items()]
    return "-".join([f"({arrays})" if op.variadic else arrays, *params])


def _text(x: Any) -> str:
    if isinstance(x, Uniform):
        shape = "x".join(map(str, x.shape)) or "scalar"
        return f"{'c' if x.kind == 'complex' else ''}{shape}{'' if x.high > 0 else 'neg'}"
    return _value(x)


# A matrix that is written out is named by its shape.
_LONG = 40


def _value(x: Any) -> str:
    if isinstance(x, list) and len(str(x)) > _LONG:
        import numpy as np

        array = np.asarray(x)
        return f"[{'c' if array.dtype.kind == 'c' else ''}{'x'.join(map(str, array.shape))}]"
    if isinstance(x, slice):
        parts = [x.start, x.stop] if x.step is None else [x.start, x.stop, x.step]
        return ":".join("" if p is None else str(p) for p in parts)
    if isinstance(x, (tuple, list)):
        left, right = "()" if isinstance(x, tuple) else "[]"
        return f"{left}{','.join(_value(y) for y in x)}{right}"
    return "..." if x is Ellipsis else str(x)


# -- values ------------------------------------------------------------------------------------------------------------


def _kind(x: Any) -> str:
    """NumPy's letter for the kind of number; empty for a Python number."""
    if isinstance(x, Uniform):
        return "c" if x.kind == "complex" else "f"
    if not isinstance(x, (list, tuple)):
        return ""
    import numpy as np

    return np.asarray(x).dtype.kind


def draw(op: Op, sample: Sample, number: int = 0) -> tuple[Any, ...]:
    """The arguments of a sample as NumPy arrays in double precision, and its Python numbers as they are.

    Another `number` draws others; what is written out stays the same.
    """
    import numpy as np

    seed = zlib.crc32(f"{op.name} {describe(op, sample)}{number or ''}".encode())
    generator = np.random.default_rng(seed)
    drawn = [x for x in sample.arrays if isinstance(x, Uniform)]
    parts = 2 * max(len(drawn), 1)
    cells = max([1, *(int(np.prod(x.shape)) for x in drawn)])
    taken = 0

    def values(x: Uniform) -> Any:
        # One value in each of some cells of the interval, never near a border; every array has cells of its own.
        nonlocal taken
        order = generator.permutation(cells)[: int(np.prod(x.shape))]
        place = (order * parts + taken + generator.uniform(0.25, 0.75, len(order))) / (cells * parts)
        taken += 1
        return (x.low + (x.high - x.low) * place).reshape(x.shape)

    out: list[Any] = []
    for x in sample.arrays:
        if isinstance(x, Uniform):
            out.append(values(x) + 1j * values(x) if x.kind == "complex" else values(x))
        elif isinstance(x, (list, tuple)):
            out.append(np.asarray(x))
        else:
            out.append(x)
    return tuple(out)


def build(op: Op, sample: Sample, row: Row, precision: str = DOUBLE) -> Arguments:
    """Arguments of a sample on a row.

    Parameters
    ----------
    op : Op
        The operation.
    sample : Sample
        In its parameters, ``dtype`` is the name of a dtype, ``device="same"`` the row's device, and a list in ``key``
        an array of indices.
    row : Row
        Where they are made.
    precision : str
        ``float64``, or ``float32`` for that and complex64.

    Returns
    -------
    Arguments

    Examples
    --------
    >>> from agnograd.core.table import OPS
    >>> from agnograd.testing import build, rows
    >>> op = OPS["tanh"]
    >>> build(op, op.samples[0], rows(["numpy"])[0], "float32").host[0].dtype
    dtype('float32')
    """
    host = tuple(cast(x, precision) for x in draw(op, sample))
    arrays = tuple(row.asarray(x) if hasattr(x, "dtype") else x for x in host)
    differentiable = _differentiable(op, len(host))
    positions = tuple(i for i in differentiable if hasattr(host[i], "dtype") and host[i].dtype.kind in "fc")
    device = next((row.space.device(x) for x in arrays if hasattr(x, "dtype")), None)
    params = {name: _param(row, device, name, value) for name, value in sample.params.items()}
    return Arguments(op, host, arrays, _host_params(row, sample), params, positions)


def _differentiable(op: Op, count: int) -> tuple[int, ...]:
    if op.tier == "none":
        return ()
    if op.tier == "composite" or op.variadic:
        return tuple(range(count))
    return tuple(op.arrays.index(name) for name in op.differentiable)


def cast(x: Any, precision: str) -> Any:
    """An array of floating-point numbers in a precision; anything else as it is."""
    import numpy as np

    if not isinstance(x, np.ndarray) or precision == DOUBLE:
        return x
    return x.astype({"f": SINGLE, "c": "complex64"}.get(x.dtype.kind, x.dtype))


def _param(row: Row, device: Any, name: str, value: Any) -> Any:
    if name == "dtype":
        return row.dtype(value)
    if name == "device":
        return device if value == "same" else value
    if name in {"key", "keys"}:
        return _key(value, row.asarray)
    return value


def _host_params(row: Row, sample: Sample) -> dict[str, Any]:
    import numpy as np

    out: dict[str, Any] = {}
    for name, value in sample.params.items():
        if name == "dtype":
            out[name] = np.dtype(row.dtype_name(value))
        elif name == "device":
            out[name] = "cpu"
        else:
            out[name] = _key(value, lambda x: x) if name in {"key", "keys"} else value
    return out


def _key(key: Any, asarray: Callable[[Any], Any]) -> Any:
    import numpy as np

    if isinstance(key, tuple):
        return tuple(_key(k, asarray) for k in key)
    return asarray(np.asarray(key)) if isinstance(key, list) else key
