"""An operation: its signature, its derivative rules and what they save.

Three tiers of rules, of which an author chooses the lowest that fits:

elementwise
    One partial derivative per differentiable argument. A rule that names ``g`` in its parameters returns the product
    of ``g`` and the partial instead, where that is better conditioned or faster (``g / x`` for the logarithm).
linear
    The transpose, per linear argument. The JVP is the operation itself on the tangent.
general
    ``vjp`` and ``jvp``.

**The names of a rule's parameters say what is saved**: an argument's own name keeps that array, ``x_spec`` only its
shape, dtype and device, ``ans`` the output, the name of a static parameter its value. ``xp`` is the namespace of the
data, ``g`` the cotangent, ``t`` the tangent and ``needs`` the mask of the arguments that need a cotangent. Any other
name is an error at registration.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agnograd.core.cotangent import Outputs
from agnograd.core.level import zero_safety
from agnograd.core.rule import (
    Rule,
    conjugate_product,
    conjugated_product,
    joined,
    negated,
    of_items,
    parameters,
    product,
    same,
    standard_form,
    written,
    zero,
    zero_safe,
    zeros_of,
)
from agnograd.core.sample import Sample
from agnograd.errors import MissingRuleError, RuleError

Array = Any


def default_doc(name: str) -> str:
    """What an operation says of itself that was given no text: those of a plugin are not the standard's."""
    if name.rpartition(".")[0] in {"", "linalg", "fft"}:
        return f"The standard's ``{name}``, differentiable where the table says so."
    return f"``{name}``, of which its plugin says nothing."


class Variant:
    """How one recorded call of an operation is taken back: chosen at record time by what needs a gradient.

    Attributes
    ----------
    op : Op
    needs : tuple of int
        Positions of the arguments whose nodes are the parents, in order.
    names : tuple of str
        What is saved: names of arguments, ``ans``, ``*_spec`` and static parameters.
    rule, adjoint : callable
        ``rule(xp, g, *saved)``, for real and for complex cotangents. One parent: its cotangent, otherwise a sequence.
    kinds : tuple of (int or None)
        For each saved value the position of the parent it is the value of, -1 for the output, None for a constant.
    save : callable or None
        Takes ``(arrays, params, ans)`` to the saved tuple; made by `agnograd.core.apply.saver` at first use.
    """

    __slots__ = ("adjoint", "kinds", "names", "needs", "op", "rule", "save")
    # The hooks of the one node that has a variant of its own (see `agnograd.core.hooks`).
    hooks: Any = None

    def __init__(self, op: Op, needs: tuple[int, ...], rule: Rule, adjoint: Rule, names: tuple[str, ...]) -> None:
        self.op: Op = op
        self.needs: tuple[int, ...] = needs
        self.rule: Rule = rule
        self.adjoint: Rule = adjoint
        self.names: tuple[str, ...] = names
        self.kinds: tuple[int | None, ...] = tuple(
            -1
            if n == "ans"
            else needs.index(op.arrays.index(n))
            if n in op.arrays and op.arrays.index(n) in needs
            else None
            for n in names
        )
        self.save: Any = None

    def zero_safe(self) -> Variant:
        """The same, where zero cotangents stay zero."""
        return self.op.zero_safe(self)


