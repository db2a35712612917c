"""Run an operation on any operands: at the highest level among them, on one backend, with an error that explains.

The fast paths of `agnograd.core.recorders` come here for everything that is not plain.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agnograd.core import observing
from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.batch import batched_level, body_of, run_batched
from agnograd.core.batched_elements import pushed
from agnograd.core.cotangent import Spec
from agnograd.core.facts import carries, namespace_of, raw_space, short
from agnograd.core.forward import Dual
from agnograd.core.kept import kept
from agnograd.core.level import Level, anomaly_checks, recording, records
from agnograd.core.nodes import NOTHING, Node, Reverse, Static, as_wrapper, classes, next_number, projected, wrap
from agnograd.core.op import Op, Variant
from agnograd.core.operands import SCALARS, explained, lifted, one_backend
from agnograd.core.rule import written
from agnograd.core.saved import packed
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.views import attach, settled, steady
from agnograd.errors import ForeignArrayError, GradientLostError, MissingRuleError, MixedBackendsError

Call = Callable[..., Any]


def apply(
    op: Op, operands: tuple[Any, ...], params: dict[str, Any], operator: bool = False, within: bool = False
) -> Any:
    """Run an operation at the highest level among its operands.

    Raw arrays give a raw array. Operands of lower levels are constants to the level; an operand of a level that is
    not recorded now is replaced by what it holds.

    Parameters
    ----------
    operator : bool
        Return NotImplemented for an operand of an unknown type.
    within : bool
        Whether this is the part of a level in a call that is under way: arrays of two backends are its caller's matter.
    """
    found = operands
    for x in operands:
        if isinstance(x, Array) and type(x) not in steady and (type(x) is not Dual or x._level.faded):
            found = tuple([settled(x) if isinstance(x, Array) else x for x in operands])
            break
    static = batched_level(params) if params else None
    try:
        level, first = _level(found, static)
        while level is not None and isinstance(first, Reverse) and not records(level):
            found = tuple([_lowered(x, level) for x in found])
            level, first = _level(found, static)
        if level is None:
            ans = _constant(op, found, params, any([isinstance(x, Array) for x in operands]), within)
        elif isinstance(first, Reverse):
            data = tuple([_lowered(x, level) for x in found])
            ans = record(op, found, data, params, below(op, data, params), level)
        elif isinstance(first, Dual):
            level.check_open()
            ans = _dual(op, found, params, level)
        else:
            level.check_open()
            ans = run_batched(op, found, params, level, static is level)
    except ForeignArrayError:
        if operator:
            return NotImplemented
        raise
    except MixedBackendsError:
        together = None if within else lifted(operands)
        if together is None:
            raise
        return apply(op, together, params, operator)
    if op.view is not None and isinstance(ans, Array) and isinstance(operands[0], Array):
        attach(ans, operands[0], op, params)
    return ans


def below(op: Op, data: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run an operation on what a level holds: raw arrays, or a batch of them, need no search for levels."""
    if kept() is None:
        body = body_of(op, data)
        if body is not None:
            try:
                return body(list(data), **params) if op.variadic else body(*data, **params)
            except Exception:
                pass  # it is run again below, and explains what went wrong
        elif op.path is not None:
            ans = op.path(*data, params)
            if ans is not None:
                return ans
    return apply(op, data, params, within=True)


def highest(operands: Sequence[Any]) -> Level | None:
    """The innermost level among the operands."""
    level = None
    for x in operands:
        if isinstance(x, Array):
            own = x.level
            if own is not None and (level is None or own.serial > level.serial):
                level = own
    return level


def _level(operands: Sequence[Any], static: Level | None) -> tuple[Level | None, Array | None]:
    """The innermost level among the operands and that of parameters, with the first operand of it."""
    level = first = None
    for x in operands:
        if isinstance(x, Array):
            own = x.level
            if own is not None and (level is None or own.serial > level.serial):
                level = own
                first = x
    if static is not None and (level is None or static.serial > level.serial):
        return static, None
    return level, first


def carrier(operands: Sequence[Any], level: Level) -> Array | None:
    """The first operand of that level; None where only a parameter is of it."""
    return next((x for x in operands if isinstance(x, Array) and x.level is level), None)


def _lowered(x: Any, level: Level) -> Any:
    """An operand as `level` sees it: its own wrappers opened, constants as raw as they can be."""
    if isinstance(x, Array) and (x.level is level or x.level is None):
        return x._array
    return x


