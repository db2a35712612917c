"""`agnograd.compile`: a function that is traced once for each kind of arguments and replayed."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from agnograd.compiler.environment import Environment
from agnograd.compiler.operation import ARRAY, LIMIT, Operation, Rest, is_array, key_of
from agnograd.compiler.quick import MISSED, quick, quick_recorded
from agnograd.compiler.randomness import watched
from agnograd.compiler.tracing import LateInputsError, Recorder
from agnograd.core.array import Array, innermost
from agnograd.core.nodes import classes, wrap
from agnograd.core.table import spaces
from agnograd.core.trace import Traced, current
from agnograd.core.views import settled
from agnograd.errors import AgnogradWarning, TraceError
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.trees import flatten

# How many ways in there are for one number of arguments, and how often one is made: for arguments that change their
# shape with every call it would only cost.
_WAYS, _MEMORY = 4, 100


class CompileWarning(AgnogradWarning):
    """A function runs as it is, because it cannot be compiled."""


class Compiled:
    """What `agnograd.compile` returns: a function like the one it was given.

    Attributes
    ----------
    source : str
        The Python that ran last, or was made last.
    """

    # Within another compiled function it is the function that it was made of.
    agnograd_inlined = True

    def __init__(
        self,
        f: Callable[..., Any],
        *,
        static_argnums: Sequence[int] = (),
        static_argnames: Sequence[str] = (),
        fallback: bool = False,
        limit: int = LIMIT,
        native: bool = False,
    ) -> None:
        self.native = native
        functools.update_wrapper(self, f)
        self.f = f
        self.fallback = fallback
        self.limit = limit
        self.static_argnums: frozenset[int] = frozenset(static_argnums)
        self.static_argnames: frozenset[str] = frozenset(static_argnames)
        self.name: str = getattr(f, "__name__", type(f).__name__)
        self._bindings: dict[Any, list[_Binding]] = {}
        self._making = threading.RLock()
        self._latest: _Binding | None = None
        self._refused = False
        # The ways in by the number of arguments, each with what it was made for, the latest first.
        self._ways: dict[int, tuple[tuple[Any, Callable[..., Any]], ...]] = {}
        self._remembered = 0

    def __repr__(self) -> str:
        return f"<compiled {self.name}>"

    def __reduce__(self) -> Any:
        """By name, as functions are, where a decorator put it in the place of one; else made anew, without programs."""
        module, name = getattr(self.f, "__module__", None), getattr(self.f, "__qualname__", "")
        found: Any = sys.modules.get(module or "")
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:
            return name
        numbers, names = tuple(self.static_argnums), tuple(self.static_argnames)
        return _restored, (self.f, numbers, names, self.fallback, self.limit, self.native)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The method of an instance, compiled for it: arrays among its attributes are arguments, too."""
        if instance is None:
            return self
        kept = instance.__dict__.setdefault("_agnograd_compiled", {})
        found = kept.get(self.name)
        if found is None or found.f.__func__ is not self.f:
            method = self.f.__get__(instance, owner)
            found = kept[self.name] = Compiled(method, fallback=self.fallback, limit=self.limit, native=self.native)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        if not kwargs:
            # The commonest call: arguments as they were before.
            for _, way in self._ways.get(len(args), ()):
                out = way(*args)
                if out is not MISSED:
                    return out
        if self._refused:
            return self.f(*args, **kwargs)
        if self.static_argnums or self.static_argnames:
            return self._with_statics(args, kwargs)
        leaves, structure = flatten((args, kwargs))
        return self._run(leaves, structure, None if kwargs or len(leaves) != len(args) else args)

    def _with_statics(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        wrapped = tuple([_Static(x) if i in self.static_argnums else x for i, x in enumerate(args)])
        named = {k: _Static(x) if k in self.static_argnames else x for k, x in kwargs.items()}
        leaves, structure = flatten((wrapped, named))
        return self._run(leaves, structure, None)

    def _run(self, leaves: list[Any], structure: Any, flat: Sequence[Any] | None) -> Any:
        plain = classes.plain
        arrays = []
        key: list[Any] = [structure]
        tensors = False
        known = spaces
        for x in leaves:
            kind = type(x)
            if kind is plain:
                tensors = True
                arrays.append(x)
                key.append(plain)
            elif kind in known:
                arrays.append(x)
                key.append(kind)
            elif isinstance(x, Array):
                tensors = True
                arrays.append(x)
                key.append(plain)
            elif is_array(x):
                arrays.append(x)
                key.append(kind)
            else:
                key.append(kind)
                key.append(x)
        try:
            found = self._bindings.get(tuple(key))
        except TypeError:
            raise self._unhashable(key) from None
        binding = None
        if found is not None:
            for candidate in found:
                if candidate.environment.holds():
                    binding = candidate
                    break
        if binding is None:
            binding = self._bind(key, leaves, structure)
        self._latest = binding
        try:
            rest, outs, found_tensors = binding(arrays)
        except TraceError as error:
            if not self.fallback:
                raise
            return self._as_it_is(error, leaves, structure)
        tensors = tensors or found_tensors
        if flat is not None:
            self._remember(binding, flat, rest)
        return rest.filled([_finished(x, tensors) for x in outs])

    def _remember(self, binding: _Binding, args: Sequence[Any], rest: Rest) -> None:
        """Have the next call find its program in no time, if it is like this one."""
        self._remembered += 1
        if self._remembered > _MEMORY or binding.takes_others or any(x is not ARRAY for x in rest.leaves):
            return
        plain = classes.plain
        raw = [x._array if type(x) is plain else x for x in args]
        if not raw or any(type(x) not in spaces for x in raw) or any(isinstance(x, Traced) for x in raw):
            return
        space = spaces[type(raw[0])]
        if space.guard is not None:
            return
        needs = tuple([i for i, x in enumerate(args) if type(x) is plain and x._node is not None])
        key = key_of(raw)
        made = binding.operation.programs.get((key, needs) if needs else key)
        if not made:
            return
        holds = binding.environment.watch() if binding.environment.guarded else None
        if not needs:
            code = made[0].code
            scalars = () if space.is_scalar is None else [i for i, shape in enumerate(made[0].shapes) if shape == ()]
            way = quick(args, code.run, rest.structure, scalars, holds=holds, as_array=code.as_array or space.asarray)
        elif made[0].variant is not None and any(s[3] for s in made[0].variant.specs):
            way = quick_recorded(args, made[0], made[0].variant, rest.structure, holds=holds)
        else:
            return
        kind = (key, needs, tuple(map(type, args)))
        others = [pair for pair in self._ways.get(len(args), ()) if pair[0] != kind]
        self._ways[len(args)] = ((kind, way), *others[: _WAYS - 1])

    def _unhashable(self, key: list[Any]) -> TypeError:
        bad = next(x for x in key if not _is_hashable(x))
        if type(bad) is _Static:
            return TypeError(
                f"{self.name} got a static argument of type {type(bad.value).__name__}, which is not hashable: a "
                f"program is chosen by its value. Pass a tuple for a list, or bind it with functools.partial."
            )
        return TypeError(
            f"{self.name} got an argument of type {type(bad).__name__}, which is neither an array, nor a tree of "
            f"arrays, nor hashable: a program is chosen by its value. Register it as a tree "
            f"(agnograd.tree.register_pytree_node), or bind it with functools.partial."
        )

    def _bind(self, key: list[Any], leaves: list[Any], structure: Any) -> _Binding:
        with self._making:
            found = self._bindings.setdefault(tuple(key), [])
            binding = next((b for b in found if b.environment.holds()), None)
            if binding is None:
                if sum(map(len, self._bindings.values())) >= 4 * self.limit:
                    self._refuse_more(key)
                binding = _Binding(self, leaves, structure)
                found.insert(0, binding)
                del found[self.limit :]
        return binding

    def _refuse_more(self, key: list[Any]) -> None:
        kinds = sorted({type(x).__name__ for x in key[1:] if not isinstance(x, type) and x is not None})
        msg = (
            f"{self.name} was compiled {4 * self.limit} times for arguments that are no arrays ({', '.join(kinds)}), "
            f"whose values differ from call to call. Pass what changes as an array, numpy.asarray(x) for a number, or "
            f"allow more with agnograd.compile(f, limit=...)."
        )
        raise TraceError(msg)

    def _as_it_is(self, error: TraceError, leaves: list[Any], structure: Any) -> Any:
        import warnings

        if not self._refused:
            self._refused = True
            msg = f"{self.name} runs as it is from now on, since it cannot be compiled: {error}"
            warnings.warn(msg, CompileWarning, stacklevel=4)
        args, kwargs = _opened(optree.tree_unflatten(structure, leaves))
        return self.f(*args, **kwargs)

    @property
    def source(self) -> str:
        """The Python that was made for the last kind of arguments.

        Raises
        ------
        TraceError
            If the function was not called yet.
        """
        codes = self.codes()
        if not codes:
            msg = f"{self.name} has no source yet: call it, or agnograd.explain(f, *args)"
            raise TraceError(msg)
        return "\n\n".join(code.source for code in codes)

    def codes(self) -> list[Any]:
        """The code for the last kind of arguments, of each outcome of branches and of the passes back."""
        if self._latest is None:
            return []
        found = []
        for made in self._latest.operation.programs.values():
            for one in made:
                found.append(one.code)
                if hasattr(one, "backward"):
                    found.append(one.backward)
        return found


def _restored(f: Any, numbers: Any, names: Any, fallback: bool, limit: int, native: bool) -> Compiled:
    """What was pickled."""
    return Compiled(f, static_argnums=numbers, static_argnames=names, fallback=fallback, limit=limit, native=native)


class _Binding:
    """A compiled function for one structure of arguments and the values of those that are no arrays.

    Of the arrays that its environment holds, only those become inputs that some program reads: the *active* ones.
    """

    def __init__(self, owner: Compiled, leaves: list[Any], structure: Any) -> None:
        self.environment = Environment(owner.f)
        statics = [_PLACE if is_array(x) else x for x in leaves]
        count = sum(x is _PLACE for x in statics)
        environment = self.environment
        self._active: list[int] | None = None
        self._getters: list[Callable[[], Any]] = []
        self._making = threading.RLock()

        def function(*arrays: Any) -> Any:
            given = iter(arrays[:count])
            hoisted = dict(zip(self._active or (), arrays[count:], strict=True))
            f, check = environment.rebuilt(_Hoisted(environment, hoisted))
            filled = [next(given) if x is _PLACE else x for x in statics]
            args, kwargs = _opened(optree.tree_unflatten(structure, filled))
            with watched(owner.name, environment.generators):
                out = f(*args, **kwargs)
            check()
            return out

        self.operation = Operation(function, owner.name, limit=owner.limit, native=owner.native)
        if not environment.getters:
            self._active = []

    @property
    def hoisted(self) -> int:
        """How many arrays of the environment are inputs."""
        return len(self._getters)

    @property
    def takes_others(self) -> bool:
        """Whether arrays of the environment are inputs."""
        return bool(self._getters) or self._active is None

    def __call__(self, arrays: list[Any]) -> tuple[Rest, Sequence[Any], bool]:
        """The rest of the result, its arrays, and whether one that was found in the environment is a tensor."""
        if self._active is None:
            self._find_active(arrays)
        if not self._getters:
            return (*self._run(arrays, arrays), False)
        hoisted = [get() for get in self._getters]
        return (*self._run(arrays, [*arrays, *hoisted]), any(isinstance(x, Array) for x in hoisted))

    def _run(self, arrays: list[Any], everything: list[Any]) -> tuple[Rest, Sequence[Any]]:
        try:
            return self.operation(everything)
        except LateInputsError as error:
            # A branch that was not taken before, say, reads more.
            self._activate({*(self._active or ()), *error.indices})
        return self.operation([*arrays, *(get() for get in self._getters)])

    def _find_active(self, arrays: list[Any]) -> None:
        with self._making:
            if self._active is not None:
                return
            self._activate(())
            try:
                raw = [innermost(settled(x)) if isinstance(x, Array) else x for x in arrays]
                self.operation.prepare(raw)
            except LateInputsError as error:
                self._activate(error.indices)
            except Exception:
                # What is wrong shows when it runs.
                self._activate(range(len(self.environment.getters)))

    def _activate(self, indices: Iterable[int]) -> None:
        with self._making:
            self._active = sorted(indices)
            self._getters = [self.environment.getters[i] for i in self._active]
            self.operation.forget()


class _Hoisted:
    """The arrays of an environment while its function is traced: inputs, and others that nobody was known to read."""

    def __init__(self, environment: Environment, active: dict[int, Any]) -> None:
        self._environment = environment
        self._active = active

    def __getitem__(self, index: int) -> Any:
        found = self._active.get(index)
        if found is None:
            x = self._environment.getters[index]()
            recorder = current.get()
            found = wrap(recorder.late_input(x, index), None) if isinstance(recorder, Recorder) else x
            self._active[index] = found
        return _as_tensor(found)


class _Place:
    pass


_PLACE = _Place()


class _Static:
    """An argument whose value belongs to the program, whatever it is."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Static and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _opened(arguments: Any) -> Any:
    args, kwargs = arguments
    return (
        [x.value if type(x) is _Static else x for x in args],
        {k: x.value if type(x) is _Static else x for k, x in kwargs.items()},
    )


def _as_tensor(x: Any) -> Any:
    return x if isinstance(x, Array) else wrap(x, None)


def _finished(x: Any, tensors: bool) -> Any:
    if isinstance(x, (Array, Traced)):
        return x
    if tensors:
        return wrap(x, None)
    space = spaces[type(x)]
    return x if space.is_scalar is None else space.asarray(x)


def _is_hashable(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True


def compile(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    fallback: bool = False,
    limit: int = LIMIT,
    native: bool = False,
) -> Any:
    """A function that is traced once for each kind of arguments, made into straight-line code and replayed.

    It composes with every transformation: ``compile(value_and_grad(loss))``, ``compile(vmap(grad(f)))``, and, the other
    way round, ``grad(compile(f))``, in which a call is one node of the graph.

    Parameters
    ----------
    f : callable
        A function of trees of arrays. Arrays that it finds elsewhere, in closures, globals or attributes, are looked
        up again for each call. Left out, a decorator is returned.
    static_argnums, static_argnames : int, str or sequence of them, optional
        Arguments that are no arrays, by position or name, even if they look like trees of them. Numbers, strings and
        other hashable values are so by themselves: there is a program for each value.
    fallback : bool
        Run the function as it is, with a warning, where it cannot be compiled.
    limit : int
        How many programs there may be for arguments of the same shapes, where the function branches on values.
    native : bool
        On NumPy, have programs of many small operations run by a machine that Numba compiles (the extra ``numba``), ten
        times as fast, and elsewhere ``exp``, ``log``, ``tanh``, ``sin`` and ``cos`` of many elements by vector code.
        Functions may differ from NumPy's in the last bits. All else runs as without it.

    Returns
    -------
    callable
        Its attribute ``source`` shows the code.

    Raises
    ------
    TraceError
        From the function, where it needs values, or shapes that depend on values, or draws random numbers.

    Examples
    --------
    >>> import agnograd as ag
    >>> @ag.compile
    ... def f(x):
    ...     return ag.sum(ag.sin(x) * x)
    >>> x = ag.tensor([1.0, 2.0])
    >>> f(x)
    tensor(2.6601)
    >>> ag.grad(f)(x)
    tensor([1.3818, 0.0770])
    """
    if f is None:
        return functools.partial(
            compile,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            fallback=fallback,
            limit=limit,
            native=native,
        )
    check_callable(f, "compile")
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    return Compiled(f, static_argnums=numbers, static_argnames=names, fallback=fallback, limit=limit, native=native)


__all__ = ["CompileWarning", "Compiled", "Rest", "compile"]
