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
from agnograd.core.apply import below, fitted, read, record, saver, spec
from agnograd.core.array import Array
from agnograd.core.batch import Batched, batch_of, batched_level, runner
from agnograd.core.batched_elements import fast_path, pushed
from agnograd.core.forward import Dual
from agnograd.core.kept import kept
from agnograd.core.level import Level, recording, zero_safety
from agnograd.core.nodes import Node, as_wrapper, classes, next_number
from agnograd.core.op import Op
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


def _unary(op: Op) -> Path:
    nested = classes.nested
    on_batches = fast_path(op)

    def run(x: Any, params: dict[str, Any]) -> Any:
        kind = type(x)
        try:
            if kind is Dual:
                return _dual(op, (x,), (x._array,), params, x._level, _LEFT)
            if kind is nested:
                return _recorded(op, (x,), (x._array,), params, x._node.level, _LEFT)
            if kind is Batched:
                ans = None if on_batches is None or params else on_batches(x)
                return _batched(op, (x._array,), params, x._level, (True,)) if ans is None else ans
        except Exception:
            pass  # it is run again, and explains what went wrong
        return None

    return run


Needs = tuple[int, ...]
_BOTH: Needs = (0, 1)
_LEFT: Needs = (0,)
_RIGHT: Needs = (1,)


def _binary(op: Op) -> Path:
    plain, nested = classes.plain, classes.nested
    on_batches = fast_path(op)

    def run(x1: Any, x2: Any, params: dict[str, Any]) -> Any:
        kind1, kind2 = type(x1), type(x2)
        try:
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
            elif isinstance(x1, Array):
                return None
            if kind2 is Dual or kind2 is Batched:
                level2 = x2._level
            elif kind2 is nested or kind2 is plain:
                if x2._node is None:
                    data2 = x2._array
                else:
                    level2 = x2._node.level
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
                return _dual(op, (x1, x2), (data1, data2), params, level, needs)
            if kind is Batched:
                ans = None if on_batches is None or params else on_batches(x1, x2)
                if ans is not None:
                    return ans
                return _batched(op, (data1, data2), params, level, (needs is not _RIGHT, needs is not _LEFT))
            return _recorded(op, (x1, x2), (data1, data2), params, level, needs)
        except Exception:
            pass  # it is run again, and explains what went wrong
        return None

    return run


def _recorded(
    op: Op,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    level: Level,
    needs: Needs,
) -> Any:
    """Reverse mode: the operation on what the level holds, and a node."""
    if recording() is not True or level.closed:
        return None
    ans = below(op, data, params)
    dtype = ans.dtype
    place = needs[0]
    x = data[place]
    first = operands[place]._node
    second = None
    fit: Needs = ()
    if x.dtype is not dtype or not isinstance(ans, Array):
        return record(op, operands, data, params, ans, level)
    if len(data) > 1:
        if needs is _BOTH:
            second = operands[1]._node
            if data[1].dtype is not dtype:
                return record(op, operands, data, params, ans, level)
        if op.tier == "elementwise":
            # Others do not broadcast: their rules know the shapes.
            shape = ans.shape
            fit = tuple([i for i in needs if data[i].shape != shape])
    level.nested = True
    variant = op.variant(needs, fit)
    saved = (variant.save or saver(variant))(data, params, ans)
    return classes.nested(ans, Node(next_number(), variant, saved, first, second, level))


def _batched(
    op: Op, data: tuple[Any, ...], params: dict[str, Any], level: Level, mapped: tuple[bool, ...]
) -> Batched | None:
    """``vmap``: the operation on the members of all batches at once."""
    rule = op.batch
    if rule is None or level.closed or kept() is not None or (params and batched_level(params) is not None):
        return None
    raw = next(x for x, m in zip(data, mapped, strict=True) if m)
    space = spaces.get(type(raw))
    with _NO_GUARD if space is None or space.guard is None else space.guard(raw):
        ans = rule(runner(op), data, mapped, **params)
    return batch_of(ans, level)


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
            dtype = ans.dtype
            if dtype not in space.floats:
                return None
            if _of(space, kind, ts):
                t = tangent_of(op, needs)(space, body, ts, data, params, ans)
                if t.dtype is dtype and t.shape == ans.shape:
                    return Dual(ans, t, level)
                return fitted(space, ans, t, level)
        if op.tier == "elementwise":
            t = pushed(op, operands, data, ans, level)
            if t is not None:
                return fitted(None, ans, t, level)
    xp = next(x for x in (ans, *data, *ts) if isinstance(x, Array)).__array_namespace__()
    if ans.dtype not in xp.floats:
        return None
    on_wrappers = [tuple(map(as_wrapper, xs)) for xs in (ts, data)]
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
        ``push(xp, run, ts, data, params, ans)``, where ``run`` is the operation itself.
    """
    call = "run({}" + (", **params)" if op.statics else ")")
    rules: list[Rule] = []
    terms = []
    for k, i in enumerate(needs):
        name = op.arrays[i]
        if name in op.transposes and name not in op.jvps:
            terms.append(call.format(", ".join(f"ts[{k}]" if j == i else f"data[{j}]" for j in range(len(op.arrays)))))
            continue
        rule, used = op.tangent_rule(name)
        values = [f"params.get({n!r}, defaults.get({n!r}))" if n in op.statics else read(op, n, 0) for n in used]
        arguments = ["xp", f"ts[{k}]", *values]
        plain = {same: f"ts[{k}]", negated: f"-ts[{k}]"}.get(rule)
        terms.append(plain or f"rules[{len(rules)}]({', '.join(arguments)})")
        rules.append(rule)
    if op.jointly_linear:
        # Arguments without a tangent are constants: zero where the operation is linear in them.
        of = dict(zip(needs, [f"ts[{k}]" for k in range(len(needs))], strict=True))
        terms = [call.format(", ".join(of.get(j, f"zeros_of(xp, data[{j}])") for j in range(len(op.arrays))))]
    source = f"lambda rules, spec, zeros_of, defaults: lambda xp, run, ts, data, params, ans: {' + '.join(terms)}"
    return written(source)(rules, spec, zeros_of, op.defaults)  # type: ignore[no-any-return]