def _constant(op: Op, operands: tuple[Any, ...], params: dict[str, Any], wrapped: bool, within: bool) -> Any:
    """Operands of no level: raw arrays, Python scalars and tensors that are constants."""
    data = tuple([x._array if isinstance(x, Array) else x for x in operands]) if wrapped else operands
    body = body_of(op, data)
    if body is None:
        data = one_backend(op, data, within)
        if not data:
            msg = f"{op.name} needs at least one array"
            raise TypeError(msg)
        body = op.bodies[type(next(x for x in data if type(x) not in SCALARS))]
    keep = kept()
    if keep is not None and op.name in keep.names:
        ans = keep.result(partial(_run, op, body, data, params))
    else:
        ans = _run(op, body, data, params)
    return wrap_results(ans) if wrapped else ans


def _run(op: Op, body: Callable[..., Any], data: tuple[Any, ...], params: dict[str, Any]) -> Any:
    try:
        return body(list(data), **params) if op.variadic else body(*data, **params)
    except Exception as error:
        raise explained(op, data, params, error) from None


def wrap_results(ans: Any) -> Any:
    """Outputs that carry no gradient: tensors around raw arrays, wrappers as they are."""
    return like_tuple(ans, [wrap(x, None) for x in ans]) if isinstance(ans, tuple) else wrap(ans, None)


def record(
    op: Op,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    ans: Any,
    level: Level,
) -> Any:
    """Wrap the output of an operation with a node for the operands of `level`.

    Parameters
    ----------
    operands, data : tuple
        The operands as given, and as the level sees them.
    ans : array or tuple of array
        The output for `data`.
    """
    if not op.connected:
        return wrap_results(ans)
    if isinstance(ans, tuple):
        return _record_several(op, operands, data, params, ans, level)
    space = spaces[type(innermost(ans))]
    if ans.dtype not in space.floats:
        return _without_gradient(op, ans)
    needs = tuple([i for i, x in enumerate(operands) if isinstance(x, Array) and x.level is level])
    level.check_open()
    if op.variadic:
        variant = op.variant(needs)
    else:
        shape = ans.shape
        dtype = ans.dtype
        any_shape = op.tier != "elementwise"
        # Dtypes of two libraries are not compared: where an output changes its backend, the rule fits by itself.
        fit: tuple[int, ...] = ()
        if not op.changes_backend:
            fit = tuple([i for i in needs if data[i].dtype != dtype or not (any_shape or data[i].shape == shape)])
        variant = op.variant(needs, fit)
    nested = is_wrapper(ans) or any([is_wrapper(x) for x in data])
    if nested:
        level.nested = True
    return wrap(ans, _node(variant, operands, data, params, ans, level))


def record_plain(op: Op, operands: tuple[Any, ...], data: Sequence[Any], params: dict[str, Any], ans: Any) -> Any:
    """The same where the operands are plain tensors of one level, raw arrays and numbers, and the output is raw."""
    dtype = ans.dtype
    if dtype not in spaces[type(ans)].floats:
        return _without_gradient(op, ans)
    tensor = classes.plain
    needs = tuple([i for i, x in enumerate(operands) if type(x) is tensor and x._node is not None])
    fit: tuple[int, ...] = ()
    if not (op.variadic or op.changes_backend):
        shape = ans.shape
        any_shape = op.tier != "elementwise"
        fit = tuple([i for i in needs if data[i].dtype != dtype or not (any_shape or data[i].shape == shape)])
    variant = op.variant(needs, fit)
    first, *others = [operands[i]._node for i in needs]
    first.level.check_open()
    second = None if not others else others[0] if len(others) == 1 else tuple(others)
    saved = (variant.save or saver(variant))(tuple(data), params, ans)
    return tensor(ans, Node(next_number(), variant, saved, first, second, first.level))


def _record_several(
    op: Op,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    ans: tuple[Any, ...],
    level: Level,
) -> Any:
    """The same for an operation with several outputs: a projection of its node for each."""
    _check_outputs(op, ans)
    level.check_open()
    needs = tuple([i for i, x in enumerate(operands) if isinstance(x, Array) and x.level is level])
    fit = tuple([i for i in needs if any([data[i].dtype != x.dtype for x in ans])])
    if any([is_wrapper(x) for x in (*ans, *data)]):
        level.nested = True
    items = tuple(ans)
    node = _node(op.variant(needs, fit), operands, data, params, items, level)
    return like_tuple(ans, projected(items, node))


def _node(
    variant: Variant,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    ans: Any,
    level: Level,
) -> Node:
    saved: Any = saver(variant)(data, params, ans)
    slow = recording() is not True
    if slow:
        saved = packed(variant, saved)
    parents: list[Any] = [operands[i]._node for i in variant.needs]
    second = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
    node = Node(next_number(), variant, saved, parents[0], second, level)
    if slow:
        checks = anomaly_checks.get()
        if checks is not None and checks.forward:
            checks.look_at_value(node, ans)
    return node


