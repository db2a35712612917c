"""Write agnograd/_signatures.pyi: what an editor and a type checker know of the operations, from the table.

Functions and methods for operations are made when agnograd is imported, where neither sees them. ``--check`` writes
nothing and exits with 1 if the file is out of date.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from inspect import Parameter
from pathlib import Path

import agnograd as ag
from agnograd.core.methods import _REDUCTIONS, _SAME
from agnograd.core.op import Op
from agnograd.core.table import OPS
from agnograd.namespaces import _ALSO_IN_LINALG, DTYPES
from agnograd.ops import FAMILIES
from agnograd.ops.documentation import docstring

PAGE = Path(__file__).resolve().parents[1] / "agnograd" / "_signatures.pyi"

HEAD = '''"""What is made when agnograd is imported: functions of operations, and methods of tensors.

Written by `python scripts/signatures.py` from the table of operations; do not edit. There is no module of this name
when a program runs. A function of tensors gives tensors, one of a backend's arrays gives arrays of that backend.
"""

import builtins
from collections.abc import Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, Self, TypeVar, overload

from agnograd.tensors import Tensor

class _HasDtype(Protocol):
    @property
    def dtype(self) -> Any: ...

_A = TypeVar("_A", bound=_HasDtype)
_T = TypeVar("_T")
_Axes = int | tuple[int, ...]
_Norm = Literal["backward", "ortho", "forward"]
'''

# What operations return that return more than one array: the class, and its attributes.
RESULTS = {
    "linalg.eig": ("Eig", ("eigenvalues", "eigenvectors")),
    "linalg.eigh": ("Eigh", ("eigenvalues", "eigenvectors")),
    "linalg.qr": ("QR", ("Q", "R")),
    "linalg.slogdet": ("Slogdet", ("sign", "logabsdet")),
    "linalg.svd": ("SVD", ("U", "S", "Vh")),
    "unique_all": ("UniqueAll", ("values", "indices", "inverse_indices", "counts")),
    "unique_counts": ("UniqueCounts", ("values", "counts")),
    "unique_inverse": ("UniqueInverse", ("values", "inverse_indices")),
}
TUPLES = ("broadcast_arrays", "nonzero", "unstack")

_BOOL = "builtins.bool"
_SHAPE = "int | tuple[int, ...]"

# Parameter, or operation and parameter, to its type.
TYPES = {
    "atol": "float",
    "axes": "int | tuple[int, ...] | None",
    "axis": "int | tuple[int, ...] | None",
    "chunks": "Any",
    "constant_values": "complex",
    "copy": f"{_BOOL} | None",
    "correction": "float",
    "descending": _BOOL,
    "destination": "_Axes",
    "device": "Any",
    "dtype": "Any",
    "equal_nan": _BOOL,
    "fill_value": "complex",
    "full_matrices": _BOOL,
    "high": "float | None",
    "include_initial": _BOOL,
    "invert": _BOOL,
    "k": "int",
    "keepdims": _BOOL,
    "key": "Any",
    "keys": "Sequence[Any]",
    "labels": "tuple[str, str, str]",
    "lifted": _BOOL,
    "low": "float | None",
    "max": "Any",
    "min": "Any",
    "mode": "str",
    "n": "int | None",
    "name": "str",
    "norm": "_Norm",
    "offset": "int",
    "optimize": f"{_BOOL} | str",
    "ord": "float | str | None",
    "pad_width": "Any",
    "reason": "str",
    "repeats": "Any",
    "repetitions": "tuple[int, ...]",
    "rtol": "Any",
    "s": "Sequence[int] | None",
    "shape": _SHAPE,
    "shift": "_Axes",
    "side": 'Literal["left", "right"]',
    "sorter": "Any",
    "source": "_Axes",
    "stable": _BOOL,
    "stream": "Any",
    "subscripts": "str",
    "upper": _BOOL,
    "append": "Any",
    "prepend": "Any",
    "argsort.axis": "int",
    "astype.copy": _BOOL,
    "concat.axis": "int | None",
    "diff.axis": "int",
    "diff.n": "int",
    "expand_dims.axis": "_Axes",
    "fft.fftn.axes": "Sequence[int] | None",
    "fft.ifftn.axes": "Sequence[int] | None",
    "fft.irfftn.axes": "Sequence[int] | None",
    "fft.rfftn.axes": "Sequence[int] | None",
    "isclose.rtol": "float",
    "linalg.cross.axis": "int",
    "linalg.matrix_power.n": "int",
    "linalg.qr.mode": 'Literal["reduced", "complete"]',
    "pad.mode": 'Literal["constant"]',
    "permute_dims.axes": "tuple[int, ...]",
    "sort.axis": "int",
    "squeeze.axis": "_Axes",
    "stack.axis": "int",
    "take.axis": "int | None",
    "take_along_axis.axis": "int",
    "tensordot.axes": "int | tuple[Sequence[int], Sequence[int]]",
    "unstack.axis": "int",
    "vecdot.axis": "int",
    **{f"fft.{kind}.axis": "int" for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
}

OPERATORS = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("and", "or", "xor", "lshift", "rshift"),
)
COMPARISONS = ("lt", "le", "gt", "ge")

# What is no operation of the same name: `agnograd.core.conversions`, `agnograd.core.methods`, `agnograd.interop`.
METHODS = f'''
def __eq__(self, other: object) -> Self: ...  # type: ignore[override]
def __ne__(self, other: object) -> Self: ...  # type: ignore[override]
def __neg__(self) -> Self: ...
def __pos__(self) -> Self: ...
def __abs__(self) -> Self: ...
def __invert__(self) -> Self: ...
def __getitem__(self, key: Any) -> Self: ...
def __setitem__(self, key: Any, value: Any) -> None: ...
def __array__(self, dtype: Any = None, copy: {_BOOL} | None = None) -> Any: ...
def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any: ...
def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any: ...
def __dlpack__(self, **options: Any) -> Any: ...
def __dlpack_device__(self) -> Any: ...
def __float__(self) -> float: ...
def __int__(self) -> int: ...
def __complex__(self) -> complex: ...
def __index__(self) -> int: ...
def __bool__(self) -> {_BOOL}: ...
@property
def real(self) -> Self:
    """Real part."""
@property
def imag(self) -> Self:
    """Imaginary part."""
@property
def flat(self) -> Self:
    """A view on one axis."""
@property
def chunks(self) -> tuple[tuple[int, ...], ...]:
    """The sizes of the chunks along each axis, for arrays that have chunks."""
def item(self) -> Any:
    """The only element as a Python number."""
def tolist(self) -> Any:
    """The elements as nested lists of Python numbers."""
def detach(self) -> Tensor:
    """The values without graph or tangents at any level, as a tensor that shares them."""
def to_device(self, device: Any, /, *, stream: Any = None) -> Self:
    """`agnograd.to_device` of this tensor."""
def reshape(self, *shape: int | tuple[int, ...]) -> Self:
    """`agnograd.reshape`, sizes as separate arguments or as a tuple."""
def view(self, *shape: int | tuple[int, ...]) -> Self:
    """`agnograd.reshape`, sizes as separate arguments or as a tuple."""
def norm(self) -> Self:
    """Euclidean norm of all elements; its gradient at 0 is 0."""
def softmax(self, dim: _Axes) -> Self:
    """`agnograd.softmax` of this tensor along `dim`."""
def log_softmax(self, dim: _Axes) -> Self:
    """`agnograd.log_softmax` of this tensor along `dim`."""
def logsumexp(self, dim: _Axes, keepdim: {_BOOL} = False) -> Self:
    """`agnograd.logsumexp` of this tensor over `dim`."""
def conjugate(self) -> Self:
    """Complex conjugate of each element."""
def copy(self, order: str | None = None) -> Self:
    """An independent copy; gradients flow through it."""
def flatten(self, start_dim: int | str = 0, end_dim: int = -1) -> Self:
    """A copy on one axis, or with the axes from `start_dim` to `end_dim` merged."""
def ravel(self, order: str = "C") -> Self:
    """A view on one axis."""
def transpose(self, *axes: int | tuple[int, ...]) -> Self:
    """A view with its axes reversed, permuted or swapped."""
def take(self, indices: Any, axis: int | None = None) -> Self:
    """Elements along an axis, of all of them in one row if none is given."""
def rechunk(self, chunks: Any) -> Self:
    """The same values in other chunks, given as dask's ``rechunk`` takes them."""
