"""What a function finds outside of its arguments: arrays that become inputs of the program, and what it rests on.

Arrays in closures, globals that the code names, defaults, attributes of objects, lists and dictionaries there are found
by a walk, fetched anew for every call, and passed to the program beside the arguments. To trace the function it is
rebuilt around others in their place: operations on such arrays are recorded as those on arguments are, and no function
or object of the user is touched. Numbers, flags and functions found on the way are guarded: where one has changed, the
function is compiled again.
"""

from __future__ import annotations

import functools
import operator
import types
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from agnograd.compiler.fixed import PLAIN, Fixed, is_filled, is_library, names_of
from agnograd.core.array import Array
from agnograd.core.table import spaces
from agnograd.errors import TraceError

# Objects that are looked at, at most; those from which on they are compared in a loop.
_LIMIT, _WATCHED = 20_000, 300

# What looking at a place raises that is not what it was.
_CHANGED = (LookupError, ValueError, AttributeError)

_HERE = str(Path(__file__).parents[1])
_SKIPPED = (types.ModuleType, type, types.BuiltinFunctionType, types.CodeType, types.FrameType)

Getter = Callable[[], Any]


class Arrays(Protocol):
    """Arrays by their numbers."""

    def __getitem__(self, index: int, /) -> Any:
        """One of them."""


