"""The hot path: the function of one operation, with everything looked up beforehand that does not change by call.

Each has a fast path for tensors around raw arrays of one backend and leaves all else to `agnograd.core.apply`, which
also runs a failed operation again to explain what went wrong. Unary and binary operations have bodies of their own:
the commonest calls pay for no ``*args``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from agnograd.core.apply import Call, Keeper, apply, keeper, record, record_plain, saver
from agnograd.core.array import Array
from agnograd.core.batch import Batched
from agnograd.core.conversions import BASIC, plain_key
from agnograd.core.level import recording
from agnograd.core.nested import path_of
from agnograd.core.nodes import NOTHING, Node, classes, next_number, wrap
from agnograd.core.op import Op, Variant
from agnograd.core.operands import SCALARS, default_array, together
from agnograd.core.table import spaces
from agnograd.core.views import alias, attach, settled


def make_call(op: Op, operator: bool = False) -> Call:
    """The function of an operation.

    Parameters
    ----------
    op : Op
    operator : bool
        Return NotImplemented for an operand of an unknown type instead of raising, as Python's operators must.
    """
    made: Call
    op.path = path_of(op)
    if op.tier == "composite":
        made = composite(op)
    elif op.reconnect is not None:
        made = reconnected(op, unhurried(op, operator))
    elif op.variadic or not op.connected or op.outputs > 1:
        made = unhurried(op, operator)
    elif op.differentiable != op.arrays:
        made = several(op, operator)
    elif len(op.arrays) == 1:
        made = unary(op) if not op.statics and op.view is None else parametrised(op)
    elif len(op.arrays) == 2 == len(op.differentiable) and not op.statics and not op.changes_backend:
        made = binary(op, operator)
    else:
        made = several(op, operator)
    made.__name__ = made.__qualname__ = op.name.rpartition(".")[2]
    made.__module__ = "agnograd"
    made.__doc__ = op.doc
    made.__signature__ = op.signature  # type: ignore[attr-defined]
    return made


def reconnected(op: Op, plain: Call) -> Call:
    """A function of one array, some of whose outputs are elements of it, and carry its gradient."""
    reconnect = op.reconnect
    assert reconnect is not None

    def call(x: Any, /, **params: Any) -> Any:
        if not isinstance(x, Array) or isinstance(settled(x), Batched) or settled(x).level is None:
            return plain(x, **params)
        return reconnect(x, **params)

    return call


def unary(op: Op) -> Call:
    """One array, no parameters."""
    tensor = classes.plain
    new_tensor, new_node = partial(object.__new__, tensor), partial(object.__new__, Node)
    bodies = op.bodies
    variant, keep = plan(op, (0,))
    other = beyond(op)

    def call(x: Any, /) -> Any:
        try:
            if type(x) is tensor:
                data = x._array
                first = x._node
                if first is None:
                    return tensor(bodies[type(data)](data), None)
                if recording() is True:
                    ans = bodies[type(data)](data)
                    if ans.dtype is not data.dtype:
                        return record(op, (x,), (data,), {}, ans, first.level)
                    # Written out: `Node(...)` and `tensor(...)` would take a tenth of the time of a small operation.
                    node = new_node()
                    node.number = next_number()
                    node.variant = variant
                    node.saved = NOTHING if keep is None else keep(data, ans)
                    node.first = first
                    node.second = None
                    node.level = first.level
                    out = new_tensor()
                    out._array = ans
                    out._node = node
                    out._views = None
                    return out
        except Exception:
            pass  # it is run again below, and explains what went wrong
        return other(x)

    return call


def binary(op: Op, operator: bool) -> Call:
    """Two arrays or Python scalars, no parameters."""
    tensor = classes.plain
    new_tensor, new_node = partial(object.__new__, tensor), partial(object.__new__, Node)
    bodies = op.bodies
    both, left, right = [plan(op, needs) for needs in ((0, 1), (0,), (1,))]
    twice = op.repeated_variant(), both[1]
    fitted = Fitted(op)
    # Only elementwise operations broadcast: the rules of the others know their shapes.
    any_shape = op.tier != "elementwise"
    other = beyond(op, operator)

    def call(x1: Any, x2: Any, /) -> Any:
        try:
            if recording() is True:
                same_shape = any_shape
                if type(x1) is tensor:
                    data1 = x1._array
                    node1 = x1._node
                    kind = type(data1)
                    if type(x2) is tensor:
                        data2 = x2._array
                        node2 = x2._node
                        if type(data2) is not kind:
                            return other(x1, x2)
                        if node1 is not None and node2 is not None and node1.level is not node2.level:
                            return other(x1, x2)
                    elif type(x2) is kind:
                        data2 = x2
                        node2 = None
                    elif type(x2) is float or type(x2) is int:
                        data2 = x2
                        node2 = None
                        same_shape = True
                    else:
                        return other(x1, x2)
                elif type(x2) is tensor:
                    data1 = x1
                    node1 = None
                    data2 = x2._array
                    node2 = x2._node
                    kind = type(data2)
                    if type(x1) is float or type(x1) is int:
                        same_shape = True
                    elif type(x1) is not kind:
                        return other(x1, x2)
                else:
                    return other(x1, x2)
                ans = bodies[kind](data1, data2)
                second = None
                if node2 is None:
                    if node1 is None:
                        return tensor(ans, None)
                    first = node1
                    if ans.dtype is not data1.dtype:
                        return record(op, (x1, x2), (data1, data2), {}, ans, first.level)
                    variant, keep = left if same_shape or ans.shape == data1.shape else fitted.left
                elif node1 is None:
                    first = node2
                    if ans.dtype is not data2.dtype:
                        return record(op, (x1, x2), (data1, data2), {}, ans, first.level)
                    variant, keep = right if same_shape or ans.shape == data2.shape else fitted.right
                else:
                    first = node1
                    second = node2
                    if data1.dtype is not data2.dtype:
                        return record(op, (x1, x2), (data1, data2), {}, ans, first.level)
                    if x1 is x2:
                        variant, keep = twice
                    elif same_shape or data1.shape == data2.shape:
                        variant, keep = both
                    elif ans.shape == data1.shape:
                        variant, keep = fitted.both_right
                    elif ans.shape == data2.shape:
                        variant, keep = fitted.both_left
                    else:
                        variant, keep = fitted.both
                # Written out: `Node(...)` and `tensor(...)` would take a tenth of the time of a small operation.
                node = new_node()
                node.number = next_number()
                node.variant = variant
                node.saved = NOTHING if keep is None else keep(data1, data2, ans)
                node.first = first
                node.second = second
                node.level = first.level
                out = new_tensor()
                out._array = ans
                out._node = node
                out._views = None
                return out
        except Exception:
            pass  # it is run again below, and explains what went wrong
        return other(x1, x2)

    return call


def beyond(op: Op, operator: bool = False) -> Call:
    """An operation of one or two arrays that are not plain tensors."""
    path = op.path
    if path is None:
        return lambda *operands: apply(op, operands, {}, operator)

    def of_one(x: Any) -> Any:
        out = path(x, {})
        return apply(op, (x,), {}, operator) if out is None else out

    def of_two(x1: Any, x2: Any) -> Any:
        out = path(x1, x2, {})
        return apply(op, (x1, x2), {}, operator) if out is None else out

    return of_one if len(op.arrays) == 1 else of_two


def direct(op: Op) -> Call | None:
    """An operator's function for wrappers that are no plain tensors; None where there is none of its own."""
    return beyond(op, True) if op.path is not None and len(op.arrays) == 2 and not op.statics else None


