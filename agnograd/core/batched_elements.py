"""Elementwise operations and their derivative rules on the arrays inside of batches.

Such a rule broadcasts as the operation does, and it is linear in its tangent or cotangent. So it may run on the arrays
inside, their axes aligned: then each of its operations is a call of the library, and none of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from agnograd.core.array import Array
from agnograd.core.batch import Batched, body_of, widened
from agnograd.core.batching import elements
from agnograd.core.diagonal import DIAGONALS, Diagonal, elements_of, filled, raw_beside
from agnograd.core.forward import Dual
from agnograd.core.kept import kept
from agnograd.core.level import Level, zero_safety
from agnograd.core.nodes import classes
from agnograd.core.op import Op, Variant
from agnograd.core.rule import Rule, zero_safe
from agnograd.core.table import spaces


def fast_path(op: Op) -> Callable[..., Batched | None] | None:
    """The way of an elementwise operation of one or two arrays: batches of raw arrays, constants and numbers.

    Returns
    -------
    callable or None
        Takes the operands, one of which is a batch, to the result; to None for all else, and where something is wrong.
        None for other operations.
    """
    if op.batch is not elements or op.variadic or len(op.arrays) > 2:
        return None
    bodies = op.bodies

    def unary(x: Any) -> Batched | None:
        if x._level.closed or kept() is not None:
            return None
        body = bodies.get(type(x._array))
        return None if body is None else Batched(body(x._array), x._level)

    def binary(x1: Any, x2: Any) -> Batched | None:
        mapped1, mapped2 = type(x1) is Batched, type(x2) is Batched
        level = x1._level if mapped1 else x2._level
        if (mapped1 and mapped2 and x2._level is not level) or level.closed or kept() is not None:
            return None
        # A tensor without a node is a constant.
        plain = classes.plain
        data1 = x1._array if mapped1 or (type(x1) is plain and x1._node is None) else x1
        data2 = x2._array if mapped2 or (type(x2) is plain and x2._node is None) else x2
        body = body_of(op, (data1, data2))
        if body is None:
            return None
        ndim1, ndim2 = len(getattr(data1, "shape", ())) - mapped1, len(getattr(data2, "shape", ())) - mapped2
        if mapped1 and ndim1 < ndim2:
            data1 = widened(data1, ndim2 - ndim1)
        elif mapped2 and ndim2 < ndim1:
            data2 = widened(data2, ndim1 - ndim2)
        return Batched(body(data1, data2), level)

    run: Callable[..., Batched | None] = unary if len(op.arrays) == 1 else binary

    def call(*operands: Any) -> Batched | None:
        try:
            return run(*operands)
        except Exception:
            return None  # it is run again, and explains what went wrong

    return call


def pulled(variant: Variant, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any] | None:
    """The cotangents of the parents of a node, for a batch of its own.

    Parameters
    ----------
    g : array
    saved : sequence
        What the node saved.
    safe : bool
        Whether zero cotangents stay zero.

    Returns
    -------
    sequence or None
        None where the rule has to run on wrappers.
    """
    if not _broadcasts(variant):
        return None
    if type(g) is not Batched:
        if type(g) not in DIAGONALS:
            return None
        elements = _pulled_elements(variant, g, saved, safe)
        if elements is not None:
            return elements
        filled(g)
    found = _opened(g, len(g._array.shape), saved)
    if found is None:
        return None
    out = _cotangents(variant, *found, safe)
    level = g._level
    return None if out is None else [None if x is None else Batched(x, level) for x in out]


def _pulled_elements(variant: Variant, g: Any, saved: Sequence[Any], safe: bool) -> Sequence[Any] | None:
    """The same for the elements of a diagonal, None where the members are needed in full."""
    values = raw_beside(g, saved)
    raw = elements_of(g)
    out = None if values is None else _cotangents(variant, raw, values, safe)
    if out is None or any([x is not None and x.shape != raw.shape for x in out]):
        return None
    return [None if x is None else Diagonal(x, g._level) for x in out]


def _cotangents(variant: Variant, raw: Any, values: Sequence[Any], safe: bool) -> Sequence[Any] | None:
    """What a rule makes of raw arrays, for each parent; None where it fails."""
    xp = spaces[type(raw)]
    if safe:
        variant = variant.zero_safe()
    rule = variant.rule if raw.dtype in xp.reals else variant.adjoint
    try:
        with _NO_GUARD if xp.guard is None else xp.guard(raw):
            out = rule(xp, raw, *values)
    except Exception:
        return None  # it is run again, and explains what went wrong
    return (out,) if len(variant.needs) == 1 else out


@functools.cache
def _broadcasts(variant: Variant) -> bool:
    """Whether a rule broadcasts: not where it asks for a shape, which is that of one member."""
    return (
        type(variant) is Variant
        and variant.op.tier == "elementwise"
        and not any(name.endswith("_spec") or name in variant.op.statics for name in variant.names)
    )


def pushed(op: Op, operands: Sequence[Any], data: Sequence[Any], ans: Any, level: Level) -> Any:
    """The tangent of an output, for raw tangents of the arguments or a batch of them.

    Parameters
    ----------
    operands, data : sequence
        The arguments as given, and as the level of the tangents sees them.
    ans : array
        The output.
    level : Level
        That of the tangents.

    Returns
    -------
    array, Batched or None
        None where the rules have to run on wrappers.
    """
    total = batch = None
    ndim = len(ans.shape)
    safe = zero_safety.get()
    for i, x in enumerate(operands):
        if not isinstance(x, Dual) or x._level is not level:
            continue
        t = x._tangent
        found = _tangent_rule(op, i)
        if found is None:
            return None
        rule, safe_rule, places = found
        values = [ans if place is None else data[place] for place in places]
        if type(t) in DIAGONALS:
            elements = _pushed_elements(op, operands, data, ans, level)
            if elements is not None:
                return elements
            filled(t)
        if type(t) is Batched:
            if batch is not None and t._level is not batch:
                return None
            batch = t._level
            opened = _opened(t, ndim + 1, values)
        else:
            opened = _all_raw(t, values)
        if opened is None:
            return None
        raw, values = opened
        guard = spaces[type(raw)].guard
        try:
            with _NO_GUARD if guard is None else guard(raw):
                term = (safe_rule if safe else rule)(spaces[type(raw)], raw, *values)
                total = term if total is None else total + term
        except Exception:
            return None  # it is run again, and explains what went wrong
    return total if batch is None else Batched(total, batch)


def _pushed_elements(op: Op, operands: Sequence[Any], data: Sequence[Any], ans: Any, level: Level) -> Any:
    """The same where all tangents are diagonals of one batch, None where their members are needed in full."""
    safe = zero_safety.get()
    batch = total = None
    for i, x in enumerate(operands):
        if not isinstance(x, Dual) or x._level is not level:
            continue
        t = x._tangent
        found = _tangent_rule(op, i)
        if found is None or type(t) not in DIAGONALS or (batch is not None and t._level is not batch):
            return None
        batch = t._level
        rule, safe_rule, places = found
        values = raw_beside(t, [ans if place is None else data[place] for place in places])
        if values is None:
            return None
        raw = elements_of(t)
        guard = spaces[type(raw)].guard
        try:
            with _NO_GUARD if guard is None else guard(raw):
                term = (safe_rule if safe else rule)(spaces[type(raw)], raw, *values)
                total = term if total is None else total + term
        except Exception:
            return None  # it is run again, and explains what went wrong
        if term.shape != raw.shape or raw.shape != ans.shape:
            return None
    return Diagonal(total, batch)  # type: ignore[arg-type]


_NO_GUARD = nullcontext()


@functools.cache
def _tangent_rule(op: Op, i: int) -> tuple[Rule, Rule, list[int | None]] | None:
    """The rule for a tangent of an argument, one for zero safety, and the places of what it reads, None for the output.

    None where it does not broadcast, or there is none.
    """
    name = op.arrays[i]
    if name not in op.partials:
        return None
    rule, used = op.tangent_rule(name)
    if not all(n == "ans" or n in op.arrays for n in used):
        return None
    safe = zero_safe(rule) if callable(op.partials[name]) else rule
    return rule, safe, [None if n == "ans" else op.arrays.index(n) for n in used]


def _all_raw(t: Any, values: list[Any]) -> tuple[Any, list[Any]] | None:
    """A tangent and what its rule reads, where these are raw arrays of one library and numbers."""
    kind = type(t)
    if isinstance(t, Array) or any(
        [type(x) is not kind and type(x) is not float and type(x) is not int for x in values]
    ):
        return None
    return t, values


def _opened(t: Batched, ndim: int, values: Sequence[Any]) -> tuple[Any, list[Any]] | None:
    """A batch, given `ndim` axes, and values as raw arrays that broadcast against it; None where there are others."""
    raw = t._array
    kind = type(raw)
    level = t._level
    if isinstance(raw, Array) or level.closed or kept() is not None:
        return None
    found = []
    for x in values:
        if type(x) is Batched:
            if x._level is not level:
                return None
            x = x._array
            if type(x) is kind and len(x.shape) < ndim:
                x = widened(x, ndim - len(x.shape))
        elif type(x) is float or type(x) is int:
            found.append(x)
            continue
        elif type(x) is classes.plain and x._node is None:
            x = x._array
        if type(x) is not kind or len(x.shape) > ndim:
            return None
        found.append(x)
    missing = ndim - len(raw.shape)
    return (widened(raw, missing) if missing else raw), found
