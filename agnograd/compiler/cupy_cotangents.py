"""Cotangents on CuPy that are not computed yet: rules of elementwise operations in turn are one kernel.

A pass back is a chain of small rules, of which each launch reads and writes all of memory. Here the rule of an
elementwise operation is not run: its cotangent becomes *pending*, an array and the rules that are to be applied to it.
What needs it, another kind of rule, a second contribution, the user, has all of them computed at once, by a kernel that
is generated from the rules themselves as those of compiled programs are. So values are those of the rules, bit for bit.

CUDA's compiler takes a tenth of a second for a kernel: what has not come several times is computed rule by rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple
from weakref import WeakSet

import cupy as cp  # noqa: TID253 - this module is imported for arrays of CuPy only
from cupy.cuda.compiler import CompileException  # noqa: TID253

from agnograd.compiler import cupy_numbers, on_cupy
from agnograd.compiler.passes import optimised
from agnograd.compiler.program import Program
from agnograd.compiler.tracing import Recorder, recording
from agnograd.core.cotangent import Partial, fit
from agnograd.core.formulas import elements
from agnograd.core.op import Op, Variant
from agnograd.core.rule import Rule, same
from agnograd.core.saved import Packed
from agnograd.core.table import OPS, Deferral, Space, spaces

Array = Any
Link = tuple[Rule, Sequence[Any]]
Key = tuple[Any, ...]

# How often the same rules come before a kernel is made of them, and how many of such are remembered.
AGAIN = 8
_MOST = 4096
# Rules of one kernel, and arrays that it may hold: they are freed when it has run.
_RULES, _ARRAYS = 16, 24
_NEVER = -1
_REAL = frozenset("?bBhHiIlLqQfd")
_NUMBERS = frozenset((bool, int, float, complex))
_SUM, _MEAN = OPS["sum"], OPS["mean"]


class Pending:
    """A cotangent of which only the rules are known that lead to it.

    Attributes
    ----------
    base : array
        What the rules are applied to.
    links : tuple of (rule, values)
        In turn, each with the saved values that it reads.
    key : tuple
        What a kernel depends on: the rules, the dtypes of arrays, and numbers.
    held : int
        How many saved values it holds.
    shape : tuple of int
        What the last rule returns is broadcast to: a sum gives one number back to all of its elements.
    value : array or None
        What it is, once it has been computed.
    """

    __slots__ = ("base", "dtype", "held", "key", "links", "shape", "value")

    def __init__(self, base: Array, links: tuple[Link, ...], key: Key, held: int, shape: tuple[int, ...]) -> None:
        self.base: Array = base
        self.dtype: Any = base.dtype
        self.shape: tuple[int, ...] = shape
        self.links: tuple[Link, ...] = links
        self.key: Key = key
        self.held: int = held
        self.value: Array | None = None


class Numbers:
    """The cotangent of a small array of which only some numbers were used, one by one.

    Attributes
    ----------
    spec : Spec
        Of the array.
    items : list of (array, int)
        Cotangents of the numbers, and where in the array each belongs.
    """

    __slots__ = ("dtype", "items", "shape", "spec")

    def __init__(self, spec: Any, items: list[tuple[Array, int]]) -> None:
        self.spec: Any = spec
        self.shape: tuple[int, ...] = spec.shape
        self.dtype: Any = items[0][0].dtype
        self.items: list[tuple[Array, int]] = items

    def array(self, space: Space) -> Array:
        """The whole, by one kernel."""
        with nullcontext() if space.guard is None else space.guard(self.items[0][0]):
            values, places = zip(*self.items, strict=True)
            return cupy_numbers.put(values, places, self.spec.shape, self.dtype)


def _place(part: Partial) -> int | None:
    """Where in a small array the number belongs that was taken from it; None where it is no number."""
    g = part.g
    if type(g) is not cp.ndarray or g.shape != () or g.dtype.char not in _REAL:
        return None
    return cupy_numbers.place(part.key, part.spec.shape)


class Elementwise(NamedTuple):
    """The way back through an elementwise operation.

    Attributes
    ----------
    rule : callable
        For a real cotangent, without sums over broadcast axes.
    places : tuple of int or None
        Where among the saved values those are that it reads; None if it reads all of them in their order.
    specs : tuple of (int or None)
        For each parent, where the description is that its cotangent is fitted to.
    repeated : bool
        Whether both arguments are one array: there is one cotangent.
    """

    rule: Rule
    places: tuple[int, ...] | None
    specs: tuple[int | None, ...]
    repeated: bool


_made: WeakSet[_Passes] = WeakSet()
_DEFERRED = frozenset((Pending, Numbers))
_PARTS = frozenset((Partial, Numbers))


def defer(space: Space) -> Deferral:
    """How passes back run on a namespace of CuPy's arrays."""
    spaces[Pending] = spaces[Numbers] = space
    passes = _Passes(space)
    _made.add(passes)
    return Deferral(*passes.functions())


