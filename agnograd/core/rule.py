"""From a rule as its author writes it to the one that the engine calls, ``rule(xp, g, *saved)``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.cotangent import fit

Array = Any
Rule = Callable[..., Any]


def parameters(rule: Rule) -> tuple[str, ...]:
    """Names of the parameters of a rule, in order."""
    try:
        code = rule.__code__
    except AttributeError:
        return tuple(inspect.signature(rule).parameters)
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def standard_form(rule: Rule, first: str | None, **fixed: Any) -> tuple[Rule, tuple[str, ...]]:
    """Bring a rule to ``rule(xp, first, *saved)``; a rule that is written that way costs no extra call."""
    given = parameters(rule)
    lead = ("xp",) if first is None else ("xp", first)
    used = tuple(n for n in given if n not in lead and n not in fixed)
    if not fixed and given[: len(lead)] == lead:
        return rule, used
    takes_xp = "xp" in given
    takes_first = first is not None and first in given
    constants = {n: v for n, v in fixed.items() if n in given}

    def standard(xp: Any, *rest: Any) -> Any:
        named = dict(zip(used, rest[len(lead) - 1 :], strict=True))
        if takes_xp:
            named["xp"] = xp
        if takes_first:
            named[first] = rest[0]  # type: ignore[index]
        return rule(**named, **constants)

    return standard, used


@functools.cache
def written(source: str) -> Callable[..., Any]:
    """A function from its source. Those of many operations are the same, and are compiled once."""
    return eval(source)  # type: ignore[no-any-return]


def joined(rules: Sequence[tuple[Rule, tuple[str, ...], str | None]], names: tuple[str, ...]) -> Rule:
    """One rule for all parents, over the union of what they save.

    Parameters
    ----------
    rules : sequence of (callable, tuple of str, str or None)
        ``rule(xp, g, *used)``, the names of what it reads, and that of the specification it is fitted to (`fit`).
    names : tuple of str
        What is saved, in order.
    """
    if len(rules) == 1 and rules[0][1:] == (names, None):
        return rules[0][0]
    # Written as one function: closures around closures would cost a small operation half of its time.
    saved = {name: f"s{i}" for i, name in enumerate(names)}
    terms = []
    for i, (rule, used, spec) in enumerate(rules):
        plain = {same: "g", negated: "-g"}.get(rule) or f"rule{i}({', '.join(('xp', 'g', *[saved[n] for n in used]))})"
        terms.append(plain if spec is None else f"fit(xp, {plain}, {saved[spec]})")
    body = terms[0] if len(terms) == 1 else f"({', '.join(terms)})"
    functions = ", ".join(f"rule{i}" for i in range(len(rules)))
    source = f"lambda fit, {functions}: lambda {', '.join(('xp', 'g', *saved.values()))}: {body}"
    return written(source)(fit, *[rule for rule, _, _ in rules])  # type: ignore[no-any-return]


def of_items(rule: Rule) -> Rule:
    """A rule of an operation with several outputs: it gets the tuple of their cotangents."""

    def with_items(xp: Any, g: Any, *saved: Any) -> Any:
        return rule(xp, g.items, *saved)

    return with_items


def same(xp: Any, g: Array) -> Array:
    """The cotangent itself."""
    return g


def negated(xp: Any, g: Array) -> Array:
    """Its negative."""
    return -g


def zero(xp: Any, g: Array) -> Array:
    """No gradient, by decision: the output stays connected."""
    return xp.zeros_like(g)


def zero_safe(rule: Rule) -> Rule:
    """The rule of an elementwise operation, zero where it multiplies zero by an infinity or a NaN, on either side.

    What is finite is left alone, a zero too: it depends on both factors, and so do derivatives of higher order.
    """

    def safe(xp: Any, g: Array, *saved: Any) -> Array:
        out = rule(xp, g, *saved)
        partial = rule(xp, xp.ones_like(g), *saved)
        return xp.where(xp.isnan(out) & ((g == 0) | (partial == 0)), 0, out)

    return safe


def zeros_of(xp: Any, x: Any) -> Any:
    """Zeros like an argument; a number stands for itself, but NumPy's own, which are arrays here."""
    return 0 if type(x) in {bool, int, float, complex} else xp.zeros_like(x)


def product(factor: Rule) -> Rule:
    """``g`` times a partial derivative."""

    def rule(xp: Any, g: Array, *saved: Any) -> Array:
        return g * factor(xp, *saved)

    return rule


def conjugate_product(factor: Rule) -> Rule:
    """``g`` times the conjugate of a partial derivative, for complex cotangents."""

    def rule(xp: Any, g: Array, *saved: Any) -> Array:
        return g * xp.conj(factor(xp, *saved))

    return rule


def conjugated_product(times: Rule) -> Rule:
    """The same for a rule that multiplies by itself."""

    # g conj(p) = conj(conj(g) p)
    def rule(xp: Any, g: Array, *saved: Any) -> Array:
        return xp.conj(times(xp, xp.conj(g), *saved))

    return rule
