"""The hot path: unwrap, run, record, wrap.

`unary`, `binary` and `general` make the function of one operation. Each has a fast path for tensors around raw arrays,
in which everything that is decided per operation has been looked up beforehand, and leaves all else to `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.array import Array, innermost, is_wrapper
from agnograd.core.forward import Dual
from agnograd.core.level import Level, recording, records
from agnograd.core.op import Op, Spec
from agnograd.core.reverse import NOTHING, Node, Reverse, Static, classes, next_number, wrap
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.views import attach, settled
from agnograd.errors import ForeignArrayError, MixedBackendsError, MixedDevicesError

Call = Callable[..., Any]

SCALARS = frozenset((bool, int, float, complex))


def make_call(op: Op, operator: bool = False) -> Call:
    """The function of an operation.

    Parameters
    ----------
    op : Op
    operator : bool
        Return NotImplemented for an operand of an unknown type instead of raising, as Python's operators must.
    """
    if op.tier == "composite":
        made = composite(op)
    elif op.variadic or not op.connected:
        made = general(op, operator)
    elif len(op.arrays) == 1 and not op.statics and op.view is None:
        made = unary(op)
    elif len(op.arrays) == 1:
        made = parametrised(op)
    elif len(op.arrays) == 2 and not op.statics:
        made = binary(op, operator)
    else:
        made = general(op, operator)
    made.__name__ = made.__qualname__ = op.name.rpartition(".")[2]
    made.__module__ = "agnograd"
    made.__doc__ = op.doc
    made.__signature__ = op.signature  # type: ignore[attr-defined]
    return made


def unary(op: Op) -> Call:
    """One array, no parameters."""
    tensor = classes.plain
    bodies = op.bodies
    variant = op.variant((0,))
    pick = variant.pick

    def call(x: Any, /) -> Any:
        try:
            if type(x) is tensor:
                data = x._array
                node = x._node
                if node is None:
                    return tensor(bodies[type(data)](data), None)
                if recording() is True:
                    ans = bodies[type(data)](data)
                    if ans.dtype is data.dtype:
                        saved = NOTHING if pick is None else pick((data, ans))
                        return tensor(ans, Node(next_number(), variant, saved, node, None, node.level))
                    return record(op, (x,), (data,), {}, ans, node.level)
        except Exception:
            return apply(op, (x,), {})  # runs it again, and explains what went wrong
        return apply(op, (x,), {})

    return call


def binary(op: Op, operator: bool) -> Call:
    """Two arrays or Python scalars, no parameters."""
    tensor = classes.plain
    bodies = op.bodies
    both, left, right = op.variant((0, 1)), op.variant((0,)), op.variant((1,))
    pick_both, pick_left, pick_right = both.pick, left.pick, right.pick
    # Only elementwise operations broadcast: the rules of the others know their shapes.
    any_shape = op.tier != "elementwise"

    def call(x1: Any, x2: Any, /) -> Any:
        try:
            if recording() is True:
                if type(x1) is tensor:
                    data1 = x1._array
                    node1 = x1._node
                    type1 = type(data1)
                    type2 = type(x2)
                    if type2 is tensor:
                        data2 = x2._array
                        node2 = x2._node
                        if type(data2) is not type1:
                            return apply(op, (x1, x2), {}, operator)
                        if node1 is not None and node2 is not None:
                            level = node1.level
                            if level is not node2.level:
                                return apply(op, (x1, x2), {}, operator)
                            ans = bodies[type1](data1, data2)
                            if data1.dtype is data2.dtype and (any_shape or data1.shape == data2.shape):
                                saved = NOTHING if pick_both is None else pick_both((data1, data2, ans))
                                return tensor(ans, Node(next_number(), both, saved, node1, node2, level))
                            return record(op, (x1, x2), (data1, data2), {}, ans, level)
                        ans = bodies[type1](data1, data2)
                    elif type2 is float or type2 is int or type2 is type1:
                        data2 = x2
                        node2 = None
                        ans = bodies[type1](data1, data2)
                    else:
                        return apply(op, (x1, x2), {}, operator)
                    if node1 is not None:
                        if ans.dtype is data1.dtype and (any_shape or ans.shape == data1.shape):
                            saved = NOTHING if pick_left is None else pick_left((data1, data2, ans))
                            return tensor(ans, Node(next_number(), left, saved, node1, None, node1.level))
                        return record(op, (x1, x2), (data1, data2), {}, ans, node1.level)
                    if node2 is None:
                        return tensor(ans, None)
                elif type(x2) is tensor and (type(x1) is float or type(x1) is int):
                    data1 = x1
                    data2 = x2._array
                    node2 = x2._node
                    ans = bodies[type(data2)](data1, data2)
                    if node2 is None:
                        return tensor(ans, None)
                else:
                    return apply(op, (x1, x2), {}, operator)
                if ans.dtype is data2.dtype and (any_shape or ans.shape == data2.shape):
                    saved = NOTHING if pick_right is None else pick_right((data1, data2, ans))
                    return tensor(ans, Node(next_number(), right, saved, node2, None, node2.level))
                return record(op, (x1, x2), (data1, data2), {}, ans, node2.level)
        except Exception:
            return apply(op, (x1, x2), {}, operator)  # runs it again, and explains what went wrong
        return apply(op, (x1, x2), {}, operator)

    return call


def parametrised(op: Op) -> Call:
    """One array and static parameters."""
    tensor = classes.plain
    bodies = op.bodies
    view = op.view is not None

    def call(x: Any, /, *args: Any, **params: Any) -> Any:
        if args:
            params = op.bind(args, params)
        if type(x) is not tensor:
            return apply(op, (x,), params)
        try:
            data = x._array
            node = x._node
            if node is None:
                out = _wrap_results(bodies[type(data)](data, **params))
            elif recording() is True:
                out = record(op, (x,), (data,), params, bodies[type(data)](data, **params), node.level)
            else:
                return apply(op, (x,), params)
        except Exception:
            return apply(op, (x,), params)  # runs it again, and explains what went wrong
        if view:
            attach(out, x, op, params)
        return out

    return call


def general(op: Op, operator: bool) -> Call:
    """Everything else, through `apply`."""
    if op.variadic:

        def call(arrays: Sequence[Any], /, *args: Any, **params: Any) -> Any:
            return apply(op, tuple(arrays), op.bind(args, params) if args else params)

        return call
    count = len(op.arrays)

    def call_n(*args: Any, **params: Any) -> Any:
        if len(args) < count:
            msg = f"{op.name}{op.signature} needs {count} arrays, got {len(args)}"
            raise TypeError(msg)
        return apply(op, args[:count], op.bind(args[count:], params), operator)

    return call_n


def composite(op: Op) -> Call:
    """A function of other operations, run on the namespace of its arrays."""
    body = op.body
    assert body is not None

    def call(*args: Any, **params: Any) -> Any:
        arrays = args[0] if op.variadic else args
        for x in arrays:
            if isinstance(x, Array):
                return body(settled(x).__array_namespace__(), *args, **params)
        for x in arrays:
            if type(x) not in SCALARS and spaces.known(type(x)) is not None:
                return body(spaces[type(x)], *args, **params)
        return body(spaces[type(default_array(0.0))], *args, **params)

    return call


# -- the general case ---------------------------------------------------------------------------------------------------


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
    try:
        ans = body(list(data), **params) if op.variadic else body(*data, **params)
    except Exception as error:
        raise explained(op, data, error) from None
    return _wrap_results(ans) if wrapped else ans


def _wrap_results(ans: Any) -> Any:
    if isinstance(ans, tuple):
        items = [wrap(x, None) for x in ans]
        return type(ans)(*items) if hasattr(ans, "_fields") else tuple(items)
    return wrap(ans, None)


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
    ans : array
        The output for `data`.
    """
    if not op.connected or isinstance(ans, tuple):
        return _wrap_results(ans)
    space = spaces[type(innermost(ans))]
    if ans.dtype not in space.floats:
        return wrap(ans, None)
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
    saved = save(op, variant.names, data, params, ans)
    nested = is_wrapper(ans) or any([is_wrapper(x) for x in data])
    if nested:
        level.nested = True
    parents: list[Any] = [operands[i]._node for i in needs]
    second = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
    return wrap(ans, Node(next_number(), variant, saved, parents[0], second, level))