class _Node:
    """An object of the environment that may hold arrays.

    Attributes
    ----------
    value
        The object.
    children : list of (slot, _Node)
        Where in the object, and what.
    index : int or None
        The place of an array among those found.
    holds : bool
        Whether arrays are found in it.
    """

    __slots__ = ("children", "holds", "index", "parents", "value")

    def __init__(self, value: Any, index: int | None = None) -> None:
        self.value = value
        self.index = index
        self.children: list[tuple[Any, _Node]] = []
        self.parents: list[_Node] = []
        self.holds = False

    def hold(self) -> None:
        """Mark it and all that lead to it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if not node.holds:
                node.holds = True
                waiting.extend(node.parents)


class Environment:
    """What a function rests on besides its arguments.

    Attributes
    ----------
    getters : list of callable
        Where each array is found now.
    generators : list
        Generators of random numbers that the function may draw from.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.getters: list[Getter] = []
        self.generators: list[Any] = []
        self._nodes: dict[int, _Node] = {}
        self._guards: list[tuple[Callable[[Any], tuple[Any, ...]], Any, tuple[Any, ...], tuple[type, ...]]] = []
        # The same as places: where, at which key, what.
        self._places: list[tuple[Any, Any, Any]] = []
        self._fixed = Fixed(lambda x: id(x) in self._nodes)
        self._f = f
        self._root = self._visit(f, lambda: f)
        self._fixed.finish()

    @property
    def guarded(self) -> bool:
        """Whether there is anything that may change."""
        return bool(self._guards or self._fixed.places)

    def holds(self) -> bool:
        """Whether all that is not an array is as it was."""
        try:
            for fetch, source, expected, kinds in self._guards:
                found = fetch(source)
                if found != expected or tuple(map(type, found)) != kinds:
                    return False
            return self._fixed.holds()
        except _CHANGED:
            return False

    def watch(self) -> Callable[[], bool]:
        """A function like `holds` that, while every object is the same one, takes a fraction of the time."""
        if len(self._places) + len(self._fixed.places) > _WATCHED:
            return self.holds
        scope: dict[str, Any] = {"holds": self.holds, "changed": _CHANGED}
        names: dict[int, str] = {}
        tests = []
        for i, (source, key, child) in enumerate(self._places):
            if type(source) is _Attributes:
                continue
            place = source[key] if type(source) is _Cells else source
            name = names.setdefault(id(place), f"s{i}")
            scope |= {name: place, f"k{i}": key, f"x{i}": child}
            tests.append(f"{name}.cell_contents is x{i}" if type(source) is _Cells else f"{name}[k{i}] is x{i}")
            if type(source) is list and name == f"s{i}":
                tests.append(f"len({name}) == {len(source)}")
        tests += self._fixed.tests(scope)
        lines = ["def watch():", "    try:", f"        if {' and '.join(tests) or 'True'}: return True"]
        lines += ["    except changed:", "        return False", "    return holds()"]
        exec(compile("\n".join(lines), "<agnograd guards>", "exec"), scope)
        return scope["watch"]  # type: ignore[no-any-return]

    # -- the walk ----------------------------------------------------------------------------------------------------

    def _visit(self, x: Any, get: Getter) -> _Node | None:
        """The node of an object; None where there is nothing to look for in it."""
        if isinstance(x, (*PLAIN, *_SKIPPED)) or len(self._nodes) > _LIMIT:
            return None
        node = self._nodes.get(id(x))
        if node is not None:
            return node
        if _is_array(x):
            node = self._nodes[id(x)] = _Node(x, len(self.getters))
            self.getters.append(get)
            node.hold()
            return node
        if type(x).__module__.startswith("numpy.random"):
            self.generators.append(x)
            return None
        node = self._nodes[id(x)] = _Node(x)
        self._look_at(x)
        for source, slots in _contents(x):
            fixed = []
            for slot, key, child in slots:
                if isinstance(child, (type, types.ModuleType)):
                    self._fixed.entry(source[key] if type(source) is _Cells else source, key, child)
                found = self._visit(child, functools.partial(_FETCH[type(source)], source, key))
                if found is not None:
                    node.children.append((slot, found))
                    found.parents.append(node)
                    if found.holds:
                        node.hold()
                if (found is None or found.index is None) and not isinstance(child, _SKIPPED):
                    fixed.append((key, child))
            if fixed and not _is_ours(x):
                self._guard(source, fixed)
        return node

    def _look_at(self, x: Any) -> None:
        """Have guarded what of an object is not rebuilt around other arrays."""
        if isinstance(x, types.FunctionType):
            if not _is_ours(x) and not is_library(x.__globals__.get("__name__")):
                self._fixed.function(x)
        elif type(x) is dict:
            self._fixed.length(x)
        elif isinstance(x, (set, frozenset, dict, deque)) or (isinstance(x, list) and type(x) is not list):
            node = self._nodes.pop(id(x))
            self._fixed.follow(x)
            self._nodes[id(x)] = node
        elif not isinstance(x, (tuple, list, types.MethodType)) and not is_library(type(x).__module__):
            self._fixed.members(x)
            if type(getattr(x, "__dict__", None)) is dict:
                self._fixed.dictionary(x)

    def _guard(self, source: Any, fixed: list[tuple[Any, Any]]) -> None:
        """Have what is found at some places compared with what is there now, all in a few calls."""
        self._places += [(source, key, child) for key, child in fixed]
        keys = [key for key, _ in fixed]
        expected = tuple([child for _, child in fixed])
        fetch: Callable[[Any], tuple[Any, ...]]
        if type(source) is _Cells:
            cells = tuple([source[key] for key in keys])
            fetch, source = _contents_of_cells, cells
        elif len(keys) == 1:
            fetch = functools.partial(_single, keys[0])
        else:
            fetch = operator.itemgetter(*keys)
        self._guards.append((fetch, source, expected, tuple(map(type, expected))))
        if type(source) is list:
            self._guards.append((_length, source, (len(source),), (int,)))

    # -- the function on other arrays --------------------------------------------------------------------------------

    def rebuilt(self, arrays: Arrays) -> tuple[Callable[..., Any], Callable[[], None]]:
        """The function around others in the place of its arrays, and a check that it has changed nothing of its own."""
        if self._root is None or not self._root.holds:
            return self._f, lambda: None
        builder = _Builder(arrays)
        return builder.build(self._root), builder.check