def forget() -> None:
    """Forget what has come before, and the kernels made of it: counts of launches are not to depend on it."""
    for passes in list(_made):
        passes.kernels.clear()


def _elementwise(variant: Variant) -> Elementwise | None:
    """What is known of a variant; None where its rule is to run as it is."""
    op = variant.op
    if op.tier != "elementwise" or op.joint_vjp is not None or op.outputs != 1:
        return None
    found = next((key for key, made in op._variants.items() if made is variant), None)
    if found is None:
        return None
    needs, fitted = found
    if fitted == (-1,):
        pair = variant.rule

        def twice(xp: Any, g: Array, *saved: Any) -> Array:
            first, second = pair(xp, g, *saved)
            return first + second

        return Elementwise(twice, None, (None,), repeated=True)
    whole = op.variant(needs)
    names = list(variant.names)
    places = None if whole.names == variant.names else tuple([names.index(name) for name in whole.names])
    specs = tuple([names.index(f"{op.arrays[i]}_spec") if i in fitted else None for i in needs])
    return Elementwise(whole.rule, places, specs, repeated=False)


def _plus(_: Any, g: Array, other: Array) -> Array:
    return g + other


def _over(_: Any, g: Array, count: float) -> Array:
    return g / count


def _facts(values: Sequence[Any]) -> Key | None:
    """What a kernel depends on of saved values; None where it could not be made."""
    found: list[Any] = []
    for x in values:
        kind = type(x)
        if kind is cp.ndarray:
            char = x.dtype.char
            if char not in _REAL:
                return None
            found.append(char)
        elif kind in _NUMBERS:
            # Zeros have signs.
            found.append((kind, repr(x)))
        elif x is None or kind is str:
            found.append(x)
        else:
            return None
    return tuple(found)


def _extended(g: Any, rule: Rule, values: Sequence[Any], facts: Key) -> Pending:
    """A cotangent with one rule more."""
    if type(g) is not Pending:
        return Pending(g, ((rule, values),), (g.dtype.char, rule, facts), len(values), g.shape)
    return Pending(g.base, (*g.links, (rule, values)), (*g.key, rule, facts), g.held + len(values), g.shape)