def save(
    op: Op,
    names: tuple[str, ...],
    data: tuple[Any, ...],
    params: dict[str, Any],
    ans: Any,
) -> tuple[Any, ...]:
    """The values that a rule asked for by name."""
    values = []
    holds = False
    for name in names:
        if name in params:
            values.append(params[name])
        elif name in op.defaults:
            values.append(op.defaults[name])
        elif name == "ans":
            values.append(ans)
            holds = True
        elif name in op.arrays:
            values.append(data if op.variadic else data[op.arrays.index(name)])
            holds = True
        elif name == "ans_spec":
            values.append(spec(ans))
        elif op.variadic:
            values.append(tuple([spec(x) for x in data]))
        else:
            values.append(spec(data[op.arrays.index(name[: -len("_spec")])]))
    return tuple(values) if holds else Static(values)


def spec(x: Any) -> Spec:
    """Shape, dtype and device of an array, wrapped or raw."""
    if type(x) in SCALARS:
        return Spec((), type(x), None)
    return spaces[type(innermost(x))].spec(x)


def _dual(op: Op, operands: tuple[Any, ...], params: dict[str, Any], level: Level) -> Any:
    data = tuple([_lowered(x, level) for x in operands])
    ans = apply(op, data, params)
    if not op.connected or isinstance(ans, tuple):
        return ans if isinstance(ans, Array) else _wrap_results(ans)
    space: Space = spaces[type(innermost(ans))]
    if ans.dtype not in space.floats:
        return wrap(ans, None)
    tangents: dict[Any, Any] = {
        (i if op.variadic else op.arrays[i]): x._tangent
        for i, x in enumerate(operands)
        if isinstance(x, Dual) and x.level is level
    }
    xp = _namespace((ans, *data, *tangents.values()))
    values = _values(op, data, params, ans)

    def run(**replaced: Any) -> Any:
        names = [str(i) for i in range(len(data))] if op.variadic else op.arrays
        arrays = [replaced.get(n, x) for n, x in zip(names, data, strict=True)]
        return apply(op, tuple(arrays), params)

    t = op.jvp(xp, tangents, values, run)
    if t is None:
        return ans if isinstance(ans, Array) else wrap(ans, None)
    if t.dtype != ans.dtype:
        t = xp.astype(t, ans.dtype)
    if t.shape != ans.shape:
        t = xp.broadcast_to(t, ans.shape)
    return Dual(ans, t, level)


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


