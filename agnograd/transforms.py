"""Transformations of functions: functions in, functions out, over trees of plain arrays or tensors.

A transformation opens a level, wraps its inputs at it, runs the function and reads the result off the wrappers. Plain
arrays give plain arrays; the result is a tensor if an input was one, or if the user's own graph hangs on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from agnograd.core import apply as _apply
from agnograd.core.array import Array, innermost
from agnograd.core.forward import Dual, primal_and_tangent
from agnograd.core.level import Level, new_level
from agnograd.core.reverse import Node, Reverse, backward, describe, new_leaf, raw_space, wrap
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.errors import CotangentError, NonScalarError, NotDifferentiableError


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a real scalar.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; a sequence gives a tuple of gradients.
    has_aux : bool
        Whether `f` returns ``(value, aux)``; the gradient function then returns ``(gradient, aux)``.

    Returns
    -------
    callable
        Takes what `f` takes. A gradient has the shape, dtype and device of its argument; for complex arguments it is
        the conjugate Wirtinger derivative, the direction of steepest ascent.

    Raises
    ------
    NonScalarError
        If the value is no real scalar.
    NotDifferentiableError
        If an argument is integer or boolean.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.grad(lambda x: (x**3).sum())(ag.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    both = value_and_grad(f, argnums, has_aux=has_aux, _name="grad")

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, out = both(*args, **kwargs)
        return (out, value[1]) if has_aux else out

    return gradient


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    _name: str = "value_and_grad",
) -> Callable[..., Any]:
    """The value of a scalar function together with its gradient.

    Parameters and errors are those of `grad`; the result is ``(value, gradient)``, with `has_aux`
    ``((value, aux), gradient)``.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.value_and_grad(lambda x: x * x)(ag.tensor(3.0))
    (tensor(9.), tensor(6.))
    """
    _check_callable(f, _name)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        chosen = [_argument(args, n) for n in numbers]
        with new_level(_name) as level:
            inputs = _Inputs(chosen, level, [n % len(args) for n in numbers])
            replaced = list(args)
            for n, tree in zip(numbers, inputs.lifted, strict=True):
                replaced[n] = tree
            out = f(*replaced, **kwargs)
            aux = None
            if has_aux:
                out, aux = _pair(out)
                aux = optree.tree_map(lambda x: _lower(x, level), aux)
            value, node = _value_and_node(out, level)
            _check_scalar(value)
            gradients = inputs.pull_back([(node, _one(value))] if node is not None else [], release=True)
        value = inputs.result(value)
        trees = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        return ((value, aux) if has_aux else value), trees

    return both


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of a function, and the function that takes a cotangent of it back to its arguments.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    *primals
        Its arguments.

    Returns
    -------
    value : tree
        ``f(*primals)``.
    pullback : callable
        Takes a cotangent with the structure of `value` and returns a tuple of cotangents, one for each argument, None
        for an array of integers or booleans. It may be called any number of times.

    Examples
    --------
    >>> import agnograd as ag
    >>> value, pullback = ag.vjp(lambda x: x * x, ag.tensor([1.0, 2.0]))
    >>> pullback(ag.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    _check_callable(f, "vjp")
    with new_level("vjp") as level:
        inputs = _Inputs(primals, level, range(len(primals)), constants=True)
        out = f(*inputs.lifted)
        leaves, structure = optree.tree_flatten(out)
        split = [_value_and_node(x, level) for x in leaves]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given, other = optree.tree_flatten(cotangent)
        if other != structure:
            msg = f"the cotangent has structure {other}, the value {structure}: they must be the same"
            raise CotangentError(msg)
        roots = []
        for g, (value, node) in zip(given, split, strict=True):
            g = _fitting(g, value, "cotangent")
            if node is not None:
                roots.append((node, g))
        return tuple(inputs.pull_back(roots, release=False, extra=given))

    return optree.tree_unflatten(structure, [inputs.result(v) for v, _ in split]), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of a function and its derivative along a direction, in one forward pass.

    Parameters
    ----------
    f : callable
        Function of arrays, or trees of arrays, to a tree of arrays.
    primals, tangents : tuple or list
        Arguments and their directions, of the same structure, shapes and dtypes. The direction of an argument that
        does not change is None; that of an array of integers or booleans must be.

    Returns
    -------
    value, tangent : tree

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.jvp(lambda x: x * x, (ag.tensor(3.0),), (ag.tensor(1.0),))
    (tensor(9.), tensor(6.))
    """
    _check_callable(f, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        msg = (
            f"primals and tangents of jvp must be tuples or lists, one item for each argument; got "
            f"{type(primals).__name__} and {type(tangents).__name__}"
        )
        raise TypeError(msg)
    values, structure = _flatten(tuple(primals))
    directions, other = _flatten(tuple(tangents))
    if structure != other:
        shown = [str(s).replace(", NoneIsLeaf", "") for s in (structure, other)]
        msg = f"primals have structure {shown[0]}, tangents {shown[1]}: they must be the same"
        raise CotangentError(msg)
    tensors = any(isinstance(x, Array) for x in (*values, *directions))
    with new_level("jvp") as level:
        duals = []
        for k, (x, t) in enumerate(zip(values, directions, strict=True)):
            if t is None:
                duals.append(x)
                continue
            x = _checked(x, level.name, primals, k)
            duals.append(Dual(x, _fitting(t, x, "tangent"), level))
        out = f(*optree.tree_unflatten(structure, duals))
        leaves, shape = optree.tree_flatten(out)
        pairs = [primal_and_tangent(settled(x), level) for x in leaves]
        pairs = [(x, _zeros(x) if t is None else t) for x, t in pairs]
    finish = functools.partial(_finished, tensors=tensors)
    return (
        optree.tree_unflatten(shape, [finish(x) for x, _ in pairs]),
        optree.tree_unflatten(shape, [finish(t) for _, t in pairs]),
    )


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian-vector product of a scalar function of one argument, forward over reverse.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.hvp(lambda x: (x**3).sum(), (ag.tensor([1.0, 2.0]),), (ag.tensor([1.0, 1.0]),))
    tensor([ 6., 12.])
    """
    return jvp(grad(f), primals, tangents)[1]


def stop_gradient(x: Any) -> Any:
    """The same values, constant to every transformation and graph; takes a tree.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.grad(lambda x: x * ag.stop_gradient(x))(ag.tensor(3.0))
    tensor(3.)
    """
    return optree.tree_map(lambda leaf: wrap(innermost(settled(leaf)), None) if isinstance(leaf, Array) else leaf, x)


# -- inputs and results ----------------------------------------------------------------------------------------------


class _Inputs:
    """Arguments lifted to a level, and the way from cotangents back to their trees."""

    def __init__(
        self, trees: Sequence[Any], level: Level, positions: Iterable[int], *, constants: bool = False
    ) -> None:
        self.structures = []
        self.nodes: list[list[Node | None]] = []
        self.primals: list[list[Any]] = []
        self.lifted = []
        self.tensors = False
        for n, tree in zip(positions, trees, strict=True):
            leaves, structure = optree.tree_flatten(tree)
            self.tensors = self.tensors or any(isinstance(x, Array) for x in leaves)
            fixed = [constants and _is_constant(x) for x in leaves]
            primals = [
                x if c else _checked(x, level.name, {n: tree}, k)
                for k, (x, c) in enumerate(zip(leaves, fixed, strict=True))
            ]
            lifted = [x if c else _lift(x, level) for x, c in zip(primals, fixed, strict=True)]
            self.structures.append(structure)
            self.primals.append(primals)
            self.nodes.append([None if c else x._node for x, c in zip(lifted, fixed, strict=True)])
            self.lifted.append(optree.tree_unflatten(structure, lifted))

    def result(self, x: Any) -> Any:
        return _finished(x, tensors=self.tensors)

    def pull_back(self, roots: list[tuple[Node, Any]], *, release: bool, extra: Sequence[Any] = ()) -> list[Any]:
        found = backward(roots, release=release) if roots else {}
        tensors = self.tensors or any(isinstance(x, Array) for x in extra)
        return [
            optree.tree_unflatten(
                structure,
                [
                    None if node is None else _finished(found[node] if node in found else _zeros(x), tensors=tensors)
                    for node, x in zip(nodes, primals, strict=True)
                ],
            )
            for structure, nodes, primals in zip(self.structures, self.nodes, self.primals, strict=True)
        ]


def _is_constant(x: Any) -> bool:
    """Whether `x` is an array of integers or booleans."""
    x = settled(x)
    space = raw_space(x) if isinstance(x, Array) else spaces.known(type(x)) if hasattr(x, "dtype") else None
    return space is not None and x.dtype not in space.floats


def _flatten(tree: Any) -> tuple[list[Any], Any]:
    # None stands for the direction of an argument that does not change.
    return optree.tree_flatten(tree, none_is_leaf=True)


def _lift(x: Any, level: Level) -> Reverse:
    tensor: Reverse = wrap(x, _PENDING)
    tensor._node = new_leaf(tensor, level)
    return tensor


# `wrap` opens constants; a tensor that is about to get its node is none.
_PENDING: Any = object()


def _checked(x: Any, name: str, arguments: Any, k: int) -> Any:
    """An argument as the level sees it: constants as raw as they can be.

    Parameters
    ----------
    x : array or number
    name : str
        The transformation, for messages.
    arguments : tree
        The arguments, of which `x` is the leaf number `k`, for messages.
    k : int

    Raises
    ------
    NotDifferentiableError
        If its dtype carries no gradient.
    """
    x = settled(x)
    if isinstance(x, (int, float, complex)) and not isinstance(x, bool):
        x = _apply.default_array(float(x) if isinstance(x, int) else x)
    if isinstance(x, Array):
        x = x._array if x.level is None else x
    elif spaces.known(type(x)) is None:
        msg = (
            f"{name} differentiates with respect to arrays, got {_place(arguments, k)} of type {type(x).__name__}. "
            f"Bind it with functools.partial, or leave it out of argnums."
        )
        raise NotDifferentiableError(msg)
    space = raw_space(x)
    if x.dtype not in space.floats:
        msg = (
            f"{name} requires real- or complex-valued inputs, got {_place(arguments, k)} ({describe(x)}). Convert it "
            f"to a floating dtype, or leave it out of what is differentiated (argnums, or functools.partial)."
        )
        raise NotDifferentiableError(msg)
    return x


def _place(arguments: Any, k: int) -> str:
    """The leaf number `k` of the arguments, as a user writes it: ``argument 0['weights'][1]``."""
    first, *rest = optree.tree_paths(arguments)[k]
    return f"argument {first}{''.join(f'[{key!r}]' for key in rest)}"


def _value_and_node(x: Any, level: Level) -> tuple[Any, Node | None]:
    x = settled(x)
    if isinstance(x, (int, float, complex)):
        x = _apply.default_array(x)
    if isinstance(x, Reverse):
        if x.level is level:
            return x._array, x._node
        if x.level is None:
            return x._array, None
    return x, None


def _lower(x: Any, level: Level) -> Any:
    x = settled(x)
    return _finished(x._array, tensors=True) if isinstance(x, Reverse) and x.level is level else x


def _finished(x: Any, *, tensors: bool) -> Any:
    """A result for the caller: wrappers as they are, raw values as tensors or as the backend's arrays."""
    if isinstance(x, Array):
        return x
    return wrap(x, None) if tensors else _exposed(x)


def _exposed(x: Any) -> Any:
    # 0-d results may be scalars of the backend inside; users get arrays.
    return raw_space(x).asarray(x)


def _one(value: Any) -> Any:
    return OPS["ones_like"].call(value) if isinstance(value, Array) else raw_space(value).ones_like(value)


def _zeros(x: Any) -> Any:
    if isinstance(x, Array):
        return OPS["zeros_like"].call(x)
    return raw_space(x).zeros_like(x)


def _check_scalar(value: Any) -> None:
    if not isinstance(value, Array) and spaces.known(type(value)) is None:
        msg = (
            f"gradient only defined for functions that return one real scalar; this one returned an object of type "
            f"{type(value).__name__}. Return the scalar, or use has_aux=True for extra results."
        )
        raise NonScalarError(msg)
    space = raw_space(value)
    if tuple(value.shape) != ():
        msg = (
            f"gradient only defined for scalar-output functions; the output has {describe(value)}. Reduce it, or use "
            f"agnograd.vjp or agnograd.jvp."
        )
        raise NonScalarError(msg)
    if value.dtype not in space.reals:
        msg = f"grad requires a real floating-point output, got {describe(value)}. Take its real part or its abs."
        raise NonScalarError(msg)


def _fitting(g: Any, value: Any, what: str) -> Any:
    g = settled(g)
    if isinstance(g, (int, float, complex)):
        g = raw_space(value).full_like(innermost(value), g)
    if isinstance(g, Array) and g.level is None:
        g = g._array
    if not isinstance(g, Array) and spaces.known(type(g)) is None:
        msg = f"the {what} must be an array like the value ({describe(value)}), got one of type {type(g).__name__}"
        raise CotangentError(msg)
    if describe(g) != describe(value):
        msg = (
            f"the {what} has {describe(g)}, the value {describe(value)}: shape, dtype, backend and device must be the "
            f"same. Convert it with astype, agnograd.to_backend or to_device."
        )
        raise CotangentError(msg)
    return g


def _argument(args: Sequence[Any], n: Any) -> Any:
    if not isinstance(n, int):
        msg = f"argnums takes the positions of arguments, whole numbers, got {type(n).__name__}"
        raise TypeError(msg)
    if not -len(args) <= n < len(args):
        msg = f"argnums={n} requires at least {n + 1 if n >= 0 else -n} positional arguments, got {len(args)}"
        raise TypeError(msg)
    return args[n]


def _pair(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        msg = f"with has_aux=True the function must return a pair (value, aux), got {type(out).__name__}"
        raise TypeError(msg)
    return out


def _check_callable(f: Any, name: str) -> None:
    if not callable(f):
        hint = " PyTorch's grad(outputs, inputs) is agnograd.autograd.grad." if "grad" in name else ""
        msg = f"agnograd.{name} takes a function, got {type(f).__name__}.{hint}"
        raise TypeError(msg)
