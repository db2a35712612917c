"""Run an operation on any operands: at the highest level among them, on one backend, with an error that explains.

The fast paths of `agnograd.core.recorders` come here for everything that is not plain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.cotangent import Spec
from agnograd.core.forward import Dual
from agnograd.core.level import Level, anomaly_checks, recording, records
from agnograd.core.op import Op, Variant
from agnograd.core.reverse import (
    NOTHING,
    Node,
    Reverse,
    Static,
    as_wrapper,
    carries,
    describe,
    next_number,
    projected,
    raw_space,
    short,
    wrap,
)
from agnograd.core.saved import packed
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.views import attach, settled
from agnograd.errors import (
    ForeignArrayError,
    GradientLostError,
    MissingRuleError,
    MixedBackendsError,
    MixedDevicesError,
)

Call = Callable[..., Any]

SCALARS = frozenset((bool, int, float, complex))


def apply(op: Op, operands: tuple[Any, ...], params: dict[str, Any], operator: bool = False) -> Any:
    """Run an operation at the highest level among its operands.

    Raw arrays give a raw array. Operands of lower levels are constants to the level; an operand of a level that is
    not recorded now is replaced by what it holds.
    """
    found = tuple([settled(x) if isinstance(x, Array) else x for x in operands])
    try:
        level = highest(found)
        while level is not None and isinstance(carrier(found, level), Reverse) and not records(level):
            found = tuple([_lowered(x, level) for x in found])
            level = highest(found)
        if level is None:
            ans = _constant(op, found, params, any(isinstance(x, Array) for x in operands))
        elif isinstance(carrier(found, level), Reverse):
            data = tuple([_lowered(x, level) for x in found])
            ans = record(op, found, data, params, apply(op, data, params), level)
        else:
            level.check_open()
            ans = _dual(op, found, params, level)
    except ForeignArrayError:
        if operator:
            return NotImplemented
        raise
    if op.view is not None and isinstance(ans, Array) and isinstance(operands[0], Array):
        attach(ans, operands[0], op, params)
    return ans


def highest(operands: Sequence[Any]) -> Level | None:
    """The innermost level among the operands."""
    level = None
    for x in operands:
        if isinstance(x, Array):
            own = x.level
            if own is not None and (level is None or own.serial > level.serial):
                level = own
    return level


def carrier(operands: Sequence[Any], level: Level) -> Array:
    """The first operand of that level."""
    return next(x for x in operands if isinstance(x, Array) and x.level is level)


def _lowered(x: Any, level: Level) -> Any:
    """An operand as `level` sees it: its own wrappers opened, constants as raw as they can be."""
    if isinstance(x, Array) and (x.level is level or x.level is None):
        return x._array
    return x


def _constant(op: Op, operands: tuple[Any, ...], params: dict[str, Any], wrapped: bool) -> Any:
    """Operands of no level: raw arrays, Python scalars and tensors that are constants."""
    data = _one_backend(op, tuple([x._array if isinstance(x, Array) else x for x in operands]))
    body = op.bodies[type(next(x for x in data if type(x) not in SCALARS))] if data else None
    if body is None:
        msg = f"{op.name} needs at least one array"
        raise TypeError(msg)
    kept = _kept.get()
    if kept is not None and op.name in kept.names:
        ans = kept.result(partial(_run, op, body, data, params))
    else:
        ans = _run(op, body, data, params)
    return wrap_results(ans) if wrapped else ans


def _run(op: Op, body: Callable[..., Any], data: tuple[Any, ...], params: dict[str, Any]) -> Any:
    try:
        return body(list(data), **params) if op.variadic else body(*data, **params)
    except Exception as error:
        raise explained(op, data, params, error) from None


class _Kept(NamedTuple):
    """Results of some operations, which are kept in a first run and taken from there in a second one."""

    names: frozenset[str]
    again: Iterator[Any] | None
    results: list[Any]

    def result(self, run: Callable[[], Any]) -> Any:
        if self.again is not None:
            found = next(self.again, _kept)
            return run() if found is _kept else found
        self.results.append(run())
        return self.results[-1]


_kept: ContextVar[_Kept | None] = ContextVar("agnograd_kept_results", default=None)


@contextmanager
def kept_outputs(
    names: frozenset[str], again: Iterator[Any] | None, results: list[Any] | None = None
) -> Iterator[None]:
    """Keep the results of operations of these names in a list, or take them from an iterator, within a block."""
    token = _kept.set(_Kept(names, again, [] if results is None else results) if names else _kept.get())
    try:
        yield
    finally:
        _kept.reset(token)


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
        fits = op.changes_backend or all(
            [data[i].dtype == dtype and (any_shape or data[i].shape == shape) for i in needs]
        )
        variant = op.variant(needs, not fits)
    nested = is_wrapper(ans) or any([is_wrapper(x) for x in data])
    if nested:
        level.nested = True
    return wrap(ans, _node(variant, operands, data, params, ans, level))


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
    fits = all([data[i].dtype == x.dtype for i in needs for x in ans])
    if any([is_wrapper(x) for x in (*ans, *data)]):
        level.nested = True
    items = tuple(ans)
    node = _node(op.variant(needs, not fits), operands, data, params, items, level)
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
    getters = [_getter(variant.op, name) for name in variant.names]
    container: Any = tuple if any(n == "ans" or n in variant.op.arrays for n in variant.names) else Static
    if not getters:
        return lambda data, params, ans: NOTHING
    if len(getters) == 1:
        (get,) = getters
        return lambda data, params, ans: container((get(data, params, ans),))
    if len(getters) == 2:
        get1, get2 = getters
        return lambda data, params, ans: container((get1(data, params, ans), get2(data, params, ans)))

    def save(data: tuple[Any, ...], params: dict[str, Any], ans: Any) -> tuple[Any, ...]:
        return container([get(data, params, ans) for get in getters])  # type: ignore[no-any-return]

    return save


def _getter(op: Op, name: str) -> Callable[[tuple[Any, ...], dict[str, Any], Any], Any]:
    if name in op.statics:
        default = op.defaults.get(name)
        return lambda data, params, ans: params.get(name, default)
    if name == "ans":
        return lambda data, params, ans: ans
    if name == "ans_spec":
        if op.outputs > 1:
            return lambda data, params, ans: tuple([spec(x) for x in ans])
        return lambda data, params, ans: spec(ans)
    if op.variadic:
        return lambda data, params, ans: data if name == "arrays" else tuple([spec(x) for x in data])
    if name in op.arrays:
        place = op.arrays.index(name)
        return lambda data, params, ans: data[place]
    place = op.arrays.index(name.removesuffix("_spec"))
    return lambda data, params, ans: spec(data[place])


def spec(x: Any) -> Spec:
    """Shape, dtype and device of an array, wrapped or raw."""
    space = spaces.get(type(x))
    if space is not None:
        return space.spec(x)
    if type(x) in SCALARS:
        return Spec((), type(x), None)
    return spaces[type(innermost(x))].spec(x)


def _dual(op: Op, operands: tuple[Any, ...], params: dict[str, Any], level: Level) -> Any:
    data = tuple([_lowered(x, level) for x in operands])
    ans = apply(op, data, params)
    if not op.connected:
        return ans if isinstance(ans, Array) else wrap_results(ans)
    if isinstance(ans, tuple):
        _check_outputs(op, ans)
    elif not carries(ans):
        return _without_gradient(op, ans)
    tangents: dict[Any, Any] = {
        (i if op.variadic else op.arrays[i]): x._tangent
        for i, x in enumerate(operands)
        if isinstance(x, Dual) and x.level is level
    }
    several = isinstance(ans, tuple)
    named = ans
    if several:
        ans = tuple(ans)
    xp = _namespace((*(ans if several else (ans,)), *data, *tangents.values()))
    if not isinstance(xp, Space):
        ans, data = as_wrapper(ans), as_wrapper(data)
        tangents = {name: as_wrapper(t) for name, t in tangents.items()}
    values = _values(op, data, params, ans)

    def run(**replaced: Any) -> Any:
        names = [str(i) for i in range(len(data))] if op.variadic else op.arrays
        arrays = [replaced.get(n, x) for n, x in zip(names, data, strict=True)]
        return apply(op, tuple(arrays), params)

    # Rules on raw arrays use operators: these need the right device to be current, as the table's functions do.
    guard = xp.guard if isinstance(xp, Space) else None
    with nullcontext() if guard is None else guard(ans[0] if several else ans):
        t = op.jvp(xp, tangents, values, run)
    if several:
        ts = (None,) * len(ans) if t is None else t
        return like_tuple(named, [_with_tangent(xp, x, dx, level) for x, dx in zip(ans, ts, strict=True)])
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
    if t.dtype != ans.dtype:
        t = xp.astype(t, ans.dtype)
    if t.shape != ans.shape and _differ(t.shape, ans.shape):
        t = xp.broadcast_to(t, ans.shape)
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
    """Names to values, specs made when they are asked for."""

    def __init__(self, op: Op, data: tuple[Any, ...], params: dict[str, Any], ans: Any) -> None:
        super().__init__(op.defaults)
        self.update(params)
        self["ans"] = ans
        if op.variadic:
            self["arrays"] = data
        else:
            self.update(zip(op.arrays, data, strict=True))

    def __missing__(self, name: str) -> Any:
        value = self[name.removesuffix("_spec")]
        return tuple([spec(x) for x in value]) if isinstance(value, tuple) else spec(value)


_values = _Values


# -- one backend, one device -----------------------------------------------------------------------------------------


def _one_backend(op: Op, data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raw operands of one backend; scalars of another library become Python scalars.

    Raises
    ------
    MixedBackendsError
        If there are arrays of two backends.
    ForeignArrayError
        If there is something that no backend knows.
    """
    try:
        found = [(x, spaces[type(x)]) for x in data if type(x) not in SCALARS]
    except ForeignArrayError:
        raise _foreign(op, data) from None
    if all(space is found[0][1] for _, space in found):
        return data if found else _default_backend(data)
    arrays = [(x, space) for x, space in found if space.is_scalar is None or not space.is_scalar(x)]
    target = arrays[0][1] if arrays else found[0][1]
    for x, space in arrays:
        if space is not target:
            first = arrays[0][0]
            msg = (
                f"{op.name} got arrays of two backends, {target.name} and {space.name}: {describe(first)}; "
                f"{describe(x)}. Nothing is converted silently: convert one, for example with "
                f"agnograd.to_backend(x, {target.name!r})."
            )
            raise MixedBackendsError(msg)
    return tuple([x if type(x) in SCALARS or spaces[type(x)] is target else x.item() for x in data])


