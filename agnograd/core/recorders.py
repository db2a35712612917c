"""The hot path: the function of one operation, with everything looked up beforehand that does not change by call.

Each has a fast path for tensors around raw arrays of one backend and leaves all else to `agnograd.core.apply`, which
also runs a failed operation again to explain what went wrong. Unary and binary operations have bodies of their own:
the commonest calls pay for no ``*args``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnograd.core.apply import SCALARS, Call, apply, default_array, record, saver, wrap_results
from agnograd.core.array import Array
from agnograd.core.level import recording
from agnograd.core.op import Op, Variant
from agnograd.core.reverse import NOTHING, Node, classes, next_number
from agnograd.core.table import spaces
from agnograd.core.views import attach, settled


def make_call(op: Op, operator: bool = False) -> Call:
    """The function of an operation.

    Parameters
    ----------
    op : Op
    operator : bool
        Return NotImplemented for an operand of an unknown type instead of raising, as Python's operators must.
    """
    made: Call
    if op.tier == "composite":
        made = composite(op)
    elif op.variadic or not op.connected:
        made = unhurried(op, operator)
    elif op.differentiable != op.arrays:
        made = several(op, operator)
    elif len(op.arrays) == 1:
        made = unary(op) if not op.statics and op.view is None else parametrised(op)
    elif len(op.arrays) == 2 and op.tier == "elementwise" and not op.statics:
        made = binary(op, operator)
    else:
        made = several(op, operator)
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
    pick = picker(variant)

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
            pass  # it is run again below, and explains what went wrong
        return apply(op, (x,), {})

    return call


def binary(op: Op, operator: bool) -> Call:
    """Two arrays or Python scalars that broadcast, no parameters."""
    tensor = classes.plain
    bodies = op.bodies
    both, left, right = op.variant((0, 1)), op.variant((0,)), op.variant((1,))
    pick_both, pick_left, pick_right = picker(both), picker(left), picker(right)

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
                            if data1.dtype is data2.dtype and data1.shape == data2.shape:
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
                        if ans.dtype is data1.dtype and ans.shape == data1.shape:
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
                if ans.dtype is data2.dtype and ans.shape == data2.shape:
                    saved = NOTHING if pick_right is None else pick_right((data1, data2, ans))
                    return tensor(ans, Node(next_number(), right, saved, node2, None, node2.level))
                return record(op, (x1, x2), (data1, data2), {}, ans, node2.level)
        except Exception:
            pass  # it is run again below, and explains what went wrong
        return apply(op, (x1, x2), {}, operator)

    return call


def picker(variant: Variant) -> Callable[[tuple[Any, ...]], tuple[Any, ...]] | None:
    """What takes ``(*arrays, ans)`` to what an operation without parameters saves; None if that is nothing."""
    if variant.keeps_arrays:
        return variant.pick
    save = saver(variant)
    return lambda values: save(values[:-1], {}, values[-1])


def parametrised(op: Op) -> Call:
    """One array, and static parameters or a view of it."""
    tensor = classes.plain
    bodies = op.bodies
    view = op.view is not None
    plain, fitted = op.variant((0,)), op.variant((0,), True)
    save, save_fitted = saver(plain), saver(fitted)

    def call(x: Any, /, *args: Any, **params: Any) -> Any:
        if args:
            params = op.bind(args, params)
        if type(x) is not tensor:
            return apply(op, (x,), params)
        try:
            data = x._array
            node = x._node
            if node is None:
                out = wrap_results(bodies[type(data)](data, **params))
            elif recording() is True:
                ans = bodies[type(data)](data, **params)
                if ans.dtype is data.dtype:
                    out = tensor(ans, Node(next_number(), plain, save((data,), params, ans), node, None, node.level))
                elif ans.dtype in spaces[type(ans)].floats:
                    variant, keep = (plain, save) if op.changes_backend else (fitted, save_fitted)
                    out = tensor(ans, Node(next_number(), variant, keep((data,), params, ans), node, None, node.level))
                else:
                    out = tensor(ans, None)
            else:
                return apply(op, (x,), params)
        except Exception:
            pass  # it is run again below, and explains what went wrong
        else:
            if view:
                attach(out, x, op, params)
            return out
        return apply(op, (x,), params)

    return call


def several(op: Op, operator: bool) -> Call:
    """Several arrays and static parameters."""
    tensor = classes.plain
    bodies = op.bodies
    count = len(op.arrays)

    def call(*args: Any, **params: Any) -> Any:
        if len(args) != count:
            if len(args) < count:
                msg = f"{op.name}{op.signature} needs {count} arrays, got {len(args)}"
                raise TypeError(msg)
            params = op.bind(args[count:], params)
            args = args[:count]
        if recording() is not True:
            return apply(op, args, params, operator)
        kind: Any = None
        level = None
        data = []
        for x in args:
            node = None
            if type(x) is tensor:
                node = x._node
                x = x._array
            elif type(x) is float or type(x) is int:
                data.append(x)
                continue
            if kind is None:
                kind = type(x)
            elif type(x) is not kind:
                return apply(op, args, params, operator)
            if node is not None:
                if level is None:
                    level = node.level
                elif level is not node.level:
                    return apply(op, args, params, operator)
            data.append(x)
        if level is None:
            return apply(op, args, params, operator)
        try:
            return record(op, args, tuple(data), params, bodies[kind](*data, **params), level)
        except Exception:
            pass  # it is run again below, and explains what went wrong
        return apply(op, args, params, operator)

    return call


def unhurried(op: Op, operator: bool) -> Call:
    """Sequences of arrays, and operations that record nothing: through `apply`."""
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
