"""Operations of users with a derivative of their own, as PyTorch's ``torch.autograd.Function``.

A call runs at the highest level among its arguments, as an operation of the table does: the forward pass sees what that
level holds, and a node with the class's ``backward`` (a dual with its ``jvp``) is put around what comes out. Under
several levels this happens once for each, with a context of its own, so that derivatives of derivatives are right.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from agnograd.core import nodes, reverse, walk
from agnograd.core.apply import carrier, highest
from agnograd.core.array import Array, is_wrapper
from agnograd.core.batch import Batched
from agnograd.core.custom import (
    INTERMEDIATE,
    LOST,
    TWICE,
    Call,
    active,
    barred,
    described,
    fitting,
    is_array,
    kind_of,
    place_among,
    same,
    spec_of,
    value_of,
    zeros,
)
from agnograd.core.facts import carries, describe
from agnograd.core.forward import Dual
from agnograd.core.level import Level, records
from agnograd.core.nodes import FREED, NOTHING, Node, Reverse, projection, reattached, shown, wrap
from agnograd.core.saved import packed
from agnograd.core.table import OPS
from agnograd.core.views import settled, writes
from agnograd.errors import FunctionError, MissingRuleError
from agnograd.grad_mode import no_grad

WRITTEN = (
    "Compute a new value and return it; to give it to an array that exists, write y[...] = Function.apply(y) after the "
    "call."
)


class FunctionCtx:
    """What one call of a `Function` passes from its forward to its backward pass; any attribute may be set on it.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        For each argument of `Function.apply` whether a gradient is wanted: none is under `no_grad`.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] = ()
    _saved_for_forward: tuple[Any, ...] = ()
    _without_gradient: tuple[Any, ...] = ()
    _materialize = True
    # Whether the forward pass ran on the arguments that it belongs to.
    _complete = True
    # The node of the graph that keeps what was saved, once there is one.
    _node: Callable[[], Node | None] | None = None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for the backward pass, as `saved_tensors`; they are freed with the graph.

        Raises
        ------
        FunctionError
            If something else is given: that may be kept as an attribute.
        """
        for i, x in enumerate(tensors):
            if x is not None and not is_array(x):
                msg = (
                    f"save_for_backward can only save tensors, but argument {i} is of type {type(x).__name__}. Keep it "
                    f"as an attribute of ctx."
                )
                raise FunctionError(msg)
        self._saved = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `Function.jvp`."""
        self._saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved; in a pass that is recorded with its place in the graph, so that it is differentiated again.

        Raises
        ------
        GraphFreedError
            If an earlier pass has freed it.
        """
        running = active.get()
        if running is not None and running[0] is self:
            return tuple(running[1])
        if self._node is None:
            return self._saved_for_forward or self._saved
        node = self._node()
        return tuple(map(shown, reattached(node) if node is not None else FREED))

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Say that these outputs carry no gradient."""
        self._without_gradient = outputs

    def mark_dirty(self, *arguments: Any) -> None:
        """Refuse: `Function.forward` computes new values, and writes to no argument that carries a gradient.

        Raises
        ------
        FunctionError
            Always.
        """
        msg = f"mark_dirty: forward cannot write to its arguments in place. {WRITTEN}"
        raise FunctionError(msg)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros for outputs that nothing depends on (the default), or None.

        The same holds for `Function.jvp` and arguments that depend on nothing.
        """
        self._materialize = value


class Function:
    """An operation with a derivative of its own: subclass it, define the static methods, and call ``apply``.

    ``forward(ctx, *args)`` computes; or ``forward(*args)`` computes and ``setup_context(ctx, inputs, output)`` keeps
    what is needed. ``backward(ctx, *grad_outputs)`` returns a gradient for each argument, None where there is none.
    ``jvp(ctx, *tangents)`` returns the tangents of the outputs. In `forward` nothing is recorded; `backward` is
    recorded where the pass is, so that it can be differentiated again.

    What differs from PyTorch:

    - A gradient of another shape, kind of number, backend or device than its argument's is an error; PyTorch sums one
      silently whose shape can be reduced to the argument's.
    - `forward` is given constants: to differentiate in it, start from ``x.detach().requires_grad_()``. It must not
      write to an argument that carries a gradient: ``mark_dirty`` raises.
    - A second derivative that depends on a saved intermediate raises, where PyTorch's may silently be zero.

    Examples
    --------
    >>> import agnograd as ag
    >>> class Cube(ag.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved_tensors
    ...         return grad_output * 3 * x * x
    >>> x = ag.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        msg = f"{type(self).__name__} is not instantiated: define static methods, and call {type(self).__name__}.apply"
        raise FunctionError(msg)

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs."""
        msg = "you must implement the forward function for a custom autograd.Function"
        raise MissingRuleError(msg)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the derivatives need, where `forward` takes no context."""
        msg = "setup_context is not implemented"
        raise MissingRuleError(msg)

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments from those of the outputs."""
        msg = (
            "you must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward"
        )
        raise MissingRuleError(msg)

    @staticmethod
    def jvp(ctx: FunctionCtx, *tangents: Any) -> Any:
        """Compute the tangents of the outputs, None where there is none, from those of the arguments.

        Arguments that are no arrays of floating point have None; others that are constant have zeros, or None after
        ``ctx.set_materialize_grads(False)``.
        """
        msg = "you must implement the jvp function for a custom autograd.Function to use it in forward mode"
        raise MissingRuleError(msg)

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the operation.

        Raises
        ------
        FunctionError
            If gradients, saved values or outputs are not what they must be.
        MissingRuleError
            If a method is needed that the class does not define.
        """
        if "vjp" in vars(cls) and "backward" in vars(cls):
            msg = f"{cls.__name__} implements both backward and vjp: they are two names of the same"
            raise FunctionError(msg)
        args = _positional(cls, args, kwargs)
        reverse.any_hooks = True
        args = tuple([settled(x) if isinstance(x, Array) else x for x in args])
        outputs, _ = _run(cls, args, tuple([_needs(x) for x in args]))
        if isinstance(outputs, tuple):
            return tuple([_fresh(y, args) for y in outputs])
        return _fresh(outputs, args)


def _positional(cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of a call in order: each has a gradient in what backward returns.

    Defaults count, too, where the class has a `setup_context`, which is given them. Otherwise those to the right of
    what was given do not, as in PyTorch.
    """
    splits = _splits(cls)
    # As most calls are: to ask for the signature would take longer than a small operation.
    if not kwargs and (not splits or len(args) == getattr(getattr(cls.forward, "__code__", None), "co_argcount", None)):
        return args
    lead = () if splits else (None,)
    signature = inspect.signature(cls.forward)
    bound = signature.bind(*lead, *args, **kwargs)
    bound.apply_defaults()
    names = [name for name, p in signature.parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD][len(lead) :]
    for name in kwargs:
        if name not in names:
            msg = f"{cls.__name__}.apply: the argument {name!r} of forward is keyword-only: make it a positional one"
            raise TypeError(msg)
    values = bound.args[len(lead) :]
    return values if splits else values[: max([len(args), *(names.index(name) + 1 for name in kwargs)])]


def _fresh(y: Any, args: tuple[Any, ...]) -> Any:
    """An output that is an argument, which nothing was recorded for, as an object of its own that shares the value."""
    return OPS["reshape"].call(y, tuple(y.shape)) if isinstance(y, Array) and any(y is x for x in args) else y


def _splits(cls: type[Function]) -> bool:
    """Whether the class keeps its context apart from its forward pass."""
    return cls.setup_context is not Function.setup_context


def _needs(x: Any) -> bool:
    """Whether a gradient or tangent with respect to an argument is wanted at any level."""
    while isinstance(x, Array):
        if isinstance(x, Dual) or (isinstance(x, Reverse) and x.level is not None and records(x.level)):
            return True
        x = settled(x)._array
    return False


def _run(cls: type[Function], args: tuple[Any, ...], needs: tuple[bool, ...]) -> tuple[Any, FunctionCtx]:
    """The outputs, and the context in which they were computed."""
    level = highest(args)
    lower = tuple([_lowered(x, level) for x in args])
    if level is None:
        return _forward(cls, args, needs)
    if isinstance(carrier(args, level), Reverse) and not records(level):
        return _run_below(cls, args, lower, needs)
    level.check_open()
    if isinstance(carrier(args, level), Batched):
        return _run_batched(cls, args, lower, needs, level)
    outputs, ctx = _run_below(cls, args, lower, needs)
    several = isinstance(outputs, tuple)
    items = outputs if several else (outputs,)
    ctx = _context(cls, ctx, args, level, lower, outputs)
    if any(x is LOST for x in (*ctx._saved, *ctx._saved_for_forward)):
        raise FunctionError(INTERMEDIATE)
    in_forward_mode = isinstance(carrier(args, level), Dual)
    wrapped = (_dual if in_forward_mode else _record)(cls, ctx, args, lower, items, level)
    node = next(x._node for x in args if isinstance(x, Reverse) and x.level is level) if not in_forward_mode else None
    return (tuple(wrapped) if several else wrapped[0]), _lifted(ctx, (*lower, *items), (*args, *wrapped), node)


def _run_below(
    cls: type[Function], args: tuple[Any, ...], lower: tuple[Any, ...], needs: tuple[bool, ...]
) -> tuple[Any, FunctionCtx]:
    """The same on what a level holds, which is not to be written to: the arguments themselves would not change."""
    before = list(map(writes, lower))
    found = _run(cls, lower, needs)
    for i, (x, y, count) in enumerate(zip(args, lower, before, strict=True)):
        if y is not x and writes(y) != count:
            msg = f"{cls.__name__}.forward wrote to argument {i} in place ({describe(y)}). {WRITTEN}"
            raise FunctionError(msg)
    return found


def _run_batched(
    cls: type[Function], args: tuple[Any, ...], lower: tuple[Any, ...], needs: tuple[bool, ...], level: Level
) -> tuple[Any, FunctionCtx]:
    """The same for a batch: by the class's own rule, or its forward pass on all members at once."""
    from agnograd.vectorised_function import run_own, run_vectorised

    own = hasattr(cls, "vmap")
    if not own and not any(map(_needs, lower)):
        return _forward(cls, args, needs)
    outputs = (run_own if own else run_vectorised)(cls, args, level)
    ctx = FunctionCtx()
    ctx.needs_input_grad = needs
    # Without setup_context only the forward pass, which did not run on these arguments, could tell what to keep.
    ctx._complete = _splits(cls)
    return outputs, ctx


def _lifted(ctx: FunctionCtx, below: Sequence[Any], here: Sequence[Any], node: Node | None) -> FunctionCtx:
    """The context for the level above: arguments and outputs as this level has them, what else was saved barred."""

    def lift(x: Any, saved: bool) -> Any:
        place = None if x is None else place_among(x, below)
        if place is not None:
            return here[place]
        if not saved or x is None or not carries(x):
            return x
        return LOST if node is None else barred(x, node)

    new = copy(ctx)
    for name, value in vars(ctx).items():
        if name in ("_saved", "_saved_for_forward"):
            setattr(new, name, tuple([lift(x, saved=True) for x in value]))
        elif is_array(value):
            setattr(new, name, lift(value, saved=False))
    return new


def _lowered(x: Any, level: Level | None) -> Any:
    if isinstance(x, Array) and level is not None and x.level is level:
        return shown(x._array)
    return x


def _forward(cls: type[Function], args: tuple[Any, ...], needs: tuple[bool, ...]) -> tuple[Any, FunctionCtx]:
    ctx = FunctionCtx()
    ctx.needs_input_grad = needs
    with no_grad():
        outputs = cls.forward(*args) if _splits(cls) else cls.forward(ctx, *args)
    return (tuple(outputs) if isinstance(outputs, list) else outputs), ctx


def _context(
    cls: type[Function], below: FunctionCtx, args: tuple[Any, ...], level: Level, lower: tuple[Any, ...], outputs: Any
) -> FunctionCtx:
    """The context of this level."""
    if _splits(cls):
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(x, Array) and x.level is level for x in args)
        # Recorded at lower levels: what is computed here depends on the arguments there.
        cls.setup_context(ctx, lower, outputs)
        return ctx
    if not below._complete:
        msg = (
            f"{cls.__name__} is differentiated inside of vmap, which is differentiated itself, or has a rule vmap of "
            f"its own: keep what backward needs in setup_context(ctx, inputs, output), and leave ctx out of forward"
        )
        raise FunctionError(msg)
    ctx = copy(below)
    ctx.needs_input_grad = tuple(isinstance(x, Array) and x.level is level for x in args)
    return ctx


def _record(
    cls: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    lower: tuple[Any, ...],
    outputs: tuple[Any, ...],
    level: Level,
) -> list[Any]:
    needs = tuple(i for i, x in enumerate(args) if isinstance(x, Array) and x.level is level)
    specs = [spec_of(x) for x in args]
    whole, ctx = ctx, copy(ctx)
    ctx._saved = ctx._saved_for_forward = ctx._without_gradient = ()
    parents = [args[i]._node for i in needs]
    call = Call(cls, ctx, specs, needs, tuple(described(y) for y in outputs), parents)
    saved = [None if x is None else value_of(settled(x) if isinstance(x, Array) else x) for x in whole._saved]
    call.kinds = tuple([kind_of(x, lower, outputs, needs) for x in whole._saved])
    call.unknown = tuple(
        [
            i
            for i, (x, kind) in enumerate(zip(whole._saved, call.kinds, strict=True))
            if kind is None and x is not None and carries(x) and not any(same(x, y) for y in lower)
        ]
    )
    kinds = {name: kind_of(x, lower, outputs, needs) for name, x in vars(ctx).items() if is_array(x)}
    call.attributes = {name: kind for name, kind in kinds.items() if kind is not None}
    call.names = ("ans",) * len(saved)
    if any(is_wrapper(settled(x)._array) for x in args if isinstance(x, Reverse) and x.level is level):
        level.nested = True
    second = None if len(parents) == 1 else parents[1] if len(parents) == 2 else tuple(parents[1:])
    node = Node(nodes.next_number(), call, packed(call, tuple(saved)) if saved else NOTHING, parents[0], second, level)
    ctx._node = weakref.ref(node)
    out = []
    for i, y in enumerate(outputs):
        if not is_array(y) or not carries(y) or any(same(y, z) for z in whole._without_gradient):
            out.append(y)
            continue
        out.append(wrap(value_of(y), node if len(outputs) == 1 else projection(node, i)))
    return out


def _dual(
    cls: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    lower: tuple[Any, ...],
    outputs: tuple[Any, ...],
    level: Level,
) -> list[Any]:
    tangents = [
        shown(x._tangent)
        if isinstance(x, Dual) and x.level is level
        else shown(zeros(spec_of(x)))
        if ctx._materialize
        else None
        for x in args
    ]
    found = cls.jvp(ctx, *tangents)
    ts = found if isinstance(found, tuple) else (found,)
    if len(ts) != len(outputs):
        msg = f"{cls.__name__}.jvp returned {len(ts)} tangents for {len(outputs)} outputs"
        raise FunctionError(msg)
    out = []
    for i, (y, t) in enumerate(zip(outputs, ts, strict=True)):
        if t is None or not is_array(y) or not carries(y):
            out.append(y)
            continue
        t = fitting(t, spec_of(y), f"{cls.__name__}.jvp", i)
        out.append(Dual(value_of(y), value_of(t), level))
    return out


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a ``backward`` that cannot be differentiated again: it is not recorded, and a second derivative raises."""

    def wrapper(ctx: FunctionCtx, *gradients: Any) -> Any:
        with no_grad():
            found = backward(ctx, *gradients)
        running = active.get()
        given = (*gradients, *ctx.saved_tensors)
        parents: list[Node] = [x._node for x in given if isinstance(x, Reverse) and x._node is not None]
        current = walk.current()
        if current is not None and current.create_graph and running is not None:
            parents += running[2]
        if not parents:
            return found
        # The innermost level: what the pass is part of.
        node = max(parents, key=lambda node: node.level.serial)
        items = found if isinstance(found, tuple) else (found,)
        ends = tuple([x if x is None else barred(x, node, TWICE) for x in items])
        return ends if isinstance(found, tuple) else ends[0]

    return functools.wraps(backward)(wrapper)


__all__: Sequence[str] = ["Function", "FunctionCtx", "once_differentiable"]
