"""Operations of one or two arrays on duals, on batches, and on tensors around those: nothing is looked up twice.

What the fast paths of `agnograd.core.recorders` are for tensors around raw arrays, these are for what higher orders and
``vmap`` consist of. They give what `agnograd.core.apply` gives, and leave to it what is not plain: it is asked where
they return None, runs a failed operation again and explains what went wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from agnograd.core import observing
from agnograd.core.apply import below, fitted, record, saver, spec
from agnograd.core.array import Array
from agnograd.core.batch import Batched, batch_of, batched_level, runner
from agnograd.core.batched_elements import fast_path, pushed
from agnograd.core.diagonal import DIAGONALS, filled, rule_of
from agnograd.core.forward import Dual
from agnograd.core.kept import kept
from agnograd.core.level import Level, recording, zero_safety
from agnograd.core.nodes import Node, as_wrapper, classes, next_number
from agnograd.core.op import Op, Variant
from agnograd.core.rule import Rule, negated, same, written, zeros_of
from agnograd.core.table import Space, spaces

Path = Callable[..., Any]

_NO_GUARD = nullcontext()


def path_of(op: Op) -> Path | None:
    """The path of an operation, ``path(*operands, params)``; None for one with several outputs, and the like."""
    if not op.connected or op.variadic or op.outputs > 1 or op.changes_backend or op.tier == "composite":
        return None
    if op.differentiable != op.arrays:
        return None
    return {1: _unary, 2: _binary}.get(len(op.arrays), lambda _: None)(op)


Needs = tuple[int, ...]
_BOTH: Needs = (0, 1)
_LEFT: Needs = (0,)
_RIGHT: Needs = (1,)


def _unary(op: Op) -> Path:
    nested = classes.nested
    on_batches = fast_path(op)
    bodies = op.bodies
    # Made at first need.
    push: Any = None
    variant: Any = None

    def run(x: Any, params: dict[str, Any]) -> Any:
        nonlocal push, variant
        kind = type(x)
        try:
            if kind is Dual:
                level = x._level
                data = x._array
                t = x._tangent
                kind = type(data)
                space = spaces.get(kind) if type(t) is kind else None
                if space is None or space.guard is not None or not _plainly(level, params):
                    return _dual(op, (x,), (data,), params, level, _LEFT)
                body = bodies[kind]
                ans = body(data, **params) if params else body(data)
                dtype = ans.dtype
                if dtype is not data.dtype and dtype not in space.floats:
                    return None
                if push is None:
                    push = tangent_of(op, _LEFT)
                t = push(space, body, t, data, params, ans)
                return (
                    Dual(ans, t, level) if t.dtype is dtype and t.shape == ans.shape else fitted(space, ans, t, level)
                )
            if kind is nested:
                node = x._node
                level = node.level
                if recording() is not True or level.closed:
                    return None
                data = x._array
                ans = run(data, params)
                if ans is None:
                    ans = below(op, (data,), params)
                if ans.dtype is not data.dtype or not isinstance(ans, Array):
                    return record(op, (x,), (data,), params, ans, level)
                if variant is None:
                    variant = op.variant(_LEFT)
                return _tensor(ans, variant, (data,), params, node, None)
            if kind is Batched:
                ans = None if on_batches is None or params else on_batches(x)
                return _batched(op, (x._array,), params, x._level, (True,)) if ans is None else ans
            if kind in DIAGONALS:
                return run(filled(x), params)
        except Exception:
            pass  # it is run again, and explains what went wrong
        return None

    return run


def _binary(op: Op) -> Path:
    plain, nested = classes.plain, classes.nested
    on_batches = fast_path(op)
    on_diagonals = rule_of(op)
    both, left, right = _duals(op)

    def diagonal(x1: Any, x2: Any, params: dict[str, Any]) -> Any:
        found = on_diagonals(x1, x2)
        if found is None:
            filled(x1)
            filled(x2)
            return run(x1, x2, params)
        return found

    def run(x1: Any, x2: Any, params: dict[str, Any]) -> Any:
        kind1, kind2 = type(x1), type(x2)
        try:
            # The commonest first.
            if kind1 is Dual:
                if kind2 is Dual and x2._level is x1._level:
                    return both(x1, x2, params)
                if kind2 is float or kind2 is int:
                    return left(x1, x2, x2, params)
                if kind2 is plain and x2._node is None:
                    return left(x1, x2._array, x2, params)
            elif kind2 is Dual:
                if kind1 is plain and x1._node is None:
                    return right(x1._array, x2, x1, params)
            elif kind1 is nested and kind2 is nested:
                data1, data2 = x1._array, x2._array
                if type(data1) is Dual is type(data2) and data1._level is data2._level:
                    level = x1._node.level
                    if level is x2._node.level and recording() is True and not level.closed:
                        ans = both(data1, data2, params)
                        if ans is not None:
                            return _recorded(op, (x1, x2), (data1, data2), params, ans, _BOTH)
            # The level of each, and what it is to a level above.
            level1 = level2 = None
            data1, data2 = x1, x2
            if kind1 is Dual or kind1 is Batched:
                level1 = x1._level
            elif kind1 is nested or kind1 is plain:
                if x1._node is None:
                    data1 = x1._array
                else:
                    level1 = x1._node.level
            elif kind1 in DIAGONALS:
                return diagonal(x1, x2, params)
            elif isinstance(x1, Array):
                return None
            if kind2 is Dual or kind2 is Batched:
                level2 = x2._level
            elif kind2 is nested or kind2 is plain:
                if x2._node is None:
                    data2 = x2._array
                else:
                    level2 = x2._node.level
            elif kind2 in DIAGONALS:
                return diagonal(x1, x2, params)
            elif isinstance(x2, Array):
                return None
            if level1 is level2:
                level, kind, needs = level1, kind1, _BOTH
                data1, data2 = x1._array, x2._array
            elif level2 is None or (level1 is not None and level1.serial > level2.serial):
                level, kind, needs = level1, kind1, _LEFT
                data1 = x1._array
            else:
                level, kind, needs = level2, kind2, _RIGHT
                data2 = x2._array
            if level is None:
                return None
            if kind is Dual:
                return left(x1, data2, x2, params) if needs is _LEFT else right(data1, x2, x1, params)
            if kind is Batched:
                ans = None if on_batches is None or params else on_batches(x1, x2)
                if ans is not None:
                    return ans
                return _batched(op, (data1, data2), params, level, (needs is not _RIGHT, needs is not _LEFT))
            if recording() is not True or level.closed:
                return None
            ans = run(data1, data2, params)
            if ans is None:
                ans = below(op, (data1, data2), params)
            return _recorded(op, (x1, x2), (data1, data2), params, ans, needs)
        except Exception:
            pass  # it is run again, and explains what went wrong
        return None

    return run


def _recorded(
    op: Op, operands: tuple[Any, Any], data: tuple[Any, Any], params: dict[str, Any], ans: Any, needs: Needs
) -> Any:
    """Reverse mode: a node for an operation that has run on what the level holds."""
    dtype = ans.dtype
    x1, x2 = data
    first = operands[needs[0]]._node
    if (
        not isinstance(ans, Array)
        or (needs is not _RIGHT and x1.dtype is not dtype)
        or (needs is not _LEFT and x2.dtype is not dtype)
    ):
        return record(op, operands, data, params, ans, first.level)
    second = operands[1]._node if needs is _BOTH else None
    fit: Needs = ()
    if op.tier == "elementwise":
        # Others do not broadcast: their rules know the shapes.
        shape = ans.shape
        if needs is not _RIGHT and x1.shape != shape:
            fit = _LEFT
        if needs is not _LEFT and x2.shape != shape:
            fit += _RIGHT
    variant = op.repeated_variant() if first is second and operands[0] is operands[1] else op.variant(needs, fit)
    return _tensor(ans, variant, data, params, first, second)


def _tensor(ans: Any, variant: Variant, data: tuple[Any, ...], params: dict[str, Any], first: Node, second: Any) -> Any:
    level = first.level
    level.nested = True
    # Written out: `Node(...)` and `nested(...)` take twice as long.
    node = _new_node()
    node.number = next_number()
    node.variant = variant
    node.saved = (variant.save or saver(variant))(data, params, ans)
    node.first = first
    node.second = second
    node.level = level
    out: Any = object.__new__(classes.nested)
    out._array = ans
    out._node = node
    out._views = None
    return out


_new_node = functools.partial(object.__new__, Node)


def _batched(
    op: Op, data: tuple[Any, ...], params: dict[str, Any], level: Level, mapped: tuple[bool, ...]
) -> Batched | None:
    """``vmap``: the operation on the members of all batches at once."""
    rule = op.batch
    if rule is None or level.closed or kept() is not None or (params and batched_level(params) is not None):
        return None
    raw = next(x for x, m in zip(data, mapped, strict=True) if m)
    space = spaces.get(type(raw))
    if space is None or space.guard is None:
        return batch_of(rule(runner(op), data, mapped, **params), level)
    with space.guard(raw):
        return batch_of(rule(runner(op), data, mapped, **params), level)


# -- forward mode ----------------------------------------------------------------------------------------------------


def _plainly(level: Level, params: dict[str, Any]) -> bool:
    """Whether duals are to be treated as they mostly are."""
    if level.closed or level.faded or zero_safety.get() or observing.count or kept() is not None:
        return False
    return not params or batched_level(params) is None


def _duals(op: Op) -> tuple[Path, Path, Path]:
    """An operation of two arrays, where both are duals of one level, or the left or the right one is."""
    bodies = op.bodies
    repeated = op.repeated is not None
    # Made at first need.
    push_both: Any = None
    push_left: Any = None
    push_right: Any = None

    def both(x1: Any, x2: Any, params: dict[str, Any]) -> Dual | None:
        nonlocal push_both, push_left
        level = x1._level
        data1, data2 = x1._array, x2._array
        t1, t2 = x1._tangent, x2._tangent
        kind = type(data1)
        alike = type(data2) is kind and type(t1) is kind and type(t2) is kind
        space = spaces.get(kind) if alike else None
        if space is None or space.guard is not None or not _plainly(level, params):
            return _dual(op, (x1, x2), (data1, data2), params, level, _BOTH)
        body = bodies[kind]
        ans = body(data1, data2, **params) if params else body(data1, data2)
        dtype = ans.dtype
        if dtype is not data1.dtype and dtype not in space.floats:
            return None
        if repeated and x1 is x2:
            # Both contribute the same.
            if push_left is None:
                push_left = tangent_of(op, _LEFT)
            t = push_left(space, body, t1, data1, data2, params, ans)
            t = t + t
        else:
            if push_both is None:
                push_both = tangent_of(op, _BOTH)
            t = push_both(space, body, t1, t2, data1, data2, params, ans)
        return Dual(ans, t, level) if t.dtype is dtype and t.shape == ans.shape else fitted(space, ans, t, level)

    def left(x1: Any, data2: Any, x2: Any, params: dict[str, Any]) -> Dual | None:
        nonlocal push_left
        level = x1._level
        data1, t = x1._array, x1._tangent
        kind, other = type(data1), type(data2)
        alike = type(t) is kind and (other is kind or other is float or other is int)
        space = spaces.get(kind) if alike else None
        if space is None or space.guard is not None or not _plainly(level, params):
            return _dual(op, (x1, x2), (data1, data2), params, level, _LEFT)
        body = bodies[kind]
        ans = body(data1, data2, **params) if params else body(data1, data2)
        dtype = ans.dtype
        if dtype is not data1.dtype and dtype not in space.floats:
            return None
        if push_left is None:
            push_left = tangent_of(op, _LEFT)
        t = push_left(space, body, t, data1, data2, params, ans)
        return Dual(ans, t, level) if t.dtype is dtype and t.shape == ans.shape else fitted(space, ans, t, level)

    def right(data1: Any, x2: Any, x1: Any, params: dict[str, Any]) -> Dual | None:
        nonlocal push_right
        level = x2._level
        data2, t = x2._array, x2._tangent
        kind, other = type(data2), type(data1)
        alike = type(t) is kind and (other is kind or other is float or other is int)
        space = spaces.get(kind) if alike else None
        if space is None or space.guard is not None or not _plainly(level, params):
            return _dual(op, (x1, x2), (data1, data2), params, level, _RIGHT)
        body = bodies[kind]
        ans = body(data1, data2, **params) if params else body(data1, data2)
        dtype = ans.dtype
        if dtype is not data2.dtype and dtype not in space.floats:
            return None
        if push_right is None:
            push_right = tangent_of(op, _RIGHT)
        t = push_right(space, body, t, data1, data2, params, ans)
        return Dual(ans, t, level) if t.dtype is dtype and t.shape == ans.shape else fitted(space, ans, t, level)

    return both, left, right


def _dual(
    op: Op,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    level: Level,
    needs: Needs,
) -> Dual | None:
    """Forward mode: the operation on the values, and its rules on the tangents."""
    if level.closed or level.faded or zero_safety.get() or observing.count or kept() is not None:
        return None
    if params and batched_level(params) is not None:
        return None
    ts = (operands[0]._tangent, operands[1]._tangent) if needs is _BOTH else (operands[needs[0]]._tangent,)
    kind = type(data[needs[0]])
    space = spaces.get(kind)
    if space is None or not _of(space, kind, data):
        ans = below(op, data, params)
    else:
        body = op.bodies[kind]
        with _NO_GUARD if space.guard is None else space.guard(data[needs[0]]):
            ans = body(*data, **params) if params else body(*data)
            if ans.dtype not in space.floats:
                return None
            if _of(space, kind, ts):
                return fitted(space, ans, tangent_of(op, needs)(space, body, *ts, *data, params, ans), level)
        if op.tier == "elementwise":
            t = pushed(op, operands, data, ans, level)
            if t is not None:
                return fitted(None, ans, t, level)
    xp = next(x for x in (ans, *data, *ts) if isinstance(x, Array)).__array_namespace__()
    if ans.dtype not in xp.floats:
        return None
    on_wrappers = [as_wrapper(x) for x in (*ts, *data)]
    t = tangent_of(op, needs)(xp, _below_of(op), *on_wrappers, params, as_wrapper(ans))
    return fitted(xp, ans, t, level)


def _of(space: Space, kind: type, values: Sequence[Any]) -> bool:
    """Whether values are raw arrays of one library, mostly of one type, and Python scalars."""
    for x in values:
        own = type(x)
        if own is not kind and own is not float and own is not int and spaces.get(own) is not space:
            return False
    return True


@functools.cache
def _below_of(op: Op) -> Callable[..., Any]:
    """The operation on values of lower levels, as a function of separate arrays."""
    return lambda *arrays, **params: below(op, arrays, params)


@functools.cache
def tangent_of(op: Op, needs: Needs) -> Callable[..., Any]:
    """The tangent of an output as a function of those of the arguments at positions `needs`.

    Returns
    -------
    callable
        ``push(xp, run, *ts, *data, params, ans)``, where ``run`` is the operation itself.
    """
    call = "run({}" + (", **params)" if op.statics else ")")
    count = len(op.arrays)
    rules: list[Rule] = []
    terms = []
    for i in needs:
        name = op.arrays[i]
        if name in op.transposes and name not in op.jvps:
            terms.append(call.format(", ".join(f"t{j}" if j == i else f"x{j}" for j in range(count))))
            continue
        rule, used = op.tangent_rule(name)
        arguments = ["xp", f"t{i}", *[_value(op, n) for n in used]]
        plain = {same: f"t{i}", negated: f"-t{i}"}.get(rule)
        terms.append(plain or f"rules[{len(rules)}]({', '.join(arguments)})")
        rules.append(rule)
    if op.jointly_linear:
        # Arguments without a tangent are constants: zero where the operation is linear in them.
        terms = [call.format(", ".join(f"t{j}" if j in needs else f"zeros_of(xp, x{j})" for j in range(count)))]
    given = ", ".join([*(f"t{i}" for i in needs), *(f"x{j}" for j in range(count))])
    source = f"lambda rules, spec, zeros_of, defaults: lambda xp, run, {given}, params, ans: {' + '.join(terms)}"
    return written(source)(rules, spec, zeros_of, op.defaults)  # type: ignore[no-any-return]


def _value(op: Op, name: str) -> str:
    """What a rule asked for by name, as an expression of ``x0``, ``x1``, ``params`` and ``ans``."""
    if name in op.statics:
        return f"params.get({name!r}, defaults.get({name!r}))"
    array = name.removesuffix("_spec")
    x = "ans" if array == "ans" else f"x{op.arrays.index(array)}"
    return x if array == name else f"spec({x})"