def like_tuple(ans: tuple[Any, ...], items: Sequence[Any]) -> Any:
    """`items` under the names that `ans` has for its own."""
    return type(ans)(*items) if hasattr(ans, "_fields") else tuple(items)


def _check_outputs(op: Op, ans: tuple[Any, ...]) -> None:
    # Better no gradient than one that is silently zero.
    if len(ans) != op.outputs:
        msg = (
            f"{op.name} returns {len(ans)} arrays, and it was declared to return {op.outputs}. Declare it with "
            f"outputs={len(ans)} and rules for tuples, as nondifferentiable, or as a composite of other operations."
        )
        raise MissingRuleError(msg)


Saver = Callable[[tuple[Any, ...], dict[str, Any], Any], tuple[Any, ...]]


def saver(variant: Variant) -> Saver:
    """The function ``(data, params, ans)`` to the values that a rule asked for by name."""
    if variant.save is None:
        variant.save = _make_saver(variant)
    return variant.save  # type: ignore[no-any-return]


def _make_saver(variant: Variant) -> Saver:
    if not variant.names:
        return lambda data, params, ans: NOTHING
    return _keeper(variant, "data, params, ans", read)


Keeper = Callable[..., tuple[Any, ...]]


def keeper(variant: Variant, parametrised: bool = False) -> Keeper | None:
    """The function ``(*arrays, ans)``, or ``(*arrays, params, ans)``, of raw arrays to what a call saves.

    None where that is nothing.
    """
    given = [f"x{i}" for i in range(len(variant.op.arrays))] + ["params"] * parametrised + ["ans"]
    return _keeper(variant, ", ".join(given), _read_raw) if variant.names else None


def _keeper(variant: Variant, given: str, reading: Callable[[Op, str, int], str]) -> Keeper:
    """Written as one function, which runs as often as the operation itself."""
    op, names = variant.op, variant.names
    values = "".join(f"{reading(op, name, i)}, " for i, name in enumerate(names))
    holds_arrays = any(n == "ans" or n in op.arrays for n in names)
    return _written(op, names, given, f"({values})" if holds_arrays else f"container(({values}))")


@functools.cache
def _getter(op: Op, name: str) -> Callable[[tuple[Any, ...], dict[str, Any], Any], Any]:
    return _written(op, (name,), "data, params, ans", read(op, name, 0))


def _written(op: Op, names: Sequence[str], given: str, expression: str) -> Callable[..., Any]:
    statics = "".join(f", name{i}, default{i}" for i, name in enumerate(names) if name in op.statics)
    source = f"lambda spec, spaces, container{statics}: lambda {given}: {expression}"
    values = [x for name in names if name in op.statics for x in (name, op.defaults.get(name))]
    return written(source)(spec, spaces, Static, *values)  # type: ignore[no-any-return]


def _read_raw(op: Op, name: str, place: int) -> str:
    """What a rule asked for by name, as an expression of raw arrays by their names, ``params`` and ``ans``."""
    if name in op.statics:
        return f"params.get(name{place}, default{place})"
    array = name.removesuffix("_spec")
    x = "ans" if array == "ans" else f"x{op.arrays.index(array)}"
    return x if name == array else f"spaces[type({x})].spec({x})"


def read(op: Op, name: str, place: int) -> str:
    """What a rule asked for by name, as an expression of ``data``, ``params`` and ``ans``."""
    if name in op.statics:
        return f"params.get(name{place}, default{place})"
    if name == "ans":
        return "ans"
    if name == "ans_spec":
        return "spec(ans)" if op.outputs == 1 else "tuple([spec(x) for x in ans])"
    if op.variadic:
        return "data" if name == "arrays" else "tuple([spec(x) for x in data])"
    if name in op.arrays:
        return f"data[{op.arrays.index(name)}]"
    return f"spec(data[{op.arrays.index(name.removesuffix('_spec'))}])"


def spec(x: Any) -> Spec:
    """Shape, dtype and device of an array, wrapped or raw."""
    space = spaces.get(type(x))
    if space is not None:
        return space.spec(x)
    if type(x) is Dual or type(x) is classes.nested:
        # Mostly the value of a derivative, around a raw array of the same shape.
        inner = x._array
        space = spaces.get(type(inner))
        if space is not None and not space.lazy:
            return space.spec(inner)
    if type(x) in SCALARS:
        return Spec((), type(x), None)
    return spaces[type(innermost(x))].spec(x)