class _Passes:
    """What runs the rules of one namespace, with the kernels that were made."""

    def __init__(self, space: Space) -> None:
        self.space = space
        # To what a rule is put off by, to the operation itself for sums and means.
        self.known: dict[Variant, Elementwise | Op | None] = {}
        self.kernels: dict[Key, Any] = {}

    def functions(self) -> tuple[Callable[..., Any], ...]:
        return self.run, self.combining, self.evaluate

    def run(self, variant: Variant, rule: Rule, g: Any, saved: Sequence[Any]) -> Any:
        """The cotangents of a node's parents, as the rule returns them."""
        way = self.known[variant] if variant in self.known else self._way(variant)
        if way is None or rule is not variant.rule or g.dtype.char not in _REAL or type(saved) is Packed:
            # What comes back from where it was packed is not to be held for long, nor asked for twice.
            pass
        elif type(way) is not Elementwise:
            spread = self._spread(variant, g, saved)
            if spread is not None:
                return spread
        else:
            if way.rule is same and way.specs == (None,):
                return g
            values = saved if way.places is None else [saved[i] for i in way.places]
            facts = _facts(values)
            if facts is not None:
                return self._deferred(way, g, values, facts, saved)
        if type(g) in _DEFERRED:
            g = self.evaluate(g)
        with self._on(g):
            return rule(self.space, g, *saved)

    def _way(self, variant: Variant) -> Elementwise | Op | None:
        op = getattr(variant, "op", None)
        if op is None or OPS.get(op.name) is not op:
            # A leaf with hooks, or an operation that may go.
            return None
        if variant.hooks is not None:
            return None
        self.known[variant] = way = op if op is _SUM or op is _MEAN else _elementwise(variant)
        return way

    def _deferred(self, way: Elementwise, g: Any, values: Sequence[Any], facts: Key, saved: Sequence[Any]) -> Any:
        g = self._with_room(g, len(values))
        out = _extended(g, way.rule, values, facts)
        if way.specs == (None,):
            return (out, None) if way.repeated else out
        found = self._computed(out)
        fitted = [
            x if place is None else self._fitted(x, saved[place]) for x, place in zip(found, way.specs, strict=True)
        ]
        return fitted[0] if len(fitted) == 1 else fitted

    def _with_room(self, g: Any, count: int) -> Any:
        """A cotangent to which a rule can be added that reads that many values."""
        if type(g) is Pending and g.value is None and len(g.links) < _RULES and g.held + count <= _ARRAYS:
            return g
        return self.evaluate(g)

    def _spread(self, variant: Variant, g: Any, saved: Sequence[Any]) -> Pending | None:
        """One number, for all that it is the sum or the mean of; None where it is no such."""
        names = variant.names
        axis = saved[names.index("axis")]
        if axis is not None or g.shape != ():
            return None
        shape = tuple(saved[names.index("x_spec")].shape)
        if variant.op is _SUM:
            if type(g) is not Pending or g.value is not None:
                return None
            return Pending(g.base, g.links, g.key, g.held, shape)
        values = (elements(g, shape, None),)
        facts = _facts(values)
        if facts is None:
            return None
        out = _extended(self._with_room(g, 1), _over, values, facts)
        return Pending(out.base, out.links, out.key, out.held, shape)

    def _fitted(self, g: Array, spec: Any) -> Array:
        with self._on(g):
            return fit(self.space, g, spec)

    def _on(self, g: Any) -> Any:
        guard = self.space.guard
        return nullcontext() if guard is None else guard(g)

    # -- sums ----------------------------------------------------------------------------------------------------------

    def combining(self, default: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """What adds to a cotangent, where either may be pending."""

        def combine(found: Any, g: Any) -> None:
            total = found[1]
            if self._numbers(found, g):
                return
            if type(g) is Numbers:
                g = self.evaluate(g)
            if type(total) is Numbers:
                found[1] = total = self.evaluate(total)
                found[2] = True
            if type(total) is Pending:
                if total.links and total.links[-1][0] is _plus:
                    # A third contribution: from now on they are added up in an array of the pass's own.
                    found[1] = total = self.evaluate(total)
                    found[2] = True
                elif type(g) is cp.ndarray:
                    total, g = g, total
                else:
                    found[1] = total = self.evaluate(total)
            if type(g) is not Pending:
                default(found, g)
                return
            facts = _facts((total,)) if type(total) is cp.ndarray else None
            if facts is None or g.value is not None or g.dtype != total.dtype:
                found[1] = total
                default(found, self.evaluate(g))
                return
            out = _extended(g, _plus, (total,), facts)
            if found[2]:
                (found[1],) = self._computed(out, total)
            else:
                found[1] = out

        return combine

    def _numbers(self, found: Any, g: Any) -> bool:
        """Whether both are numbers taken from one small array: they are put in their places together."""
        total = found[1]
        if type(g) is not Partial or type(total) not in _PARTS or len(g.spec.shape) == 0:
            return False
        if type(total) is Partial:
            first = _place(total)
            if first is None or _place(g) is None:
                return False
            found[1] = total = Numbers(total.spec, [(total.g, first)])
        place = _place(g)
        if place is None or len(total.items) >= cupy_numbers.MOST or g.g.dtype != total.dtype:
            return False
        total.items.append((g.g, place))
        return True

    # -- values --------------------------------------------------------------------------------------------------------

    def evaluate(self, g: Any) -> Any:
        """A cotangent as an array."""
        if type(g) is Numbers:
            return g.array(self.space)
        if type(g) is not Pending:
            return g
        if g.value is None:
            (g.value,) = self._computed(g)
            g.base = None
            g.links = ()
        return g.value

    def _computed(self, g: Pending, out: Array | None = None) -> Sequence[Array]:
        """What the last rule returns; an array `out`, if it is given, may be written to."""
        made: Any = self.kernels.get(g.key)
        if made is None:
            if len(self.kernels) >= _MOST:
                # Numbers that change from pass to pass, each of which is part of a key.
                self.kernels.clear()
            made = 0
        if type(made) is int and made != _NEVER:
            # So far it has come that often.
            made = self.kernels[g.key] = made + 1 if made < AGAIN else self._kernel(g) or _NEVER
        with self._on(g.base):
            found = None
            if type(made) is not int:
                try:
                    found = made(g, out)
                except CompileException:
                    # The rules work without it.
                    self.kernels[g.key] = _NEVER
            if found is None:
                x = g.base
                for rule, values in g.links:
                    x = rule(self.space, x, *values)
                found = x if type(x) in (tuple, list) else (x,)
            return [x if x.shape == g.shape else cp.broadcast_to(x, g.shape) for x in found]

    def _kernel(self, g: Pending) -> Callable[[Pending, Array | None], Sequence[Array]] | None:
        """A kernel for all rules; None where there is none, or it would spare nothing."""
        try:
            program = self._program(g)
        except Exception:
            # The rules themselves will say what is wrong.
            return None
        if program.constants or program.guards:
            return None
        if any(v.dtype != g.dtype for v in program.outputs):
            return None
        outs = [v for v in dict.fromkeys(program.outputs) if v not in program.inputs]
        kernel = on_cupy.kernel_of(program, outs)
        if kernel is None:
            return None
        call, reads = kernel
        if program.inputs[0] not in reads:
            return None
        picks = [program.inputs.index(v) for v in reads]
        places = [(False, outs.index(v)) if v in outs else (True, program.inputs.index(v)) for v in program.outputs]
        alone = places == [(False, 0)]

        def run(g: Pending, out: Array | None) -> Sequence[Array]:
            given = [g.base]
            for _, values in g.links:
                given += [x for x in values if type(x) is cp.ndarray]
            arrays = [given[i] for i in picks]
            if alone:
                return (call(*arrays) if out is None else call(*arrays, out),)
            found = call(*arrays)
            made = found if type(found) in (tuple, list) else (found,)
            return [given[i] if is_given else made[i] for is_given, i in places]

        return run

    def _program(self, g: Pending) -> Program:
        """The rules as a program."""
        recorder = Recorder(self.space)
        traced: Any = spaces[recorder.kind]
        with recording(recorder):
            x: Any = recorder.input(g.base)
            for rule, values in g.links:
                x = rule(traced, x, *[recorder.input(v) if type(v) is cp.ndarray else v for v in values])
            outs = x if type(x) in (tuple, list) else (x,)
            program = recorder.finish([out.variable for out in outs])
        return optimised(program)
