"""From a rule as its author writes it to the one that the engine calls, ``rule(xp, g, *saved)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import itemgetter
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


def joined(rules: list[tuple[Rule, tuple[str, ...]]], names: tuple[str, ...]) -> Rule:
    """One rule for all parents, over the union of what they save."""
    if len(rules) == 1 and rules[0][1] == names:
        return rules[0][0]
    parts = [_part(rule, used, names) for rule, used in rules]
    if len(rules) == 1:
        # A rule that asks for a specification, and is fitted to the same one.
        only = parts[0]
        return lambda xp, g, *saved: only(xp, g, saved)
    if len(rules) == 2:
        first, second = parts

        def both(xp: Any, g: Array, *saved: Any) -> tuple[Array, Array]:
            return first(xp, g, saved), second(xp, g, saved)

        return both

    def all_(xp: Any, g: Array, *saved: Any) -> list[Array]:
        return [part(xp, g, saved) for part in parts]

    return all_


def _part(rule: Rule, used: tuple[str, ...], names: tuple[str, ...]) -> Rule:
    """A rule that takes what it reads out of all that is saved."""
    places = [names.index(n) for n in used]
    if not places:
        return lambda xp, g, saved: rule(xp, g)
    if len(places) == 1:
        (place,) = places
        return lambda xp, g, saved: rule(xp, g, saved[place])
    pick = itemgetter(*places)
    return lambda xp, g, saved: rule(xp, g, *pick(saved))


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


def fitted_to(rules: tuple[Rule, Rule, tuple[str, ...]], spec: str) -> tuple[Rule, Rule, tuple[str, ...]]:
    """A rule, and its form for complex cotangents, followed by `fit`."""
    rule, adjoint, used = rules

    def fitted(rule: Rule) -> Rule:
        def with_fit(xp: Any, g: Array, *saved: Any) -> Array:
            return fit(xp, rule(xp, g, *saved[1:]), saved[0])

        return with_fit

    return fitted(rule), fitted(adjoint), (spec, *used)