def plan(op: Op, needs: tuple[int, ...], fit: tuple[int, ...] = ()) -> tuple[Variant, Keeper | None]:
    """How a call is taken back, and the function ``(*arrays, ans)`` to what it saves."""
    variant = op.variant(needs, fit)
    return variant, keeper(variant)


class Fitted:
    """The plans of an operation on two arrays of different shapes, by name; each is made when it is first needed."""

    def __init__(self, op: Op) -> None:
        self._op = op

    def __getattr__(self, name: str) -> tuple[Variant, Keeper | None]:
        if name not in _FITTED:
            raise AttributeError(name)
        found = plan(self._op, *_FITTED[name])
        setattr(self, name, found)
        return found


# Which arguments need a gradient, and which of them are fitted.
_FITTED = {
    "left": ((0,), (0,)),
    "right": ((1,), (1,)),
    "both": ((0, 1), (0, 1)),
    "both_left": ((0, 1), (0,)),
    "both_right": ((0, 1), (1,)),
}


def parametrised(op: Op) -> Call:
    """One array, and static parameters or a view of it."""
    tensor = classes.plain
    new_tensor, new_node = partial(object.__new__, tensor), partial(object.__new__, Node)
    bodies = op.bodies
    view, aliases = op.view is not None, op.aliases
    path = op.path
    plain = op.variant((0,))
    keep = keeper(plain, True)

    def call(x: Any, /, *args: Any, **params: Any) -> Any:
        if args:
            params = op.bind(args, params)
        if type(x) is not tensor:
            out = None if path is None else path(x, params)
            if out is None:
                return apply(op, (x,), params)
            if view:
                attach(out, x, op, params)
            return out
        try:
            data = x._array
            first = x._node
            body = bodies[type(data)]
            if first is not None:
                if recording() is not True:
                    return apply(op, (x,), params)
                ans = body(data, **params) if params else body(data)
                if params and isinstance(ans, Array):
                    return apply(op, (x,), params)  # a parameter belongs to a transformation
                if ans.dtype is data.dtype:
                    variant = plain
                    saved = NOTHING if keep is None else keep(data, params, ans)
                elif ans.dtype in spaces[type(ans)].floats:
                    variant = plain if op.changes_backend else op.variant((0,), (0,))
                    saved = saver(variant)((data,), params, ans)
                else:
                    return apply(op, (x,), params)
                # Written out: `Node(...)` and `tensor(...)` would take a tenth of the time of a small operation.
                node = new_node()
                node.number = next_number()
                node.variant = variant
                node.saved = saved
                node.first = first
                node.second = None
                node.level = first.level
            else:
                ans = body(data, **params) if params else body(data)
                node = None
                ans.dtype  # noqa: B018 - what a mistaken body returns, which is no array, goes the slow way
                if params and isinstance(ans, Array):
                    return apply(op, (x,), params)
            out = new_tensor()
            out._array = ans
            out._node = node
            out._views = None
        except Exception:
            pass  # it is run again below, and explains what went wrong
        else:
            if view and (aliases is None or aliases(**params)):
                alias(out, x, op, params)
            return out
        return apply(op, (x,), params)

    return call


