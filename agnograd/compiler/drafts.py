"""Code as data, to be kept on disk and made again: source, and by what names it refers to what.

What a source refers to is found anew where it is needed: functions in the backend's namespace, arrays in the program
that was recorded. Data are not trusted. A source is read word by word: assignments, calls, views and loops over blocks
are all that it may consist of, and all that it can reach are the functions and arrays it was given.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from keyword import iskeyword
from typing import Any

import numpy as np  # noqa: TID253 - this module is imported for programs on NumPy only

from agnograd.compiler.interpreting import Values
from agnograd.compiler.liveness import WRITES
from agnograd.compiler.program import Program, Var
from agnograd.compiler.regions import leaves, total
from agnograd.compiler.shapes import function_of
from agnograd.compiler.source import Code, Draft, pooled
from agnograd.core.table import OPS, Space

Data = Any

# Functions of NumPy's that are written besides those of the namespace.
_HELPERS: dict[str, Any] = {
    "copyto": np.copyto,
    "empty": np.empty,
    "full": np.full,
    "zeros": np.zeros,
    "dot": np.dot,
    "broadcast_to": np.broadcast_to,
    "add": np.add,
    "divide": np.divide,
    "reduce_add": np.add.reduce,
    "reduce_maximum": np.maximum.reduce,
    "reduce_minimum": np.minimum.reduce,
    "add_reduce": np.add.reduce,
    "add_at": np.add.at,
}
# Of an array nothing else is asked for.
_ATTRIBUTES = frozenset(("reshape", "view", "T", "swapaxes", "transpose", "copy", "astype", "fill", "append"))
_WORDS = frozenset(("def", "return", "del", "for", "in", "if", "None", "True", "False", "slice", "program"))
_STRING = re.compile(r"'[\w, .>-]*'")
_FOREIGN = re.compile(r"[^\w \n()\[\],.=+\-*/<>!:]|\*\*|__", re.ASCII)
_ATTRIBUTE = re.compile(r"\.\s*([A-Za-z_]\w*)", re.ASCII)
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)
# Names that a source assigns to, or that are those of keyword arguments: of them nothing is known.
_OWN = re.compile(r"[a-z]\d+\w*|(?:region|stack|results|parts)\d+\w*|[ab]|size", re.ASCII)
_KEYWORD = re.compile(r"[(,]\s*([a-z]\w*)=(?!=)", re.ASCII)


# What names of what kind there are.
_NAMES = {
    "array": re.compile(r"c\d+"),
    "blocks": re.compile(r"region\d+_blocks"),
    "total": re.compile(r"region\d+_total"),
    "dtype": re.compile(r"s\d+"),
    "number": re.compile(r"s\d+"),
    "fill": re.compile(r"[fks]\d+"),
}


class UnkeptError(Exception):
    """Code, or data, that are not for the disk."""


# -- to data ---------------------------------------------------------------------------------------------------------


def to_data(code: Code, program: Program) -> Data:
    """Code as what JSON can write.

    Parameters
    ----------
    program : Program
        As it was recorded.

    Raises
    ------
    UnkeptError
        If the code rests on what is not found again.
    """
    draft = code.draft
    if draft is None:
        what = "code that cannot be made anew"
        raise UnkeptError(what)
    if not isinstance(draft, Draft):
        return {"native": draft.to_data(), "notes": code.notes}
    names = {name.replace(".", "_"): name for name in (*OPS, *program.space.kernels)}
    scope = {
        name: _recipe(name, value, draft.scope, names, program.space)
        for name, value in draft.scope.items()
        if name not in ("GuardFailedError", "same")
    }
    return {"source": code.source, "setup": draft.setup, "scope": scope, "notes": code.notes}


def _recipe(name: str, value: Any, scope: dict[str, Any], names: dict[str, str], space: Space) -> list[Any]:
    if name in _HELPERS and _HELPERS[name] == value:
        return ["helper"]
    if name in names and (names[name] in WRITES or value == function_of(space, names[name])):
        return ["function", names[name], isinstance(value, np.ufunc)]
    if re.fullmatch(r"c\d+", name):
        return ["array", int(name[1:])]
    if name.endswith("_blocks") and type(value) is list:
        return ["blocks", *_tree(scope[name.replace("_blocks", "_total")])]
    if isinstance(value, functools.partial) and value.func is total:
        return ["total", *_tree(value)]
    if isinstance(value, np.dtype) and np.dtype(str(value)) == value and value.kind in "fciub":
        return ["dtype", str(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.size and not any(value.strides):
        return ["fill", _written(value.flat[0].item()), str(value.dtype), list(value.shape)]
    if type(value) is float:
        return ["number", value.hex()]
    msg = f"a {type(value).__name__}, of {space.name}"
    raise UnkeptError(msg)


def _tree(sums: Any) -> list[int]:
    return [sums.keywords["n"], sums.keywords["most"]]


def _written(x: Any) -> Any:
    return x.hex() if type(x) is float else x


# -- from data -------------------------------------------------------------------------------------------------------


def from_data(data: Data, program: Program) -> Code:
    """The code that data describe.

    Raises
    ------
    UnkeptError
        If they are not such as `to_data` makes.
    """
    found = _found(program)
    if "native" in data:
        from agnograd.compiler import native

        code = native.from_data(data["native"], found)
        code.notes = list(data["notes"])
        return code
    source, setup = data["source"], data["setup"]
    scope = {name: _value(name, recipe, program.space, found) for name, recipe in data["scope"].items()}
    check(setup + source, scope)
    draft = Draft(setup, scope)
    return Code(source, pooled(source, draft), data["notes"], np.asarray, draft)


def _found(program: Program) -> Callable[[int], Any]:
    """Arrays of the program by their numbers: its constants, and what is computed from nothing else."""
    constants = {v.number: x for v, x in program.constants.items()}
    made: dict[int, Var] = {}
    values = Values(program)

    def find(number: int) -> Any:
        if number in constants:
            return constants[number]
        if not made:
            made.update((v.number, v) for step in program.steps for v in step.outs)
        return values.of(made[number])

    return find


def _value(name: str, recipe: list[Any], space: Space, found: Callable[[int], Any]) -> Any:
    kind, *given = recipe
    if kind in _NAMES and not _NAMES[kind].fullmatch(name):
        msg = f"a {kind} called {name!r}"
        raise UnkeptError(msg)
    if kind == "helper":
        return _HELPERS[name]
    if kind == "function":
        full, is_ufunc = given
        known = full in OPS or full in space.kernels
        function = function_of(space, full) if known and full.replace(".", "_") == name else None
        if function is None or isinstance(function, np.ufunc) is not is_ufunc:
            msg = f"a function {full!r}"
            raise UnkeptError(msg)
        return function
    if kind == "array":
        return found(given[0])
    if kind == "blocks":
        return leaves(*_counts(*given))
    if kind == "total":
        n, most = _counts(*given)
        return functools.partial(total, n=n, most=most)
    if kind == "dtype":
        return _dtype(given[0])
    if kind == "fill":
        value, dtype, shape = given
        single = np.array(float.fromhex(value) if isinstance(value, str) else value, _dtype(dtype))
        return np.broadcast_to(single, shape) if shape else single
    if kind == "number":
        return float.fromhex(given[0])
    raise UnkeptError(kind)


def _dtype(text: str) -> Any:
    dtype = np.dtype(text)
    if dtype.kind not in "fciub":
        msg = f"a dtype {text!r}"
        raise UnkeptError(msg)
    return dtype


def _counts(n: int, most: int) -> tuple[int, int]:
    if not 1 << 8 < most < 1 << 20 or not 0 < n <= 1 << 40:
        what = "blocks of that size"
        raise UnkeptError(what)
    return n, most


def check(source: str, scope: Iterable[str]) -> None:
    """Refuse a source that may do more than generated code does.

    Parameters
    ----------
    scope : iterable of str
        The global names that it may use.

    Raises
    ------
    UnkeptError
        If a word or sign is none of those that generators write.
    """
    bare = _STRING.sub("0", source)
    foreign = _FOREIGN.search(bare)
    attributes = set(_ATTRIBUTE.findall(bare)) - _ATTRIBUTES
    words = set(_WORD.findall(bare)) - _WORDS
    given = {*scope, *_KEYWORD.findall(bare)}
    unknown = [word for word in words if iskeyword(word) or not (word in given or _OWN.fullmatch(word))]
    if foreign is not None or attributes or unknown or not source.isascii():
        msg = (
            f"source that has {foreign.group() if foreign else next(iter((*attributes, *unknown)), 'other letters')!r}"
        )
        raise UnkeptError(msg)