def compute(self, **options: Any) -> Self:
    """`agnograd.compute` of this tensor alone."""
def persist(self, **options: Any) -> Self:
    """`agnograd.persist` of this tensor alone."""
def visualize(self, filename: str = "mydask", **options: Any) -> Any:
    """The graph of a lazy array as a picture, as ``dask.visualize`` draws it."""
'''


# Functions of the ``fft`` extension that take no array.
FREQUENCIES = [
    f"def {name}(self, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:\n"
    f'    """{line}"""'
    for name, line in (
        ("fftfreq", "Frequencies of the terms of a discrete Fourier transform, for samples at distance `d`."),
        ("rfftfreq", "Frequencies of the terms of a transform of real numbers, for samples at distance `d`."),
    )
]


def own() -> list[Op]:
    """The operations that come with agnograd, in their order."""
    return [op for family in FAMILIES for op in vars(family).values() if isinstance(op, Op)]


def declared(op: Op, types: dict[str, str], first: str = "") -> str:
    """The parameters as they stand in a definition, arrays being of the types that are given."""
    found = [first] if first else []
    kind = None
    for p in op.signature.parameters.values():
        if kind is p.POSITIONAL_ONLY and p.kind is not kind:
            found.append("/")
        if p.kind is p.KEYWORD_ONLY and kind not in {p.KEYWORD_ONLY, p.VAR_POSITIONAL}:
            found.append("*")
        kind = p.kind
        found.append(_parameter(op, p, types))
    return ", ".join([*found, "/"] if kind is Parameter.POSITIONAL_ONLY else found)


def _parameter(op: Op, p: Parameter, types: dict[str, str]) -> str:
    type_ = types.get(p.name) or TYPES.get(f"{op.name}.{p.name}") or TYPES[p.name]
    if p.default is not p.empty and p.default is None and type_ != "Any" and "None" not in type_:
        type_ += " | None"
    default = "" if p.default is p.empty else f" = {p.default!r}"
    return f"{'*' if p.kind is p.VAR_POSITIONAL else ''}{p.name}: {type_}{default}"


def overloads(op: Op) -> Iterator[tuple[dict[str, str], str]]:
    """For each overload the types of the arrays, and that of one array of the result."""
    others = dict.fromkeys(op.arrays, "Any")
    if op.starred or op.variadic:
        several = "{}" if op.starred else "Sequence[{}]"
        for one, result in (("Tensor", "Tensor"), ("Any", "Any")):
            yield {"arrays": several.format(one)}, result
        return
    if len(op.arrays) == 1:
        yield {op.arrays[0]: "_A"}, "_A"
    else:
        for name in op.arrays:
            yield {**others, name: "Tensor"}, "Tensor"
    yield others, "Any"


def result(op: Op, one: str) -> str:
    """The type that an operation returns, where one of its arrays has the type that is given."""
    if op.name in TUPLES:
        return f"tuple[{one}, ...]"
    return f"{RESULTS[op.name][0]}[{one}]" if op.name in RESULTS else one


def definitions(op: Op, first: str = "") -> Iterator[str]:
    """The overloads of an operation's function, or of a method that takes the namespace first."""
    name = op.name.rpartition(".")[2]
    text = docstring(op) if not first else docstring(op).partition("\n")[0]
    for number, (types, one) in enumerate(overloads(op)):
        yield "@overload"
        yield f"def {name}({declared(op, types, first)}) -> {result(op, one)}:{'' if number == 0 else ' ...'}"
        if number == 0:
            yield textwrap.indent(f'"""{text}"""', "    ")


def class_of(name: str, doc: str, body: Iterable[str]) -> str:
    """A class."""
    return "\n".join([f"\nclass {name}:", f'    """{doc}"""\n', *[textwrap.indent(line, "    ") for line in body]])


def methods() -> Iterator[str]:
    """The methods of tensors."""
    for name in OPERATORS:
        yield f"def __{name}__(self, other: Any) -> Self: ..."
        yield f"def __r{name}__(self, other: Any) -> Self: ..."
        yield f"def __i{name}__(self, other: Any) -> Self: ..."
    for name in COMPARISONS:
        yield f"def __{name}__(self, other: Any) -> Self: ..."
    for name in _SAME:
        op = OPS[name]
        first, *others = op.arrays
        given = declared(op, {first: "SELF", **dict.fromkeys(others, "Any")}).replace(f"{first}: SELF", "self")
        yield f'def {name}({given}) -> Self:\n    """{docstring(op).partition(chr(10))[0]}"""'
    for name in _REDUCTIONS:
        statics = OPS[name].statics
        more = ", dtype: Any = None" if "dtype" in statics else ""
        if "correction" in statics:
            more += ", correction: float | None = None, ddof: float | None = None"
        yield (
            f"def {name}(self, axis: _Axes | None = None, *, dim: _Axes | None = None, "
            f"keepdims: {_BOOL} | None = None, "
            f"keepdim: {_BOOL} | None = None, out: None = None{more}) -> Self:\n"
            f'    """{docstring(OPS[name]).partition(chr(10))[0]}"""'
        )
    yield METHODS


def page() -> str:
    """The whole file, formatted."""
    parts = [HEAD]
    for name, fields in RESULTS.values():
        parts.append(f"\nclass {name}(NamedTuple, Generic[_T]):")
        parts += [f"    {field}: _T" for field in fields]
    main = [op for op in own() if "." not in op.name]
    linalg = [*(OPS[name] for name in _ALSO_IN_LINALG), *(op for op in own() if op.name.startswith("linalg."))]
    fourier = [op for op in own() if op.name.startswith("fft.")]
    public = [op for op in main if getattr(ag, op.name) is op.call]
    parts.append(f"\n__all__ = {sorted(op.name for op in public)!r}\n")
    parts += [line for op in public for line in definitions(op)]

    def bound(ops: Iterable[Op]) -> Iterator[str]:
        return (line for op in ops for line in definitions(op, "self"))

    parts.append(class_of("Linalg", "The ``linalg`` extension of a namespace.", bound(linalg)))
    parts.append(class_of("Fourier", "The ``fft`` extension of a namespace.", [*bound(fourier), *FREQUENCIES]))
    dtypes = [f"@property\ndef {name}(self) -> Any: ..." for name in DTYPES]
    parts.append(class_of("Operations", "The operations and dtypes of a namespace.", [*bound(main), *dtypes]))
    parts.append(class_of("Methods", "What arrays do, tensors among them.", methods()))
    source = "\n".join(parts)
    command = ["ruff", "format", "--stdin-filename", str(PAGE), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Write the file, or compare it."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif text != PAGE.read_text(encoding="utf-8"):
        sys.exit(f"{PAGE.name} is out of date: run python scripts/signatures.py")


if __name__ == "__main__":
    main()
