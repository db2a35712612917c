"""A compiled function of arrays as one operation, at whatever level of transformations its arguments are.

On raw arrays a program runs. What a derivative or a batch of it is, is a function of arrays again, and compiled as this
one is: the operation has a pushforward, a pullback and a version for batches, each an operation, made when needed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from agnograd.compiler import cache
from agnograd.compiler.differentiated import Differentiated, recorded
from agnograd.compiler.garbage import uncollected
from agnograd.compiler.generating import generated
from agnograd.compiler.passes import optimised
from agnograd.compiler.program import Guard, Program
from agnograd.compiler.source import Code, GuardFailedError, same
from agnograd.core.array import Array, innermost
from agnograd.core.batch import Batched
from agnograd.core.facts import carries
from agnograd.core.forward import Dual
from agnograd.core.level import Level, records
from agnograd.core.level import recording as grad_mode
from agnograd.core.nodes import Reverse, classes, wrap
from agnograd.core.table import spaces
from agnograd.core.trace import Traced
from agnograd.core.views import settled
from agnograd.errors import TraceError
from agnograd.transforms import jvp, vjp, vmap
from agnograd.transforms.trees import flatten

# Programs for one set of shapes, which differ in what the function branched on.
LIMIT = 16


class Rest:
    """What a function returned besides arrays: its structure, and leaves that are none."""

    def __init__(self, structure: Any, leaves: list[Any]) -> None:
        self.structure = structure
        self.leaves = leaves

    def filled(self, arrays: Iterable[Any]) -> Any:
        """The result with these arrays."""
        found = iter(arrays)
        return optree.tree_unflatten(self.structure, [next(found) if x is ARRAY else x for x in self.leaves])


class _Place:
    def __repr__(self) -> str:
        return "array"


ARRAY = _Place()


def is_array(x: Any) -> bool:
    """Whether it is a wrapper, or an array of a known library."""
    return isinstance(x, (Array, Traced)) or (hasattr(x, "dtype") and spaces.known(type(x)) is not None)


def parted(out: Any) -> tuple[list[Any], Rest]:
    """The arrays of a result, and the rest of it."""
    leaves, structure = flatten(out)
    arrays = [x for x in leaves if is_array(x)]
    return arrays, Rest(structure, [ARRAY if is_array(x) else x for x in leaves])


class Specialised:
    """The program for arguments of certain shapes and dtypes, and for certain outcomes of branches.

    Attributes
    ----------
    code : Code
    calls : Counter
        How often each function is called.
    rest : Rest
        What the function returned besides arrays.
    guards : list
        What the function branched on.
    """

    def __init__(self, program: Program, rest: Rest, *, native: bool = False) -> None:
        def make() -> tuple[list[Code], dict[str, Any]]:
            final = optimised(program)
            return [generated(final, native=native)], {"calls": Counter([step.name for step in final.steps])}

        self.recorded: int = len(program.steps)
        (self.code,), facts = cache.made(program, ("value", native), make)
        self.calls: Counter[str] = Counter(facts["calls"])
        self.rest = rest
        self.guards: list[Guard] = list(program.guards)
        self.shapes: list[tuple[int, ...]] = [v.shape for v in program.outputs]


class Operation:
    """A function of arrays that is compiled for the arguments that it meets.

    Parameters
    ----------
    function : callable
        Takes arrays and returns a tree.
    name : str
        What messages and nodes call it.
    limit : int
        How many programs there may be for arguments of the same shapes and dtypes.
    native : bool
        Have programs of many small operations run by a machine that Numba compiles.
    """

    def __init__(self, function: Callable[..., Any], name: str, *, limit: int = LIMIT, native: bool = False) -> None:
        self.native = native
        self.function = function
        self.name = name
        self.limit = limit
        self.programs: dict[Any, list[Any]] = {}
        self._derived: dict[Any, Operation] = {}
        self._making = threading.RLock()
        self._prepared: Any = None

    # -- on raw arrays -----------------------------------------------------------------------------------------------

    def __call__(self, arrays: Sequence[Any]) -> tuple[Rest, Sequence[Any]]:
        """The rest of the result, and its arrays as raw as they can be."""
        plain = classes.plain
        raw = []
        key: list[Any] = []
        for x in arrays:
            if type(x) is plain:
                if x._node is not None and grad_mode() is not False:
                    return self._at_a_level(arrays)
                x = x._array
            if isinstance(x, (Array, Traced)):
                return self._at_a_level(arrays)
            raw.append(x)
            key.append(x.shape)
            key.append(x.dtype)
        if raw and spaces[type(raw[0])].guard is not None:
            return self.run(key_of(raw), raw)
        return self.run(tuple(key), raw)

    def run(self, key: Any, raw: Sequence[Any], needs: tuple[int, ...] = ()) -> tuple[Any, Sequence[Any]]:
        """Run the program for raw arrays; that for a pass back, too, where some need gradients."""
        made = self.programs.get((key, needs) if needs else key)
        if made:
            chosen = made[0]
            try:
                return chosen.rest if not needs else chosen, chosen.code.run(*raw)
            except GuardFailedError as failed:
                return self._otherwise(made, chosen, failed, raw, needs)
        return self._first(key, raw, needs)

    def _first(self, key: Any, raw: Sequence[Any], needs: tuple[int, ...]) -> tuple[Any, Sequence[Any]]:
        with self._making:
            made = self.programs.setdefault((key, needs) if needs else key, [])
            if not made:
                made.append(self._specialised(raw, needs))
        return self.run(key, raw, needs)

    def _otherwise(
        self,
        made: list[Any],
        chosen: Any,
        failed: GuardFailedError,
        raw: Sequence[Any],
        needs: tuple[int, ...],
    ) -> tuple[Any, Sequence[Any]]:
        """Run the program for what a branch came out to be; record it, where there is none."""
        tried = {id(chosen)}
        while True:
            outcomes = [guard.value for guard in chosen.guards[: failed.index]] + [failed.value]
            fitting = next((s for s in made if id(s) not in tried and _agrees(s, outcomes)), None)
            if fitting is None:
                with self._making:
                    self._check_limit(made, chosen, failed)
                    fitting = self._specialised(raw, needs)
                    made.append(fitting)
            tried.add(id(fitting))
            try:
                outs = fitting.code.run(*raw)
            except GuardFailedError as again:
                chosen, failed = fitting, again
                if len(tried) > 2 * self.limit:
                    raise
                continue
            return fitting.rest if not needs else fitting, outs

    def _check_limit(self, made: list[Any], chosen: Any, failed: GuardFailedError) -> None:
        if len(made) < self.limit:
            return
        guard = chosen.guards[failed.index]
        asked = getattr(guard.convert, "__name__", "item").lstrip("_")
        msg = (
            f"{self.name} was compiled {len(made)} times for arguments of the same shapes and dtypes, since it "
            f"branches on values: {asked}() of an array of dtype {guard.variable.dtype} at {guard.line} comes out "
            f"otherwise again. Write agnograd.where in the place of the branch, compare before converting, or allow "
            f"more with agnograd.compile(f, limit=...)."
        )
        raise TraceError(msg)

    def _specialised(self, raw: Sequence[Any], needs: tuple[int, ...]) -> Any:
        with uncollected():
            return self._made(raw, needs)

    def _made(self, raw: Sequence[Any], needs: tuple[int, ...]) -> Any:
        if needs:
            return Differentiated(self.function, self.name, raw, needs, native=self.native)
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] == key_of(raw):
            return Specialised(*prepared[1], native=self.native)
        return Specialised(*recorded(self.function, raw), native=self.native)

    def prepare(self, raw: Sequence[Any]) -> None:
        """Record the function for arguments that it is about to be called with."""
        with uncollected():
            self._prepared = (key_of(raw), recorded(self.function, raw))

    def forget(self) -> None:
        """Drop all programs."""
        with self._making:
            self.programs = {}
            self._derived = {}
            self._prepared = None

    # -- at a level --------------------------------------------------------------------------------------------------

    def _at_a_level(self, arrays: Sequence[Any]) -> tuple[Rest, Sequence[Any]]:
        arrays = [settled(x) if isinstance(x, Array) else x for x in arrays]
        if any(isinstance(innermost(x), Traced) for x in arrays):
            # Within a function that is being compiled it is part of it.
            out, rest = parted(self.function(*[wrap(x, None) if not isinstance(x, Array) else x for x in arrays]))
            return rest, out
        level = _highest(arrays)
        while level is not None and not records(level) and isinstance(_first_at(arrays, level), Reverse):
            arrays = [_lowered(x, level) for x in arrays]
            level = _highest(arrays)
        if level is None:
            raw = [x._array if isinstance(x, Array) else x for x in arrays]
            return self.run(key_of(raw), raw)
        level.check_open()
        first = _first_at(arrays, level)
        mine = tuple([isinstance(x, Array) and x.level is level for x in arrays])
        lower = [_lowered(x, level) for x in arrays]
        if isinstance(first, Dual):
            return self._pushed(arrays, lower, mine, level)
        if isinstance(first, Batched):
            return self._batched(lower, mine, level)
        return self._recorded_call(arrays, lower, mine, level)

    def derived(self, kind: str, mask: tuple[bool, ...], make: Callable[..., Callable[..., Any]]) -> Operation:
        """An operation that is made of this one."""
        with self._making:
            found = self._derived.get((kind, mask))
            if found is None:
                made = make(self.function, mask)
                found = self._derived[kind, mask] = Operation(
                    made, f"{kind} of {self.name}", limit=self.limit, native=self.native
                )
        return found

    def _pushed(
        self, arrays: Sequence[Any], lower: list[Any], mine: tuple[bool, ...], level: Level
    ) -> tuple[Rest, Sequence[Any]]:
        tangents = [x._tangent for x, m in zip(arrays, mine, strict=True) if m]
        (values, slopes, rest), _ = self.derived("pushforward", mine, _pushforward).result([*lower, *tangents])
        return rest, [x if t is None else Dual(x, t, level) for x, t in zip(values, slopes, strict=True)]

    def _batched(self, lower: list[Any], mine: tuple[bool, ...], level: Level) -> tuple[Rest, Sequence[Any]]:
        (values, rest), _ = self.derived("batch", mine, _vectorised).result(lower)
        return rest, [Batched(x, level) for x in values]

    def _recorded_call(
        self, arrays: Sequence[Any], lower: list[Any], mine: tuple[bool, ...], level: Level
    ) -> tuple[Rest, Sequence[Any]]:
        from agnograd.compiler.nodes import call

        return call(self, arrays, lower, mine, level)

    def result(self, arrays: Sequence[Any]) -> tuple[Any, Rest]:
        """What the function returns, with arrays as raw as they can be."""
        rest, outs = self(arrays)
        return rest.filled(outs), rest

    def pullback(self, needs: tuple[bool, ...]) -> Operation:
        """The operation that takes cotangents back, which come after the arguments."""
        return self.derived("pullback", needs, _pullback)


def key_of(raw: Sequence[Any]) -> tuple[Any, ...]:
    """Shapes and dtypes, and the devices where there are several that arrays must be kept apart on."""
    facts = [fact for x in raw for fact in (x.shape, x.dtype)]
    space = spaces[type(raw[0])] if raw else None
    if space is not None and space.guard is not None:
        # Their text, since those of CuPy cannot be hashed.
        facts += [str(space.device(x)) for x in raw]
    return tuple(facts)


def _agrees(made: Any, outcomes: Sequence[Any]) -> bool:
    guards = made.guards
    return len(guards) >= len(outcomes) and all(map(same, (g.value for g in guards), outcomes))


def _highest(arrays: Sequence[Any]) -> Level | None:
    levels = [x.level for x in arrays if isinstance(x, Array) and x.level is not None]
    return max(levels, key=lambda level: level.serial) if levels else None


def _first_at(arrays: Sequence[Any], level: Level) -> Any:
    return next(x for x in arrays if isinstance(x, Array) and x.level is level)


def _lowered(x: Any, level: Level) -> Any:
    return x._array if isinstance(x, Array) and (x.level is level or x.level is None) else x


def merged(mask: Sequence[bool], moving: Sequence[Any], fixed: Sequence[Any]) -> list[Any]:
    """All arguments, from those that a transformation is about and the others."""
    moving_, fixed_ = iter(moving), iter(fixed)
    return [next(moving_) if m else next(fixed_) for m in mask]


def _split(mask: Sequence[bool], values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    pairs = list(zip(values, mask, strict=False))
    return [x for x, m in pairs if m], [x for x, m in pairs if not m]


def _arrays_of(function: Callable[..., Any], mask: Sequence[bool], fixed: Sequence[Any], kept: list[Rest]) -> Any:
    """The function of those arguments that a transformation is about, to arrays alone."""

    def values(*moving: Any) -> tuple[Any, ...]:
        arrays, rest = parted(function(*merged(mask, moving, fixed)))
        kept[:] = [rest]
        return tuple(arrays)

    return values


def _pushforward(function: Callable[..., Any], mask: tuple[bool, ...]) -> Callable[..., Any]:
    def pushforward(*given: Any) -> Any:
        primals, tangents = given[: len(mask)], given[len(mask) :]
        moving, fixed = _split(mask, primals)
        kept: list[Rest] = []
        values, slopes = jvp(_arrays_of(function, mask, fixed, kept), tuple(moving), tuple(tangents))
        return values, slopes, kept[0]

    return pushforward


def _vectorised(function: Callable[..., Any], mask: tuple[bool, ...]) -> Callable[..., Any]:
    def vectorised(*given: Any) -> Any:
        moving, fixed = _split(mask, given)
        kept: list[Rest] = []
        return vmap(_arrays_of(function, mask, fixed, kept))(*moving), kept[0]

    return vectorised


def _pullback(function: Callable[..., Any], mask: tuple[bool, ...]) -> Callable[..., Any]:
    def pullback(*given: Any) -> Any:
        primals, cotangents = given[: len(mask)], given[len(mask) :]
        moving, fixed = _split(mask, primals)
        values, back = vjp(_arrays_of(function, mask, fixed, []), *moving)
        carrying = iter(cotangents)
        return back(tuple([next(carrying) if carries(x) else None for x in values]))

    return pullback
