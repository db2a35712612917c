"""The table of operations, and the namespaces of raw arrays that its rules run on.

Both are plain dictionaries, filled from above (`agnograd.plugins`), so that an operation costs a look-up and no hook:
``spaces[type(x)]`` is the namespace of a raw array, ``op.bodies[type(x)]`` the function that runs `op` on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakSet

from agnograd.core import observing
from agnograd.core.cotangent import Spec
from agnograd.core.op import Op
from agnograd.errors import ForeignArrayError, RuleError, UnknownOperationError, UnsupportedError

Array = Any

OPS: dict[str, Op] = {}

# Bodies that rules and the engine share and that are no operations: they may write into what they are given.
_internal: dict[str, Callable[..., Any]] = {}

_binders: list[Callable[[Op], None]] = []

# Names that two plugins claim, to the error that says so; set by the plugin manager.
contested: dict[str, Callable[[], Exception]] = {}


def register(op: Op) -> Op:
    """Add an operation to the table.

    Raises
    ------
    RuleError
        If the name is taken, or if namespaces have an attribute of that name which is no operation.
    """
    if op.name in OPS:
        msg = f"operation {op.name!r} is registered already. Give yours a name with a prefix, 'mypackage.{op.name}'."
        raise RuleError(msg)
    first = op.name.partition(".")[0]
    if first in _RESERVED or hasattr(Space, first):
        msg = f"operation {op.name!r} hides {first!r}, which rules ask of every namespace. Give it another name."
        raise RuleError(msg)
    op.bodies = _Bodies(op)
    for bind in _binders:
        bind(op)
    OPS[op.name] = op
    return op


def internal(name: str, body: Callable[..., Any]) -> None:
    """Make ``body(xp, ...)`` available to rules on raw arrays as ``xp.name(...)``."""
    _internal[name] = body


def _set(xp: Any, x: Array, key: Any, value: Any) -> Array:
    x[key] = value
    return x


# The array with ``x[key] = value``; in place where the backend's arrays can be written. A kernel may take its place.
internal("set", _set)


def unregister(name: str) -> None:
    """Take an operation out of the table and out of every namespace, for plugins that are unloaded."""
    if OPS.pop(name, None) is None:
        return
    first = name.partition(".")[0]
    for space in list(_made):
        for holder in (space, space.wrapped):
            if holder is not None:
                _forget(holder, {first, name.removeprefix(space.prefix)})


def _forget(holder: Any, names: Iterable[str]) -> None:
    """Drop attributes that a namespace looked for once and kept."""
    for name in set(names) & holder.kept:
        holder.kept.discard(name)
        vars(holder).pop(name, None)


def bind_with(bind: Callable[[Op], None]) -> None:
    """Call `bind` for every operation, present and future."""
    _binders.append(bind)
    for op in OPS.values():
        bind(op)


def lookup(name: str) -> Op | None:
    """The operation of that name, or None; plugins are loaded if no other place is left to look.

    Raises
    ------
    ConflictError
        If two plugins provide it.
    """
    op = OPS.get(name)
    if op is None:
        if spaces.load is not None:
            spaces.load()
        if name in contested:
            raise contested[name]()
        op = OPS.get(name)
    return op


def is_prefix(name: str) -> bool:
    """Whether operations have this name and a dot before their own, ``linalg`` or a plugin's package."""
    return any(known.startswith(f"{name}.") for names in (OPS, contested) for known in list(names))


