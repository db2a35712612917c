"""What a function rests on that is not rebuilt around other arrays: code, classes, modules, sets.

All of it is guarded. Arrays found there belong to the program: it reads them where they are, and is made again where
another one has taken the place.
"""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

PLAIN = (bool, int, float, complex, str, bytes, type(None))

# Packages whose functions name no array of the user's in their globals.
_LIBRARIES = frozenset(
    (
        *("agnograd", "array_api_compat", "array_api_extra", "array_api_strict", "cupy", "cupyx", "dask", "einops"),
        *("jax", "ndonnx", "numpy", "optree", "pytest", "scipy", "sklearn", "torch", "_pytest", "pluggy"),
    )
)
# Places that are looked at, at most.
_LIMIT = 5_000
_CODE = ("__code__", "__defaults__", "__kwdefaults__")


class Fixed:
    """Places whose contents must stay.

    Attributes
    ----------
    places : list of tuple
        ``(kind, source, key, expected)``: an item or an attribute of the source, its length, or what a set contains.
    """

    def __init__(self, known: Callable[[Any], bool]) -> None:
        self.places: list[tuple[str, Any, Any, Any]] = []
        self._known = known
        self._seen: set[int] = set()
        self._kept: list[Any] = []
        self._names: set[str] = set()
        # What counts only if some code names it.
        self._pending: list[tuple[Any, str, Any]] = []

    def holds(self) -> bool:
        """Whether they have."""
        return all(_is_as_it_was(*place) for place in self.places)

    def tests(self, scope: dict[str, Any]) -> Iterator[str]:
        """The same as conditions in Python, on global names that are added to `scope`."""
        for i, (kind, source, key, expected) in enumerate(self.places):
            scope |= {f"f{i}": source, f"g{i}": expected}
            if kind == "attribute":
                yield f"f{i}.{key} is g{i}"
            elif kind == "item":
                scope[f"h{i}"] = key
                yield f"f{i}[h{i}] is g{i}"
            else:
                yield f"len(f{i}) == g{i}" if kind == "length" else f"f{i} == g{i}"

    def function(self, f: types.FunctionType) -> None:
        """Guard the code of a function, and take note of the names in it."""
        for name in _CODE:
            self._add("attribute", f, name, getattr(f, name))
        self._names.update(names_of(f.__code__))

    def dictionary(self, x: Any) -> None:
        """Guard that an object keeps its dictionary of attributes."""
        self._add("attribute", x, "__dict__", x.__dict__)

    def length(self, x: Any) -> None:
        """Guard the number of items."""
        self._add("length", x, None, len(x))

    def entry(self, source: Any, key: Any, x: Any) -> None:
        """Guard a class or module at a place, and what it holds."""
        if not is_library(x.__name__ if isinstance(x, types.ModuleType) else x.__module__):
            if isinstance(source, types.CellType):
                self._add("attribute", source, "cell_contents", x)
            elif not isinstance(source, tuple):
                self._add("item", source, key, x)
            self.follow(x)

    def finish(self) -> None:
        """Look at all that was named after it had been found."""
        while True:
            named = [entry for entry in self._pending if self._is_named(entry)]
            if not named:
                return
            self._pending = [entry for entry in self._pending if not self._is_named(entry)]
            for source, name, x in named:
                self._add("item", source, name, x)
                self.follow(x)

    def _is_named(self, entry: tuple[Any, str, Any]) -> bool:
        _, name, x = entry
        # Operators, calls and the like are not named.
        special = name.startswith("__") and name.endswith("__") and isinstance(x, types.FunctionType)
        return special or name in self._names

    def _add(self, kind: str, source: Any, key: Any, expected: Any) -> None:
        if len(self.places) < _LIMIT:
            self.places.append((kind, source, key, expected))

    def follow(self, x: Any) -> None:
        """Guard what an object is made of."""
        if isinstance(x, (*PLAIN, types.BuiltinFunctionType, types.CodeType, types.FrameType)):
            return
        if id(x) in self._seen or self._known(x) or len(self.places) >= _LIMIT:
            return
        self._seen.add(id(x))
        self._kept.append(x)
        if isinstance(x, types.FunctionType):
            self._follow_function(x)
        elif isinstance(x, type):
            self._classes(x)
        elif isinstance(x, types.ModuleType):
            if not is_library(x.__name__):
                self._pending += [(x.__dict__, name, item) for name, item in list(x.__dict__.items())]
        elif isinstance(x, (set, frozenset)):
            self._add("contents", x, None, frozenset(x))
        elif isinstance(x, (list, deque, dict)):
            self._items(x)
        elif isinstance(x, tuple):
            for item in x:
                self.follow(item)
        elif type(x).__module__ == "numpy":
            # Of an array without axes a program has the number.
            if getattr(x, "shape", None) == ():
                self._add("contents", x, None, x.copy())
        else:
            self._follow_object(x)

    def _items(self, x: Any) -> None:
        self.length(x)
        for key, item in list(x.items() if isinstance(x, dict) else enumerate(x)):
            self._add("item", x, key, item)
            self.follow(item)

    def _follow_function(self, f: types.FunctionType) -> None:
        if is_library(f.__globals__.get("__name__")):
            return
        self.function(f)
        for cell in f.__closure__ or ():
            if is_filled(cell):
                self._add("attribute", cell, "cell_contents", cell.cell_contents)
                self.follow(cell.cell_contents)
        for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self.follow(default)
        scope = f.__globals__
        for name in names_of(f.__code__):
            x = scope.get(name)
            if isinstance(x, (type, types.ModuleType)):
                self.entry(scope, name, x)
            elif name in scope:
                self._add("item", scope, name, x)
                self.follow(x)

    def _classes(self, kind: type) -> None:
        for base in kind.__mro__:
            if not is_library(base.__module__):
                self._pending += [(base.__dict__, name, x) for name, x in list(base.__dict__.items())]

    def _follow_object(self, x: Any) -> None:
        for part in ("fget", "__func__", "func", "f"):
            inner = getattr(type(x), part, None) is not None and getattr(x, part, None)
            if inner and isinstance(inner, (types.FunctionType, types.MethodType)):
                self.follow(inner)
        if isinstance(x, types.MethodType):
            self.follow(x.__self__)
        if hasattr(type(x), "agnograd_inlined"):
            self.follow(x.f)
        elif not is_library(type(x).__module__):
            self.members(x)
            if type(getattr(x, "__dict__", None)) is dict:
                self.dictionary(x)
                for name, item in list(x.__dict__.items()):
                    self._add("item", x.__dict__, name, item)
                    self.follow(item)

    def members(self, x: Any) -> None:
        """Guard the slots of an object, and what of its class is named."""
        self._classes(type(x))
        for base in type(x).__mro__:
            for name, slot in list(base.__dict__.items()):
                if (
                    isinstance(slot, types.MemberDescriptorType)
                    and hasattr(x, name)
                    and not is_library(base.__module__)
                ):
                    self._add("attribute", x, name, getattr(x, name))
                    self.follow(getattr(x, name))


def _is_as_it_was(kind: str, source: Any, key: Any, expected: Any) -> bool:
    if kind == "length":
        return len(source) == expected  # type: ignore[no-any-return]
    if kind == "contents":
        return bool(source == expected)
    found = getattr(source, key) if kind == "attribute" else source[key]
    return found is expected or (type(found) is type(expected) and type(found) in PLAIN and found == expected)


def is_filled(cell: Any) -> bool:
    """Whether a variable of a closure has a value."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


@functools.lru_cache(1000)
def names_of(code: types.CodeType) -> tuple[str, ...]:
    """Names that code, and functions defined in it, may look for among the globals."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= dict.fromkeys(names_of(constant))
    return tuple(names)


def is_library(module: str | None) -> bool:
    """Whether a module names no array of the user's."""
    root = (module or "").partition(".")[0]
    return root in _LIBRARIES or (root in sys.stdlib_module_names and root != "__main__")
