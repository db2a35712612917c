"""The three tiers in which a derivative is declared (see `agnograd.core.op`), and operations without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agnograd.core.batching import elements
from agnograd.core.op import Op
from agnograd.core.rule import Rule
from agnograd.core.sample import Sample
from agnograd.errors import RuleError


def elementwise(
    declaration: str,
    *,
    samples: Iterable[Sample],
    body: Rule | None = None,
    doc: str = "",
    arrays: Sequence[str] | None = None,
    repeated: Rule | None = None,
    **partials: Rule | int,
) -> Op:
    """An operation on elements that broadcast.

    Parameters
    ----------
    declaration : str
        Name and parameters, as in ``"multiply(x1, x2, /)"``.
    samples : iterable of Sample
        What it is tested with.
    body : callable, optional
        ``body(xp, *arrays, **params)`` in standard names, where the standard has no such function.
    doc : str
        The mathematics in a line.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash, too.
    repeated : callable, optional
        Of two arguments that enter alike, what each contributes where both are one array: computed once, as in
        ``x * x``. A function that names ``g``, as below, of the first argument.
    **partials
        For each differentiable argument its partial derivative: a function of what it reads, or 1, -1 or 0. A
        function that names ``g`` returns the product of ``g`` and the partial.

    Returns
    -------
    Op

    Examples
    --------
    >>> from agnograd.core.sample import Sample, Uniform
    >>> cube = elementwise(
    ...     "cube(x, /)",
    ...     body=lambda xp, x: x * x * x,
    ...     x=lambda xp, x: 3 * x * x,
    ...     samples=[Sample((Uniform(),))],
    ... )
    >>> cube
    <operation cube(x, /), elementwise>
    """
    op = Op(declaration, tier="elementwise", body=body, samples=samples, doc=doc, arrays=arrays, batch=elements)
    _check_arguments(op, partials)
    for rule in partials.values():
        if not isinstance(rule, int):
            op.check_names(rule, ("g",))
    op.partials = dict(partials)
    if repeated is not None:
        op.check_names(repeated, ("g",))
        op.repeated = repeated
    return op


def linear(
    declaration: str,
    *,
    samples: Iterable[Sample],
    body: Rule | None = None,
    doc: str = "",
    view: Rule | None = None,
    aliases: Callable[..., bool] | None = None,
    arrays: Sequence[str] | None = None,
    jointly: Callable[..., Any] | None = None,
    batch: Rule | None = None,
    batch_statics: Rule | None = None,
    **transposes: Rule,
) -> Op:
    """An operation that is linear in each argument that has a transpose.

    Parameters
    ----------
    declaration : str
        Name and parameters: arrays before the slash, static parameters after it.
    samples : iterable of Sample
        What it is tested with.
    body : callable, optional
        ``body(xp, *arrays, **params)`` in standard names, where the standard has no such function.
    doc : str
        The mathematics in a line.
    view : callable, optional
        ``view(base, value, **params)``: the base after its view was overwritten with `value`, for operations whose
        result aliases its argument.
    aliases : callable, optional
        ``aliases(**params)``: whether the result is a view for these parameters; always, where none is given.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash, too.
    jointly : callable, optional
        ``jointly(xp, g, ..., needs)`` returns a transpose for each position in `needs`, for operations that are linear
        in all arguments together (a sum, not a product): their JVP runs the operation once, on all tangents.
    batch, batch_statics : callable, optional
        How it runs under ``vmap``, see `agnograd.core.batching`; in a loop, where none is given.
    **transposes : callable
        For each linear argument ``rule(xp, g, ...)``.

    Returns
    -------
    Op

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, linear
    >>> linear(
    ...     "mine.twice(x, /)",
    ...     body=lambda xp, x: x + x,
    ...     x=lambda xp, g: g + g,
    ...     samples=[Sample((Uniform(),))],
    ...     doc="the double of x",
    ... )
    <operation mine.twice(x, /), linear>
    """
    op = Op(
        declaration,
        tier="linear",
        body=body,
        samples=samples,
        doc=doc,
        view=view,
        aliases=aliases,
        arrays=arrays,
        batch=batch,
        batch_statics=batch_statics,
    )
    _check_arguments(op, transposes)
    for rule in transposes.values():
        op.check_names(rule, ("g",))
    op.transposes = dict(transposes)
    if jointly is not None:
        op.check_names(jointly, ("g", "needs"))
        op.joint_vjp = jointly
        op.jointly_linear = True
    return op


def general(
    declaration: str,
    *,
    samples: Iterable[Sample],
    vjp: Mapping[str, Rule],
    jvp: Mapping[str, Rule],
    body: Rule | None = None,
    doc: str = "",
    arrays: Sequence[str] | None = None,
    outputs: int = 1,
    invariant: Rule | None = None,
    domain: Rule | None = None,
    jointly: Callable[..., Any] | None = None,
    batch: Rule | None = None,
    batch_statics: Rule | None = None,
) -> Op:
    """An operation with a rule of its own for each argument and mode.

    Parameters
    ----------
    declaration : str
        Name and parameters: arrays before the slash, static parameters after it.
    samples : iterable of Sample
        What it is tested with.
    body : callable, optional
        ``body(xp, *arrays, **params)`` in standard names, where the standard has no such function.
    doc : str
        The mathematics in a line.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash, too.
    vjp : mapping
        Argument name to ``rule(xp, g, ...)``.
    jvp : mapping
        Argument name to ``rule(xp, t, ...)``; the contributions of the arguments are summed.
    outputs : int
        Number of arrays that it returns. Where there are several, ``ans``, ``g`` and what a JVP returns are tuples of
        as many items; None stands for a cotangent or tangent of zero.
    invariant : callable, optional
        ``invariant(xp, *outputs)``: what of the outputs is compared in tests, where they are determined only up to
        signs, phases or an order that each library chooses.
    domain : callable, optional
        ``domain(xp, *arrays)``: the arguments that derivatives are tested with, where the operation is defined for some
        matrices only, say Hermitian ones, and differences must not leave them.
    jointly : callable, optional
        ``jointly(xp, g, ..., needs)`` returns a cotangent, of the shape and dtype of its argument, for each position in
        `needs`: used in place of `vjp` where several arguments need one and the rules have work in common.
    batch, batch_statics : callable, optional
        How it runs under ``vmap``, see `agnograd.core.batching`; in a loop, where none is given.

    Returns
    -------
    Op

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, general
    >>> general(
    ...     "mine.norm(x, /)",
    ...     body=lambda xp, x: xp.sqrt(xp.sum(x * x)),
    ...     vjp={"x": lambda xp, g, x, ans: g * x / ans},
    ...     jvp={"x": lambda xp, t, x, ans: xp.sum(t * x) / ans},
    ...     samples=[Sample((Uniform(1.0, 2.0),))],
    ...     doc="the length of x",
    ... )
    <operation mine.norm(x, /), general>
    """
    op = Op(
        declaration,
        tier="general",
        body=body,
        samples=samples,
        doc=doc,
        arrays=arrays,
        outputs=outputs,
        invariant=invariant,
        domain=domain,
        batch=batch,
        batch_statics=batch_statics,
    )
    if set(vjp) != set(jvp):
        msg = f"{op.name!r} has a VJP for {sorted(vjp)} and a JVP for {sorted(jvp)}: give both for each argument"
        raise RuleError(msg)
    _check_arguments(op, vjp)
    for rule in vjp.values():
        op.check_names(rule, ("g",))
    for rule in jvp.values():
        op.check_names(rule, ("t",))
    op.transposes = dict(vjp)
    op.jvps = dict(jvp)
    if jointly is not None:
        op.check_names(jointly, ("g", "needs"))
        op.joint_vjp = jointly
    return op


def nondifferentiable(
    declaration: str,
    *,
    samples: Iterable[Sample],
    body: Rule | None = None,
    doc: str = "",
    arrays: Sequence[str] | None = None,
    reconnect: Callable[[Any], Any] | None = None,
    batch: Rule | None = None,
    batch_statics: Rule | None = None,
) -> Op:
    """An operation whose output never carries a gradient: comparisons, indices, truth values.

    Parameters
    ----------
    declaration : str
        Name and parameters: arrays before the slash, static parameters after it.
    samples : iterable of Sample
        What it is tested with.
    body : callable, optional
        ``body(xp, *arrays, **params)`` in standard names, where the standard has no such function.
    doc : str
        The mathematics in a line.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash, too.
    reconnect : callable, optional
        ``reconnect(x)``: the outputs for an array that may carry a gradient, written with other operations, where some
        of them are elements of it.
    batch, batch_statics : callable, optional
        How it runs under ``vmap``, see `agnograd.core.batching`; in a loop, where none is given.

    Returns
    -------
    Op

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, nondifferentiable
    >>> nondifferentiable(
    ...     "mine.positive(x, /)", body=lambda xp, x: x > 0, samples=[Sample((Uniform(),))], doc="whether x > 0"
    ... )
    <operation mine.positive(x, /), none>
    """
    return Op(
        declaration,
        tier="none",
        body=body,
        samples=samples,
        doc=doc,
        connected=False,
        arrays=arrays,
        reconnect=reconnect,
        batch=batch,
        batch_statics=batch_statics,
    )


def composite(
    declaration: str,
    *,
    samples: Iterable[Sample],
    body: Rule,
    doc: str = "",
    arrays: Sequence[str] | None = None,
    invariant: Rule | None = None,
) -> Op:
    """A function that is exact and stable when written with other operations; their rules differentiate it.

    Parameters
    ----------
    declaration : str
        Name and parameters: arrays before the slash, static parameters after it.
    samples : iterable of Sample
        What it is tested with.
    body : callable
        ``body(xp, *arrays, **params)`` in names of the standard and of the table.
    doc : str
        The mathematics in a line.
    arrays : sequence of str, optional
        Names of the array parameters, where static ones stand before the slash, too.
    invariant : callable, optional
        ``invariant(xp, *outputs)``: what of the outputs is compared in tests, where they are determined only up to
        signs, phases or an order that each library chooses.

    Returns
    -------
    Op

    Examples
    --------
    >>> from agnograd.hookspecs import Sample, Uniform, composite
    >>> composite(
    ...     "mine.swish(x, /)",
    ...     body=lambda xp, x: x / (1 + xp.exp(-x)),
    ...     samples=[Sample((Uniform(),))],
    ...     doc="x times the logistic function of x",
    ... )
    <operation mine.swish(x, /), composite>
    """
    return Op(declaration, tier="composite", body=body, samples=samples, doc=doc, arrays=arrays, invariant=invariant)


def _check_arguments(op: Op, rules: Mapping[str, Any]) -> None:
    unknown = sorted(set(rules) - set(op.arrays))
    if unknown:
        msg = f"{op.name!r} has a rule for {unknown}, which are none of its array arguments {list(op.arrays)}"
        raise RuleError(msg)