def _is_array(x: Any) -> bool:
    if isinstance(x, Array):
        return True
    return hasattr(type(x), "shape") and hasattr(type(x), "dtype") and spaces.known(type(x)) is not None


class _Cells(tuple[Any, ...]):
    """The cells of a closure."""

    __slots__ = ()


class _Attributes(tuple[Any, ...]):
    """An object whose parts never change."""

    __slots__ = ()


def _single(key: Any, source: Any) -> tuple[Any, ...]:
    return (source[key],)


def _length(source: Any) -> tuple[int]:
    return (len(source),)


_content = operator.attrgetter("cell_contents")


def _contents_of_cells(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_content, cells))


_FETCH: dict[type, Callable[[Any, Any], Any]] = {
    _Cells: lambda source, key: source[key].cell_contents,
    _Attributes: operator.getitem,
    dict: operator.getitem,
    list: operator.getitem,
    tuple: operator.getitem,
}

# A slot of an object, the key of its content in where that is kept, and the content.
_Slots = list[tuple[Any, Any, Any]]


def _contents(x: Any) -> Iterator[tuple[Any, _Slots]]:
    """Where an object keeps its contents, and what is there."""
    kind = type(x)
    if hasattr(kind, "agnograd_inlined"):
        yield _Attributes((x.f,)), [("f", 0, x.f)]
    elif isinstance(x, types.FunctionType):
        yield from _of_function(x)
    elif isinstance(x, types.MethodType):
        yield _Attributes((x.__func__, x.__self__)), [("__func__", 0, x.__func__), ("__self__", 1, x.__self__)]
    elif isinstance(x, functools.partial):
        parts = (x.func, x.args, x.keywords)
        yield _Attributes(parts), [(name, i, parts[i]) for i, name in enumerate(("func", "args", "keywords"))]
    elif isinstance(x, tuple):
        yield _Attributes(x), [(i, i, item) for i, item in enumerate(x)]
    elif kind is list:
        yield x, [(i, i, item) for i, item in enumerate(x)]
    elif kind is dict:
        yield x, [(key, key, item) for key, item in list(x.items())]
    elif type(getattr(x, "__dict__", None)) is dict and not _is_library_object(x):
        yield x.__dict__, [(name, name, item) for name, item in list(x.__dict__.items())]


def _of_function(f: types.FunctionType) -> Iterator[tuple[Any, _Slots]]:
    cells = _Cells(f.__closure__ or ())
    yield cells, [(("cell", i), i, cell.cell_contents) for i, cell in enumerate(cells) if is_filled(cell)]
    if f.__defaults__:
        yield _Attributes(f.__defaults__), [(("default", i), i, x) for i, x in enumerate(f.__defaults__)]
    if f.__kwdefaults__:
        yield f.__kwdefaults__, [(("keyword", name), name, x) for name, x in f.__kwdefaults__.items()]
    # Where it was written: `functools.wraps` gives a wrapper the module of what it wraps.
    if not is_library(f.__globals__.get("__name__")):
        scope = f.__globals__
        yield scope, [(("global", n), n, scope[n]) for n in names_of(f.__code__) if n in scope]


def _is_ours(x: Any) -> bool:
    """Whether contents cannot change: those of closures that agnograd makes, and of what is immutable."""
    return isinstance(x, (tuple, types.MethodType, functools.partial)) or (
        isinstance(x, types.FunctionType) and x.__code__.co_filename.startswith(_HERE)
    )


def _is_library_object(x: Any) -> bool:
    module = type(x).__module__
    return is_library(module) and not module.startswith(("agnograd.custom_rules", "agnograd.compiler"))