# -- one backend, one device --------------------------------------------------------------------------------------------


def _one_backend(op: Op, data: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raw operands of one backend; scalars of another library become Python scalars.

    Raises
    ------
    MixedBackendsError
        If there are arrays of two backends.
    """
    found = [(x, spaces[type(x)]) for x in data if type(x) not in SCALARS]
    if all(space is found[0][1] for _, space in found):
        return data if found else _default_backend(data)
    arrays = [(x, space) for x, space in found if space.is_scalar is None or not space.is_scalar(x)]
    target = arrays[0][1] if arrays else found[0][1]
    for x, space in arrays:
        if space is not target:
            first = arrays[0][0]
            msg = (
                f"{op.name} got arrays of two backends: {target.name} (shape {tuple(first.shape)}, {first.dtype}) and "
                f"{space.name} (shape {tuple(x.shape)}, {x.dtype}). Nothing is converted silently: convert one, for "
                f"example with agnograd.to_backend(x, {target.name!r})."
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


def explained(op: Op, data: tuple[Any, ...], error: Exception) -> Exception:
    """The error of a backend, with what was asked of it; a mixture of devices gets its own class."""
    arrays = [x for x in data if type(x) not in SCALARS]
    described = []
    devices = []
    for x in data:
        if type(x) in SCALARS:
            described.append(f"a Python {type(x).__name__}")
            continue
        space = spaces[type(x)]
        devices.append(str(space.device(x)))
        described.append(f"{space.name} array of shape {tuple(x.shape)}, {x.dtype} on {devices[-1]}")
    if len(set(devices)) > 1:
        msg = (
            f"{op.name} got arrays of two devices: {'; '.join(described)}. Nothing is moved silently: move one with "
            f"x.to_device(device)."
        )
        return MixedDevicesError(msg)
    if arrays:
        error.add_note(f"in agnograd.{op.name} of {'; '.join(described)}")
    return error


def call(name: str, *operands: Any, **params: Any) -> Any:
    """Run the operation of that name, for code of the engine that has no namespace at hand."""
    return OPS[name].call(*operands, **params)