def _dual(op: Op, operands: tuple[Any, ...], params: dict[str, Any], level: Level) -> Any:
    data = tuple([_lowered(x, level) for x in operands])
    ans = below(op, data, params)
    if observing.count and op.connected:
        call = observing.Call(op.name, raw_space(ans[0] if isinstance(ans, tuple) else ans).name, observing.TANGENT)
        return observing.observed(call, partial(_with_tangents, op, operands, data, params, ans, level))
    return _with_tangents(op, operands, data, params, ans, level)


def _with_tangents(
    op: Op,
    operands: tuple[Any, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    ans: Any,
    level: Level,
) -> Any:
    if op.tier == "elementwise" and not isinstance(ans, Array) and ans.dtype in spaces[type(ans)].floats:
        t = pushed(op, operands, data, ans, level)
        if t is not None:
            return fitted(None, ans, t, level)
    if not op.connected:
        return ans if isinstance(ans, Array) else wrap_results(ans)
    several = isinstance(ans, tuple)
    if several:
        _check_outputs(op, ans)
    elif not carries(ans):
        return _without_gradient(op, ans)
    tangents: dict[Any, Any] = {
        (i if op.variadic else op.arrays[i]): x._tangent
        for i, x in enumerate(operands)
        if isinstance(x, Dual) and x.level is level
    }
    value = tuple(ans) if several else ans
    xp = _namespace((*(value if several else (value,)), *data, *tangents.values()))
    guard = None
    if isinstance(xp, Space):
        guard = xp.guard
    else:
        value, data = as_wrapper(value), as_wrapper(data)
        tangents = {name: as_wrapper(t) for name, t in tangents.items()}
    values = _Values(op, data, params, value)

    def run(**replaced: Any) -> Any:
        names = [str(i) for i in range(len(data))] if op.variadic else op.arrays
        arrays = [replaced.get(n, x) for n, x in zip(names, data, strict=True)]
        return below(op, tuple(arrays), params)

    if guard is None:
        t = op.jvp(xp, tangents, values, run)
    else:
        # Rules on raw arrays use operators: these need the right device to be current, as the table's functions do.
        with guard(value[0] if several else value):
            t = op.jvp(xp, tangents, values, run)
    if several:
        ts = (None,) * len(ans) if t is None else t
        return like_tuple(ans, [_with_tangent(xp, x, dx, level) for x, dx in zip(ans, ts, strict=True)])
    return _with_tangent(xp, ans, t, level)


def _without_gradient(op: Op, ans: Any) -> Any:
    """An output of integers or truth values.

    Raises
    ------
    GradientLostError
        If it is of a floating-point dtype that the standard does not have, as NumPy's float16 is.
    """
    if not raw_space(ans).isdtype(ans.dtype, ("bool", "integral")):
        msg = (
            f"the result of {op.name} would have dtype {short(ans.dtype)}, which keeps no gradient, and one of its "
            f"operands carries one. Stay with the dtypes of the standard (float32, float64, complex64, complex128), or "
            f"detach() that operand."
        )
        raise GradientLostError(msg)
    return wrap(ans, None)


def _with_tangent(xp: Any, ans: Any, t: Any, level: Level) -> Any:
    if t is None or not carries(ans):
        return ans if isinstance(ans, Array) else wrap(ans, None)
    return fitted(xp, ans, t, level)


def fitted(xp: Any, ans: Any, t: Any, level: Level) -> Dual:
    """A dual of a tangent in the dtype and shape of its value."""
    if t.dtype != ans.dtype:
        t = (xp or namespace_of(t, ())).astype(t, ans.dtype)
    if t.shape != ans.shape and _differ(t.shape, ans.shape):
        t = (xp or namespace_of(t, ())).broadcast_to(t, ans.shape)
    return Dual(ans, t, level)


def _differ(shape: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes differ; what a lazy backend does not know, a NaN, is taken for equal."""
    return len(shape) != len(other) or any(m != n and m == m and n == n for m, n in zip(shape, other, strict=True))


def _namespace(values: Sequence[Any]) -> Any:
    for x in values:
        if isinstance(x, Array):
            return x.__array_namespace__()
    return spaces[type(next(x for x in values if type(x) not in SCALARS))]


class _Values(dict[str, Any]):
    """Names to values, found when they are asked for."""

    __slots__ = ("_call", "_op")

    def __init__(self, op: Op, *call: Any) -> None:
        self._op = op
        self._call = call

    def __missing__(self, name: str) -> Any:
        value = self[name] = _getter(self._op, name)(*self._call)
        return value


def call(name: str, *operands: Any, **params: Any) -> Any:
    """Run the operation of that name, for code of the engine that has no namespace at hand."""
    return OPS[name].call(*operands, **params)