class Op:
    """One row of the table.

    Parameters
    ----------
    declaration : str
        Name and parameters, ``"sum(x, /, *, axis=None)"``. Parameters before the slash are arrays, the one that is
        named ``arrays`` a sequence of them; those after it are static. A composite may take ``*arrays``, separately.
    tier : str
        ``"elementwise"``, ``"linear"``, ``"general"``, ``"composite"``, or ``"none"`` for what has no derivative.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash too.
    body : callable, optional
        ``body(xp, *arrays, **params)`` in standard names, for operations that the standard does not have.
    samples : iterable of Sample
        What the operation is tested with. An operation without samples cannot be registered.
    doc : str
        The mathematics in a line.
    view : callable, optional
        For operations whose result aliases its argument: ``view(base, value, **params)`` is the value of the argument
        after the result was overwritten with ``value``.
    aliases : callable, optional
        ``aliases(**params)``: whether the result is a view for these parameters; always, where none is given.
    reconnect : callable, optional
        ``reconnect(x)``: the outputs for a wrapper, written with other operations, where some are elements of it and
        others, say how often they occur, never carry a gradient.
    connected : bool
        False for operations whose output never carries a gradient (comparisons, arg-functions).
    outputs : int
        Number of arrays that the operation returns, as a tuple where there are several. Their cotangents, and in
        forward mode their tangents, are a tuple too; the cotangent of an output that nothing depends on is None.
    invariant : callable, optional
        ``invariant(xp, *outputs)``: what of the outputs is compared in tests, where they are determined only up to
        signs, phases or an order that each library chooses.
    domain : callable, optional
        ``domain(xp, *arrays)``: the arguments that derivatives are tested with, where the operation is defined for some
        matrices only, say Hermitian ones, and differences must not leave them.
    batch : callable, optional
        ``batch(run, arrays, mapped, **params)``: the operation for all members of a batch at once, see
        `agnograd.core.batching`. An operation without it runs in a loop.
    batch_statics : callable, optional
        The same where static parameters differ from member to member.

    Examples
    --------
    >>> import agnograd as ag
    >>> from agnograd.core.table import OPS
    >>> OPS["matmul"]
    <operation matmul(x1, x2, /), linear>
    >>> OPS["matmul"].differentiable, len(OPS["matmul"].samples) > 0
    (('x1', 'x2'), True)
    """

    def __init__(
        self,
        declaration: str,
        *,
        tier: str,
        body: Rule | None = None,
        samples: Iterable[Sample] = (),
        doc: str = "",
        view: Rule | None = None,
        aliases: Callable[..., bool] | None = None,
        reconnect: Callable[[Any], Any] | None = None,
        connected: bool = True,
        arrays: Sequence[str] | None = None,
        outputs: int = 1,
        invariant: Rule | None = None,
        domain: Rule | None = None,
        batch: Rule | None = None,
        batch_statics: Rule | None = None,
    ) -> None:
        self.name: str
        self.name, arguments = declaration.rstrip(")").split("(", 1)
        self.signature: inspect.Signature = _signature(arguments)
        if arrays is None:
            arrays = [p.name for p in self.signature.parameters.values() if p.kind is p.POSITIONAL_ONLY]
        self.variadic: bool = list(arrays) == ["arrays"]
        # A sequence of arrays that is given as separate arguments, after the static ones.
        self.starred: bool = any(p.kind is p.VAR_POSITIONAL for p in self.signature.parameters.values())
        self.arrays: tuple[str, ...] = tuple(arrays)
        statics = [p for p in self.signature.parameters.values() if p.name not in arrays]
        self.statics: tuple[str, ...] = tuple(p.name for p in statics)
        self.positional: tuple[str, ...] = tuple(p.name for p in statics if p.kind is not p.KEYWORD_ONLY)
        self.positional_only: tuple[str, ...] = tuple(p.name for p in statics if p.kind is p.POSITIONAL_ONLY)
        self.defaults: dict[str, Any] = {p.name: p.default for p in statics if p.default is not p.empty}
        self.tier = tier
        self.body = body
        self.samples: tuple[Sample, ...] = tuple(samples)
        self.doc: str = doc or default_doc(self.name)
        self.view = view
        self.aliases = aliases
        self.reconnect = reconnect
        self.connected = connected
        self.outputs = outputs
        self.invariant = invariant
        self.domain = domain
        self.batch = batch
        self.batch_statics = batch_statics
        self.partials: dict[str, Rule | int] = {}
        self.repeated: Rule | None = None
        self.transposes: dict[str, Rule] = {}
        self.jvps: dict[str, Rule] = {}
        self.joint_vjp: Rule | None = None
        self.jointly_linear = False
        self.changes_backend = False
        self.bodies: dict[type, Callable[..., Any]] = {}
        self.call: Callable[..., Any] = _unbound
        # Set by `agnograd.core.recorders`, see `agnograd.core.nested.path_of`.
        self.path: Callable[..., Any] | None = None
        self._variants: dict[Any, Variant] = {}
        self._zero_safe: dict[Variant, Variant] = {}
        self._projections: list[Projection] = []
        self._tangent_rules: dict[str, tuple[Rule, tuple[str, ...]]] = {}
        if not self.samples:
            msg = f"operation {self.name!r} has no samples. Every operation is tested from them: give at least one."
            raise RuleError(msg)

    def __repr__(self) -> str:
        return f"<operation {self.name}{self.signature}, {self.tier}>"

    @property
    def node_name(self) -> str:
        """Name of the operation's node class, as PyTorch forms it."""
        words = self.name.rpartition(".")[2].strip("_").split("_")
        return _NODE_NAMES.get(self.name, "".join(w.capitalize() for w in words)) + "Backward0"

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Names of the array arguments that have a derivative."""
        if self.jointly_linear or self.tier == "composite":
            return self.arrays
        return tuple(n for n in self.arrays if n in self.partials or n in self.transposes)

    def bind(self, args: Sequence[Any], params: dict[str, Any]) -> dict[str, Any]:
        """Name static parameters that were given by position."""
        if len(args) > len(self.positional):
            leading = 1 if self.variadic else len(self.arrays)
            msg = (
                f"{self.name}{self.signature} takes {leading + len(self.positional)} positional arguments, "
                f"got {leading + len(args)}"
            )
            raise TypeError(msg)
        for name, value in zip(self.positional, args, strict=False):
            if name in params:
                msg = f"{self.name}{self.signature} got multiple values for argument {name!r}"
                raise TypeError(msg)
            params[name] = value
        return params

    def check_names(self, rule: Rule, extra: Iterable[str]) -> None:
        """Refuse a rule with parameters that mean nothing."""
        known = {"xp", "ans", "ans_spec", *extra, *self.arrays, *(f"{n}_spec" for n in self.arrays), *self.statics}
        for name in parameters(rule):
            if name not in known:
                msg = (
                    f"a rule of {self.name!r} has a parameter {name!r}, which names nothing that can be saved. "
                    f"Known names: {', '.join(sorted(known))}."
                )
                raise RuleError(msg)

    # -- reverse mode ------------------------------------------------------------------------------------------------

    def variant(self, needs: tuple[int, ...], fit: tuple[int, ...] = ()) -> Variant:
        """The way back for the arguments at positions `needs`.

        Parameters
        ----------
        needs : tuple of int
            Positions of the arguments that need a cotangent.
        fit : tuple of int
            Those of them whose shape or dtype differs from the output's: broadcast axes are summed and the dtype is
            cast, here and nowhere else.
        """
        key = needs, fit
        found = self._variants.get(key)
        if found is None:
            # Of two threads that make it at once, both get the first one's: passes tell variants by identity.
            found = self._variants.setdefault(key, self._make_variant(needs, fit))
        return found

    def repeated_variant(self) -> Variant:
        """The way back for two arguments that are one array: as for any two, and it saves the same."""
        both = self.variant((0, 1))
        if self.repeated is None:
            return both
        found = self._variants.get(((0, 1), _REPEATED))
        if found is None:
            rule, used = standard_form(self.repeated, "g")
            pair = written(
                f"lambda rule: lambda xp, g, {', '.join(both.names)}: (both := rule(xp, g, {', '.join(used)}), both)"
            )
            made = Variant(self, (0, 1), pair(rule), pair(conjugated_product(rule)), both.names)
            found = self._variants.setdefault(((0, 1), _REPEATED), made)
        return found

    def zero_safe(self, variant: Variant) -> Variant:
        """The same way back, on which zero cotangents stay zero; it saves the same."""
        if self.tier != "elementwise":
            return variant
        found = self._zero_safe.get(variant)
        if found is None:
            needs, fit = next(key for key, made in self._variants.items() if made is variant)
            found = self._zero_safe[variant] = self._make_variant(needs, () if fit == _REPEATED else fit, safe=True)
        return found

    def _make_variant(self, needs: tuple[int, ...], fit: tuple[int, ...], safe: bool = False) -> Variant:
        if self.joint_vjp is not None and (self.jointly_linear or len(needs) > 1):
            return self._joint_variant(needs)
        rules = [self._argument_vjp(self.arrays[i]) for i in needs]
        if safe:
            rules = [(zero_safe(rule), zero_safe(adjoint), used) for rule, adjoint, used in rules]
        specs = [f"{self.arrays[i]}_spec" if i in fit else None for i in needs]

        read = [used if spec is None else (spec, *used) for spec, (_, _, used) in zip(specs, rules, strict=True)]
        names = tuple(dict.fromkeys(n for used in read for n in used))
        real = joined([(rule, used, spec) for spec, (rule, _, used) in zip(specs, rules, strict=True)], names)
        adjoint = joined([(rule, used, spec) for spec, (_, rule, used) in zip(specs, rules, strict=True)], names)
        if self.outputs > 1:
            real = adjoint = of_items(real)
        return Variant(self, needs, real, adjoint, names)

    def projection(self, index: int) -> Projection:
        """What stands between the operation's node and its output of that number."""
        if not self._projections:
            self._projections = [Projection(self, i) for i in range(self.outputs)]
        return self._projections[index]

    def _argument_vjp(self, name: str) -> tuple[Rule, Rule, tuple[str, ...]]:
        """``(rule(xp, g, *saved), its version for complex cotangents, names of what is saved)`` for one argument."""
        if name in self.transposes:
            rule, used = standard_form(self.transposes[name], "g")
            return rule, rule, used
        partial = self.partials.get(name)
        if partial is None:
            msg = (
                f"{self.name!r} has no derivative with respect to its argument {name!r}. Detach that argument, or "
                f"register an operation of your own with a rule for it."
            )
            raise MissingRuleError(msg)
        if partial == 1:
            return same, same, ()
        if partial == -1:
            return negated, negated, ()
        if partial == 0:
            return zero, zero, ()
        if "g" in parameters(partial):  # type: ignore[arg-type]
            rule, used = standard_form(partial, "g")  # type: ignore[arg-type]
            return rule, conjugated_product(rule), used
        factor, used = standard_form(partial, None)  # type: ignore[arg-type]
        return product(factor), conjugate_product(factor), used

    def _joint_variant(self, needs: tuple[int, ...]) -> Variant:
        joint = self.joint_vjp
        assert joint is not None
        rule, used = standard_form(joint, "g", needs=needs)
        if self.outputs > 1:
            rule = of_items(rule)
        if len(needs) == 1:
            inner = rule

            def rule(xp: Any, g: Array, *saved: Any) -> Any:
                return inner(xp, g, *saved)[0]

        return Variant(self, needs, rule, rule, used)

    # -- forward mode ------------------------------------------------------------------------------------------------

    def jvp(
        self,
        xp: Any,
        tangents: Mapping[str, Array],
        values: Mapping[str, Any],
        run: Callable[..., Array],
    ) -> Array | None:
        """The tangent of the output.

        Parameters
        ----------
        xp : namespace
            Namespace of the data.
        tangents : mapping
            Argument name to tangent, for the arguments that have one.
        values : mapping
            Names to arrays, specs, static parameters and ``ans``.
        run : callable
            ``run(**arrays)`` applies the operation itself with some arrays replaced.
        """
        if self.jointly_linear:
            # Arguments without a tangent are constants: zero where the operation is linear in them.
            primals: Any = values["arrays"] if self.variadic else values
            names: Sequence[Any] = range(len(primals)) if self.variadic else self.arrays
            return run(**{str(n): tangents[n] if n in tangents else zeros_of(xp, primals[n]) for n in names})
        total = None
        for name, t in tangents.items():
            term = self._argument_jvp(xp, name, t, values, run)
            total = _sum(total, term)
        return total

    def _argument_jvp(
        self, xp: Any, name: str, t: Array, values: Mapping[str, Any], run: Callable[..., Array]
    ) -> Array:
        if name in self.transposes and name not in self.jvps:
            return run(**{name: t})
        rule, used = self.tangent_rule(name)
        if zero_safety.get() and callable(self.partials.get(name)):
            rule = zero_safe(rule)
        return rule(xp, t, *[values[n] for n in used])

    def tangent_rule(self, name: str) -> tuple[Rule, tuple[str, ...]]:
        """``(rule(xp, t, *values), names of the values)`` for one argument."""
        found = self._tangent_rules.get(name)
        if found is None:
            found = self._tangent_rules[name] = self._make_tangent_rule(name)
        return found

    def _make_tangent_rule(self, name: str) -> tuple[Rule, tuple[str, ...]]:
        if name in self.jvps:
            return standard_form(self.jvps[name], "t")
        partial = self.partials.get(name)
        if partial is None:
            msg = f"{self.name!r} has no derivative with respect to its argument {name!r}. Detach that argument."
            raise MissingRuleError(msg)
        if isinstance(partial, int):
            return {1: same, -1: negated}.get(partial, zero), ()
        if "g" in parameters(partial):
            return standard_form(partial, "g")
        factor, used = standard_form(partial, None)
        return product(factor), used