def indexed(op: Op) -> Callable[[Any, Any], Any]:
    """Indexing as an operator: by integers, slices and new axes, which makes a view, without a look at each of them."""
    tensor = classes.plain
    new_tensor, new_node = partial(object.__new__, tensor), partial(object.__new__, Node)
    bodies = op.bodies
    variant = op.variant((0,))
    keep = keeper(variant, True)
    assert keep is not None

    def getitem(x: Any, key: Any) -> Any:
        kind = type(key)
        if type(x) is tensor and (kind in BASIC or (kind is tuple and BASIC.issuperset(map(type, key)))):
            try:
                data = x._array
                first = x._node
                params = {"key": key}
                ans = bodies[type(data)](data, key=key)
                node = None
                if first is not None:
                    if recording() is not True or ans.dtype is not data.dtype:
                        return op.call(x, key=key)
                    node = new_node()
                    node.number = next_number()
                    node.variant = variant
                    node.saved = keep(data, params, ans)
                    node.first = first
                    node.second = None
                    node.level = first.level
                out = new_tensor()
                out._array = ans
                out._node = node
                out._views = None
            except Exception:
                pass  # it is run again below, and explains what went wrong
            else:
                alias(out, x, op, params)
                return out
        return op.call(x, key=plain_key(x, key))

    return getitem