def find(name: str) -> Op:
    """The operation of that name.

    Raises
    ------
    UnknownOperationError
        If there is none; the message proposes similar names.
    ConflictError
        If two plugins provide it.
    """
    op = lookup(name)
    if op is None:
        import difflib  # only for what is misspelt

        close = difflib.get_close_matches(name, OPS, n=3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        msg = f"no operation named {name!r}.{hint}"
        raise UnknownOperationError(msg)
    return op


class Deferral(NamedTuple):
    """How passes back run on arrays of a backend that puts off what it can, made by `Backend.deferral`.

    Attributes
    ----------
    run : callable
        ``run(variant, rule, g, saved)``, what the rule of a node returns, or cotangents that stand for it.
    combining : callable
        ``combining(combine)``, what adds to a cotangent in place of the engine's own function.
    evaluate : callable
        ``evaluate(g)``, the array that a cotangent stands for; other values are returned as they are.
    """

    run: Callable[..., Any]
    combining: Callable[[Callable[..., None]], Callable[..., None]]
    evaluate: Callable[[Any], Any]


class Space:
    """The namespace of one backend's raw arrays, as rules see it.

    An attribute is looked for in this order: a kernel that the backend or a plugin gives, the operation's own body
    in standard names, the backend's module. It is found once and then a plain attribute.

    Parameters
    ----------
    name : str
        Name of the backend, for messages.
    module : module
        The backend's Array API namespace.
    kernels : dict
        Operation name to a faster body, or to one for an operation that the module lacks.
    device : callable
        ``device(x)`` of a raw array.
    copy : callable
        ``copy(x)``, an independent array; writes of the engine go into such copies only.
    writeable : bool
        Whether arrays can be written in place.
    is_scalar : callable or None
        ``is_scalar(x)``: whether a value may be taken as a Python scalar by other backends, as NumPy's scalars are.
    backend : object
        The description that the namespace was made from (`agnograd.hookspecs.Backend`).
    guard : callable or None
        ``guard(x)`` is a context manager under which work on `x` must run (the current device of CuPy).
    """

    def __init__(
        self,
        name: str,
        module: Any,
        *,
        kernels: dict[str, Callable[..., Any]] | None = None,
        device: Callable[[Array], Any],
        copy: Callable[[Array], Array],
        writeable: bool = True,
        guard: Callable[[Array], Any] | None = None,
        is_scalar: Callable[[Array], bool] | None = None,
        backend: Any = None,
        prefix: str = "",
    ) -> None:
        self.name = name
        self.backend = backend
        self.module = module
        self.kernels: dict[str, Callable[..., Any]] = kernels if kernels is not None else {}
        self.device = device
        self.copy: Callable[[Array], Array] = copy if guard is None else _guarded(copy, guard)
        self.writeable = writeable
        self.lazy: bool = getattr(backend, "lazy", False)
        self.guard = guard
        # How a pass back runs a rule, where that is more than to call it.
        self.run: Callable[..., Any] | None = None if guard is None else _guarded_rule(self, guard)
        self._deferral: Deferral | None = None
        self.is_scalar = is_scalar
        self.prefix = prefix
        self.shape: Callable[[Array], tuple[int, ...]] | None = getattr(backend, "shape", None)
        self.seed: Callable[[Array], Array] | None = getattr(backend, "seed", None)
        self.settle: Callable[[Array, Any], Array] | None = getattr(backend, "settle", None)
        if self.settle is not None:
            settling.add(name)
        self.finish: Callable[[Any], Any] | None = getattr(backend, "finish", None)
        self.spec: Callable[[Array], Spec] = _describer(name, device, self.shape)
        # What bodies and rules run on: a part such as ``linalg`` has not the functions that they need.
        self.main = self
        # The namespace that the arrays themselves belong to, where these only stand for them (`agnograd.core.trace`).
        self.origin = self
        # The namespace of wrappers around these arrays, made by `agnograd.namespaces`.
        self.wrapped: Any = None
        # Attributes that were looked for once and kept.
        self.kept: set[str] = set()
        _made.add(self)
        main = module if not prefix else None
        # Rules ask `x.dtype in xp.reals`: the identity test of the first hit makes it cheap.
        self.reals: tuple[Any, ...] = _dtypes(main, "float64", "float32")
        self.floats: tuple[Any, ...] = self.reals + _dtypes(main, "complex128", "complex64")
        if main is not None:
            self.linalg: Space = self._extension("linalg")
            self.fft: Space = self._extension("fft")

    @property
    def deferral(self) -> Deferral | None:
        """How passes back put off what they can; None where they do not."""
        return self._deferral

    @deferral.setter
    def deferral(self, made: Deferral) -> None:
        self._deferral = made
        self.run = made.run
        deferring.add(self.name)

    def _extension(self, name: str) -> Space:
        part = Space(
            self.name,
            getattr(self.module, name, None),
            kernels=self.kernels,
            device=self.device,
            copy=self.copy,
            guard=self.guard,
            prefix=f"{self.prefix}{name}.",
        )
        part.main = self.main
        return part

    def __repr__(self) -> str:
        return f"<raw namespace of {self.name}{self.prefix and ' ' + self.prefix}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = self.prefix + name
        op = OPS.get(full)
        found: Any
        if full in self.kernels:
            found = self.kernels[full]
        elif op is not None and op.body is not None:
            found = partial(op.body, self.main)
        elif full in _internal:
            found = partial(_internal[full], self)
        elif op is None and is_prefix(full):
            # Before the module is asked: a plugin's prefix may be a name there (``half`` is a dtype of NumPy).
            found = self._extension(name)
        else:
            found = getattr(self.module, name, None)
        if found is None:
            msg = f"backend {self.name!r} has no {full!r}, and no other operation of the table expresses it"
            raise UnsupportedError(msg)
        if self.guard is not None and callable(found) and not isinstance(found, type):
            found = _guarded(found, self.guard)
        if op is not None and observing.count:
            found = observing.watched(full, self.name, found)
        setattr(self, name, found)
        self.kept.add(name)
        return found

    def kernel_of(self, type_: type, name: str) -> Callable[..., Any] | None:
        """A body for arrays of one of the backend's types, where it has one that is no plugin's."""
        given = getattr(self.backend, "kernels_of", None)
        found: Callable[..., Any] | None = None if given is None or name in self.kernels else given(type_).get(name)
        return observing.watched(name, self.name, found) if found is not None and observing.count else found


_made: WeakSet[Space] = WeakSet()

# Names of backends whose gradients are not ordinary arrays before they are settled: while there are none, nobody looks.
settling: set[str] = set()

# Names of backends whose passes put off what they can.
deferring: set[str] = set()

# Attributes of a namespace that a body of the same name would never be found behind.
_RESERVED = {"backend", "copy", "device", "floats", "guard", "is_scalar", "kept", "kernels", "main", "module", "name"}
_RESERVED |= {
    "deferral",
    "finish",
    "kernel_of",
    "lazy",
    "origin",
    "prefix",
    "reals",
    "run",
    "seed",
    "set",
    "settle",
    "shape",
    "wrapped",
    "writeable",
}


def _describer(
    name: str, device: Callable[[Array], Any], shape: Callable[[Array], tuple[int, ...]] | None
) -> Callable[[Array], Spec]:
    """The function that describes an array: a closure, since most operations with parameters call it."""
    if shape is not None:
        return lambda x: Spec(shape(x), x.dtype, device(x), name)
    new = tuple.__new__  # a named tuple's own constructor takes twice as long

    def spec(x: Array) -> Spec:
        return new(Spec, (x.shape, x.dtype, device(x), name))

    return spec


def _dtypes(module: Any, *names: str) -> tuple[Any, ...]:
    # NumPy's dtype names are classes; the dtype of an array is an instance, equal but not identical.
    found = [getattr(module, n) for n in names if hasattr(module, n)]
    return tuple(module.empty((0,), dtype=d).dtype if isinstance(d, type) else d for d in found)


def _guarded_rule(xp: Space, guard: Callable[[Array], Any]) -> Callable[..., Any]:
    def run(variant: Any, rule: Callable[..., Any], g: Array, saved: Any) -> Any:
        with guard(g):
            return rule(xp, g, *saved)

    return run


def _guarded(function: Callable[..., Any], guard: Callable[[Array], Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **params: Any) -> Any:
        arrays = args[0] if args and isinstance(args[0], (tuple, list)) else args
        for x in arrays:
            if hasattr(x, "dtype"):
                with guard(x):
                    return function(*args, **params)
        return function(*args, **params)

    return guarded


class _Spaces(dict[type, Space]):
    """Type of a raw array to its namespace; an unknown type asks the backends once."""

    # Set by the plugin manager: a type's namespace, and a backend's by name.
    resolve: Callable[[type], Space | None] | None = None
    named: Callable[[str], Space]

    # Set by it too: loads what provides more operations, once.
    load: Callable[[], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        # Types that no backend knows; emptied where one is added.
        self.foreign: WeakSet[type] = WeakSet()

    def __missing__(self, type_: type) -> Space:
        space = None
        if type_ not in self.foreign:
            space = self.resolve(type_) if self.resolve is not None else None
        if space is None:
            self.foreign.add(type_)
            msg = (
                f"{type_.__module__}.{type_.__qualname__} is no array of a registered backend. Convert it with "
                f"agnograd.asarray, or register a backend for it (see agnograd.hookspecs)."
            )
            raise ForeignArrayError(msg)
        self[type_] = space
        return space

    def known(self, type_: type) -> Space | None:
        """The namespace of a type, or None where it is no array type."""
        found = self.get(type_)
        if found is None and type_ not in self.foreign:
            try:
                found = self[type_]
            except ForeignArrayError:
                return None
        return found


spaces: _Spaces = _Spaces()


class _Bodies(dict[type, Callable[..., Any]]):
    """Type of a raw array to the function that runs one operation on it."""

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op

    def __missing__(self, type_: type) -> Callable[..., Any]:
        space: Any = spaces[type_]
        body: Callable[..., Any] | None = space.kernel_of(type_, self.op.name)
        if body is None:
            body = space
            for part in self.op.name.split("."):
                body = getattr(body, part)
        assert body is not None
        by_position = self.op.positional_only
        if by_position:
            body = _by_position(body, by_position)
        if self.op.batch_statics is not None and getattr(spaces[type_].backend, "lazy", False):
            body = _without_wrappers(self.op.name, body)
        self[type_] = body
        return body


def _by_position(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The engine passes static parameters by name; the standard has some that must not be."""

    def body(*arrays: Any, **params: Any) -> Any:
        return function(*arrays, *[params.pop(name) for name in names], **params)

    return body


def _without_wrappers(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """For a lazy library, which would take any object for an index, and find out later that it is none."""
    from agnograd.core.array import is_wrapper

    def plain(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(plain, value))
        if not is_wrapper(value):
            return value
        if value.level is None:
            return plain(value._array)
        msg = f"a parameter of {name} belongs to a transformation, and its array does not"
        raise TypeError(msg)

    def body(*arrays: Any, **params: Any) -> Any:
        return function(*arrays, **{key: plain(value) for key, value in params.items()})

    return body


def forget_bodies() -> None:
    """Look all bodies up again, after kernels or backends were added or removed."""
    for space in list(_made):
        _forget(space, list(space.kept))
    for op in OPS.values():
        op.bodies.clear()


observing.refresh.append(forget_bodies)