class Projection(Variant):
    """The way back from one output of an operation to the operation's node, where it meets those of the others."""

    __slots__ = ("index",)

    def __init__(self, op: Op, index: int) -> None:
        before, after = (None,) * index, (None,) * (op.outputs - index - 1)

        def rule(xp: Any, g: Array) -> Outputs:
            return Outputs((*before, g, *after))

        super().__init__(op, (0,), rule, rule, ())
        self.index: int = index


def _sum(a: Any, b: Any) -> Any:
    """The sum of two tangents, or of two tuples of them; None is zero."""
    if a is None or b is None:
        return b if a is None else a
    return tuple([_sum(x, y) for x, y in zip(a, b, strict=True)]) if isinstance(a, tuple) else a + b


# Where PyTorch's name of a node is not the operation's own.
_NODE_NAMES = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "matmul": "Mm",
    "getitem": "Slice",
    "setitem": "CopySlices",
    "permute_dims": "Permute",
    "matrix_transpose": "Transpose",
    "astype": "ToCopy",
    "reshape": "View",
    "expand_dims": "Unsqueeze",
    "broadcast_to": "Expand",
    "concat": "Cat",
}


@functools.cache
def _signature(arguments: str) -> inspect.Signature:
    # Read by Python's own grammar, once for all operations that are declared alike.
    return inspect.signature(eval(f"lambda {arguments}: None"))


# In the place of the arguments that are fitted: both are one array.
_REPEATED = (-1,)


def _unbound(*args: Any, **params: Any) -> Any:
    msg = "this operation was not bound to a wrapper class: import agnograd, not only its core"
    raise RuntimeError(msg)