def several(op: Op, operator: bool) -> Call:
    """Several arrays and static parameters."""
    bodies = op.bodies
    count = len(op.arrays)

    def call(*args: Any, **params: Any) -> Any:
        if len(args) != count:
            if len(args) < count:
                msg = f"{op.name}{op.signature} needs {count} arrays, got {len(args)}"
                raise TypeError(msg)
            params = op.bind(args[count:], params)
            args = args[:count]
        opened = plainly(args)
        if opened is not None:
            kind, data = opened
            try:
                return record_plain(op, args, data, params, bodies[kind](*data, **params))
            except Exception:
                pass  # it is run again below, and explains what went wrong
        return apply(op, args, params, operator)

    return call


def plainly(operands: Sequence[Any]) -> tuple[type, list[Any]] | None:
    """The type and the values of arrays of one backend, of which at least one is recorded, all at one level.

    None where there are others than plain tensors, raw arrays and Python numbers, or where nothing is recorded.
    """
    if recording() is not True:
        return None
    tensor = classes.plain
    kind: Any = None
    level = None
    data = []
    for x in operands:
        if type(x) is tensor:
            node = x._node
            x = x._array
            if node is not None:
                if level is None:
                    level = node.level
                elif level is not node.level:
                    return None
        elif type(x) is float or type(x) is int:
            data.append(x)
            continue
        if kind is None:
            kind = type(x)
        elif type(x) is not kind:
            return None
        data.append(x)
    return None if level is None else (kind, data)


def unhurried(op: Op, operator: bool) -> Call:
    """Sequences of arrays, operations with several outputs and those that record nothing: through `apply`."""
    if op.variadic:
        return variadic(op)
    count = len(op.arrays)

    def call_n(*args: Any, **params: Any) -> Any:
        if len(args) < count:
            msg = f"{op.name}{op.signature} needs {count} arrays, got {len(args)}"
            raise TypeError(msg)
        return apply(op, args[:count], op.bind(args[count:], params), operator)

    return call_n


def variadic(op: Op) -> Call:
    """A sequence of arrays."""
    bodies = op.bodies
    plain = op.connected and op.outputs == 1 and op.batch_statics is None

    def call(arrays: Sequence[Any], /, *args: Any, **params: Any) -> Any:
        operands = tuple(arrays)
        if args:
            params = op.bind(args, params)
        opened = plainly(operands) if plain else None
        if opened is not None:
            kind, data = opened
            try:
                return record_plain(op, operands, data, params, bodies[kind](data, **params))
            except Exception:
                pass  # it is run again below, and explains what went wrong
        return apply(op, operands, params)

    return call


def composite(op: Op) -> Call:
    """A function of other operations, run on the namespace of its arrays: all of them wrappers, or none of them."""
    body = op.body
    assert body is not None

    def call(*args: Any, **params: Any) -> Any:
        if op.starred:
            args = together(args)
        arrays = args[0] if op.variadic and not op.starred else args
        for x in (*arrays, *params.values()) if params else arrays:
            if isinstance(x, Array):
                if len(args) + len(params) > 1:
                    args = tuple(map(_constant, args))
                    params = {name: _constant(y) for name, y in params.items()}
                return body(settled(x).__array_namespace__(), *args, **params)
        for x in arrays:
            space = spaces.known(type(x)) if type(x) not in SCALARS else None
            if space is not None:
                with nullcontext() if space.guard is None else space.guard(x):
                    return body(space, *args, **params)
        return body(spaces[type(default_array(0.0))], *args, **params)

    return call


def _constant(x: Any) -> Any:
    """A raw array as a tensor that is constant; anything else as it is."""
    return x if type(x) in SCALARS or isinstance(x, Array) or spaces.known(type(x)) is None else wrap(x, None)