def _default_backend(data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Python scalars alone become arrays of the default backend."""
    return tuple([default_array(x) for x in data])


def default_array(x: Any) -> Any:
    """A Python scalar as a raw array of the default backend; set by `agnograd.namespaces`."""
    return _default_array[0](x)


_default_array: list[Callable[[Any], Any]] = []


def _foreign(op: Op, data: tuple[Any, ...]) -> ForeignArrayError:
    i, x = next((i, x) for i, x in enumerate(data) if type(x) not in SCALARS and spaces.known(type(x)) is None)
    type_ = type(x)
    kind = f"{type_.__module__}.{type_.__qualname__}".removeprefix("builtins.")
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        kind = f"{kind} (shape {x.shape}, {x.dtype})"
    place = f"array {i}" if op.variadic else f"its argument {op.arrays[i]}"
    return ForeignArrayError(
        f"{op.name} got an object of type {kind} for {place}: that is neither a number nor an array of a registered "
        f"backend. Convert it with agnograd.asarray, or register a backend for its type (see agnograd.hookspecs)."
    )


def explained(op: Op, data: tuple[Any, ...], params: dict[str, Any], error: Exception) -> Exception:
    """The error of a backend, with what was asked of it; devices that differ and wrong parameters are named."""
    described = []
    devices = []
    names = map(str, range(len(data))) if op.variadic else op.arrays
    for name, x in zip(names, data, strict=True):
        if type(x) in SCALARS:
            described.append(f"{name}: a Python {type(x).__name__}")
            continue
        devices.append(str(spaces[type(x)].device(x)))
        described.append(f"{name}: {describe(x)}")
    if len(set(devices)) > 1:
        msg = (
            f"{op.name} got arrays of two devices, {'; '.join(described)}. Nothing is moved silently: move one with "
            f"x.to_device(device)."
        )
        return MixedDevicesError(msg)
    unknown = [n for n in params if n not in op.statics]
    missing = [n for n in op.statics if n not in params and n not in op.defaults]
    if isinstance(error, TypeError) and (unknown or missing):
        # The backend would name a function of its own.
        wrong = [f"has no parameter {n!r}" for n in unknown] + [f"needs {n!r}" for n in missing]
        error = TypeError(f"{op.name}{op.signature} {' and '.join(wrong)}")
    error.add_note(f"in agnograd.{op.name}({'; '.join(described)})")
    return error


def call(name: str, *operands: Any, **params: Any) -> Any:
    """Run the operation of that name, for code of the engine that has no namespace at hand."""
    return OPS[name].call(*operands, **params)