class _Builder:
    """Copies of functions and objects that hold arrays, around other arrays."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._made: dict[int, Any] = {}
        self._scopes: dict[int, dict[str, Any]] = {}
        self._copies: list[tuple[Any, Any, Any]] = []

    def build(self, node: _Node) -> Any:
        """A node's object, or its copy."""
        if node.index is not None:
            return self._arrays[node.index]
        if not node.holds:
            return node.value
        if id(node) in self._made:
            return self._made[id(node)]
        x = node.value
        if isinstance(x, types.FunctionType):
            return self._function(node, x)
        children = {slot: child for slot, child in node.children if child.holds}
        if hasattr(type(x), "agnograd_inlined"):
            return self.build(children["f"])
        made: Any
        if isinstance(x, types.MethodType):
            parts = {slot: self.build(child) for slot, child in node.children}
            made = types.MethodType(parts.get("__func__", x.__func__), parts.get("__self__", x.__self__))
        elif isinstance(x, functools.partial):
            parts = {slot: self.build(child) for slot, child in node.children}
            made = functools.partial(parts.get("func", x.func), *parts.get("args", x.args), **parts.get("keywords", {}))
        elif type(x) is tuple:
            made = tuple([self.build(children[i]) if i in children else item for i, item in enumerate(x)])
        elif isinstance(x, tuple):
            made = type(x)(*[self.build(children[i]) if i in children else item for i, item in enumerate(x)])
        else:
            return self._filled(node, x, children)
        self._made[id(node)] = made
        return made

    def _filled(self, node: _Node, x: Any, children: dict[Any, _Node]) -> Any:
        """A copy of what may hold itself: it is there before its contents are."""
        made: Any
        if type(x) is list or type(x) is dict:
            made = content = x.copy()
        else:
            made = object.__new__(type(x))
            content = made.__dict__
            content.update(x.__dict__)
        self._made[id(node)] = made
        for slot, child in children.items():
            content[slot] = self.build(child)
        self._copies.append((x, content, content.copy()))
        return made

    def _function(self, node: _Node, f: types.FunctionType) -> Any:
        parts = {slot: child for slot, child in node.children if child.holds}
        cells = list(f.__closure__ or ())
        for i in range(len(cells)):
            if ("cell", i) in parts:
                cells[i] = types.CellType()
        scope: Any = f.__globals__
        replaced = {slot[1]: child for slot, child in parts.items() if slot[0] == "global"}
        if replaced or id(scope) in self._scopes:
            scope = self._scopes.setdefault(id(scope), {**scope})
        made = types.FunctionType(f.__code__, scope, f.__name__, f.__defaults__, tuple(cells) or None)
        made.__kwdefaults__ = f.__kwdefaults__
        made.__dict__.update(f.__dict__)
        made.__qualname__ = f.__qualname__
        made.__module__ = f.__module__
        self._made[id(node)] = made
        if any(slot[0] == "default" for slot in parts):
            pairs = enumerate(f.__defaults__ or ())
            made.__defaults__ = tuple(
                [self.build(parts["default", i]) if ("default", i) in parts else x for i, x in pairs]
            )
        if any(slot[0] == "keyword" for slot in parts):
            made.__kwdefaults__ = {
                name: self.build(parts["keyword", name]) if ("keyword", name) in parts else x
                for name, x in (f.__kwdefaults__ or {}).items()
            }
        for slot, child in parts.items():
            if slot[0] == "cell":
                cells[slot[1]].cell_contents = self.build(child)
            elif slot[0] == "global":
                scope[slot[1]] = self.build(child)
        return made

    def check(self) -> None:
        """Raise if the function has written to what it found: a compiled program would not.

        Raises
        ------
        TraceError
        """
        for x, now, then in self._copies:
            pairs = now.items() if isinstance(now, dict) else enumerate(now)
            old = then if isinstance(then, dict) else dict(enumerate(then))
            changed = [k for k, v in pairs if k not in old or old[k] is not v]
            if changed or len(now) != len(then):
                what = f"{changed[0]!r} of " if changed else ""
                msg = (
                    f"the function changes {what}a {type(x).__name__} outside of it, and a compiled program would not: "
                    f"return the new value, and store it where the function is called."
                )
                raise TraceError(msg)
