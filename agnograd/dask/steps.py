"""Training on lazy arrays, step by step: no graph grows from one to the next.

`settle` is for loops that change tensors in place, `training_step` for functions from a state to the next one.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import product
from typing import Any
from uuid import uuid4

import optree

from agnograd.backends.dask_layers import stand_ins
from agnograd.core.array import Array
from agnograd.core.custom import is_array
from agnograd.core.facts import describe
from agnograd.core.nodes import wrap
from agnograd.core.views import settled
from agnograd.dask.grid import meta_of
from agnograd.dask.scheduling import Graph, blocks_of, flat, from_blocks, values_of
from agnograd.dask.values import computable, computed, dressed, finished, is_dask, raw, requires_grad
from agnograd.errors import BlocksError, GradientError
from agnograd.transforms.arguments import check_callable
from agnograd.transforms.trees import flatten, place, shown


def settle(carried: Any, *values: Any, **options: Any) -> Any:
    """Compute what a loop carries from step to step, and values with it, in one pass over the data.

    Tensors whose arrays are lazy, and their gradients, get the computed blocks in the place of the graph that made
    them: in memory, or, on ``dask.distributed``, on the workers. Without it, each step's graph contains those of all
    steps before it.

    Parameters
    ----------
    carried : tree of tensor
        Parameters, and whatever else the loop carries: momenta, averages. Tensors in memory stay, but for gradients of
        them that are lazy, which are computed into memory.
    *values : tree of array
        What is computed besides, a loss for example.
    **options
        For the scheduler of dask.

    Returns
    -------
    array, tuple or None
        The values, in memory: one by itself, several as a tuple.

    Raises
    ------
    GradientError
        If a tensor is no leaf: its graph would stay. Change parameters within ``no_grad()``.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones((4, 2), chunks=(2, 2)))
    >>> w = ag.asarray(da.zeros(2, chunks=2)).requires_grad_()
    >>> for _ in range(3):
    ...     loss = ag.sum((x @ w - 1.0) ** 2)
    ...     loss.backward()
    ...     with ag.no_grad():
    ...         w -= 0.05 * w.grad
    ...     w.grad = None
    ...     print(ag.dask.settle([w], loss.detach()))
    tensor(4.)
    tensor(0.1600)
    tensor(0.0064)
    """
    import dask

    tensors = [settled(x) for x in optree.tree_leaves(carried) if isinstance(x, Array)]
    for x in tensors:
        _check_leaf(x)
    with_gradients = [x for x in tensors if getattr(x, "_grad", None) is not None]
    leaves, structure = flatten(values)
    pending = [computable(x) for x in leaves]
    arrays = finished([*map(raw, tensors), *[raw(x._grad) for x in with_gradients], *pending])
    lazy = [k for k, x in enumerate(arrays) if is_dask(x)]
    for k, x in zip(lazy, dask.persist(*[arrays[k] for k in lazy], **options), strict=True):
        arrays[k] = x
    count = len(tensors)
    # What goes with arrays in memory comes into memory.
    near = [not is_dask(raw(x)) for x in with_gradients]
    slopes, pending = arrays[count : count + len(near)], arrays[count + len(near) :]
    wanted = [*[g for g, n in zip(slopes, near, strict=True) if n], *pending]
    in_memory = iter(values_of(wanted, options))
    for k in lazy:
        if k < count:
            tensors[k].data = wrap(arrays[k], None)
    for x, g, n in zip(with_gradients, slopes, near, strict=True):
        x._grad = computed(next(in_memory), x) if n else wrap(g, None)
    results = structure.unflatten([computed(x, like) for x, like in zip(in_memory, leaves, strict=True)])
    return None if not values else results[0] if len(values) == 1 else results


def _check_leaf(x: Any) -> None:
    if x.level is not None and not requires_grad(x):
        msg = (
            f"what steps of training carry are leaves and constants, got a tensor with a graph of its own "
            f"({describe(x)}), which would grow with each step. Change parameters within agnograd.no_grad(), or "
            f"detach() what the loop carries."
        )
        raise GradientError(msg)


def training_step(update: Callable[..., Any], *, templates: int = 32) -> Callable[..., Any]:
    """A step of training whose graph is built and optimised once, and then run with other values.

    Parameters
    ----------
    update : callable
        ``update(state, *data)`` returns ``(state, values)``: the next state, of the same structure, shapes and dtypes,
        and a tree of what is to be computed besides, a loss for example. Within, all arrays of `state` are lazy. It is
        called once for each form of its arguments: what it computes from anything but its arguments stays as it was
        then.
    templates : int
        For how many forms of arguments graphs are kept.

    Returns
    -------
    callable
        Takes what `update` takes and returns what it returns, computed: the parameters that were given in memory come
        back in memory, as arrays or tensors as they were. Lazy arrays in the state, as large as the data perhaps, come
        back with their blocks computed: in memory, or, on ``dask.distributed``, on the workers. The graph of a step
        does not grow.

    Raises
    ------
    BlocksError
        If the next state is not like the state, or if `update` computes something.

    Notes
    -----
    The form of the arguments is structure, shapes, dtypes and chunks of the state, and of arrays in memory; which lazy
    arrays the data are, by their names; and the values of all else. A number that changes with each step, the rate of
    learning for example, is better an array in the state: as a Python number it makes each step a form of its own.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> import numpy as np
    >>> def loss(w, x, y):
    ...     return ag.sum((x @ w - y) ** 2)
    >>> def update(w, x, y):
    ...     value, g = ag.dask.value_and_grad(loss)(w, x, y)
    ...     return w - 0.05 * g, value
    >>> step = ag.dask.training_step(update)
    >>> x, y = da.ones((4, 2), chunks=(2, 2)), da.ones(4, chunks=2)
    >>> w = np.zeros(2)
    >>> for _ in range(3):
    ...     w, value = step(w, x, y)
    ...     print(f"{value:.4f}")
    4.0000
    0.1600
    0.0064
    """
    check_callable(update, "dask.training_step")
    known: OrderedDict[Hashable, _Template] = OrderedDict()

    @functools.wraps(update)
    def step(state: Any, *data: Any, **options: Any) -> Any:
        form = _Form(state, data)
        template = known.pop(form.key, None)
        if template is None:
            template = _Template(update, form)
        known[form.key] = template
        while len(known) > templates:
            known.popitem(last=False)
        return template.run(form, options)

    return step


class _Form:
    """Arguments of a step: arrays whose values are filled in, and all else, which the graph depends on.

    Attributes
    ----------
    leaves : list
    structure, state : PyTreeSpec
        Of all arguments, and of the state.
    count : int
        Number of the leaves that are the state.
    open : list of int
        Which leaves are filled in.
    key : hashable
    """

    def __init__(self, state: Any, data: tuple[Any, ...]) -> None:
        self.leaves, self.structure = flatten((state, data))
        self.state = self.structure.child(0)
        self.count = self.state.num_leaves
        self.open: list[int] = []
        parts: list[Hashable] = [self.structure]
        for i, x in enumerate(self.leaves):
            if not is_array(x):
                parts.append(_constant(x))
                continue
            array = _checked(x)
            tensor = isinstance(x, Array) and (type(x).__qualname__, x.level is not None)
            if is_dask(array) and i >= self.count:
                parts.append((array.name, array.chunks, tensor))
                continue
            self.open.append(i)
            chunks = array.chunks if is_dask(array) else tuple(array.shape)
            parts.append((is_dask(array), chunks, str(array.dtype), str(type(meta_of(array))), tensor))
        self.key = tuple(parts)


def _checked(x: Any) -> Any:
    if isinstance(x, Array):
        _check_leaf(settled(x))
    return raw(x)


def _constant(x: Any) -> Hashable:
    try:
        hash(x)
    except TypeError:
        return _Identity(x)
    # 1, 1.0 and True are one key of a dictionary, and different arguments.
    return type(x), x


class _Identity:
    """An object that is told from others by its identity."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.x is other.x

    def __hash__(self) -> int:
        return id(self.x)


class _Template:
    """The optimised graph of a step, with nodes that values are put into.

    Attributes
    ----------
    places : list of (int, dask array)
        Leaves of the arguments, and what stands for them.
    made : list
        Leaves of the next state and of the values, as the function returned them.
    lazy : list of dask array or None
        Their arrays.
    """

    def __init__(self, update: Callable[..., Any], form: _Form) -> None:
        import dask.array as da
        from dask.highlevelgraph import HighLevelGraph

        leaves = list(form.leaves)
        self.places: list[tuple[int, Any]] = []
        for i in form.open:
            stand_in = _placeholder(raw(leaves[i]))
            self.places.append((i, stand_in))
            leaves[i] = dressed(stand_in, leaves[i])
        state, data = optree.tree_unflatten(form.structure, leaves)
        out = update(state, *data)
        if not isinstance(out, tuple) or len(out) != 2:
            msg = f"the function of a training_step must return (state, values), got {type(out).__name__}"
            raise TypeError(msg)
        next_state = _next_state(out[0], form)
        values, self.structure = flatten(out[1])
        self.made = [*next_state, *values]
        self.lazy: list[Any] = [x if is_dask(x) else None for x in map(raw, self.made)]
        # Lazy state stays in blocks, of the same sizes.
        self.held = [False] * len(self.made)
        for k, like in enumerate(form.leaves[: len(next_state)]):
            if is_array(like) and is_dask(raw(like)) and self.lazy[k] is not None:
                self.held[k], self.lazy[k] = True, self.lazy[k].rechunk(raw(like).chunks)
        self.lazy = finished(self.lazy)
        places = [x for _, x in self.places]
        arrays = [x for x in (*self.lazy, *places) if x is not None]
        graph = HighLevelGraph.merge(*[x.__dask_graph__() for x in arrays])
        # What stands for values is asked for, too: else it would be merged into the tasks that read it.
        optimised = da.Array.__dask_optimize__(graph, [x.__dask_keys__() for x in arrays])
        self.graph = Graph(optimised, [key for x in places for key in flat(x.__dask_keys__())])

    def run(self, form: _Form, options: dict[str, Any]) -> Any:
        """The next state and values, computed."""
        values: dict[Any, Any] = {}
        for i, stand_in in self.places:
            array = raw(form.leaves[i])
            blocks = blocks_of(array, options) if is_dask(array) else [array]
            values.update(zip(flat(stand_in.__dask_keys__()), blocks, strict=True))
        wanted = [(x.__dask_keys__(), held) for x, held in zip(self.lazy, self.held, strict=True) if x is not None]
        found = iter(self.graph.run(values, wanted, options))
        out = []
        for k, (made, x, held) in enumerate(zip(self.made, self.lazy, self.held, strict=True)):
            if x is None:
                out.append(made)
                continue
            blocks = next(found)
            if held:
                value = from_blocks(flat(blocks), x)
            else:
                finish, extra = x.__dask_postcompute__()
                value = computed(finish(blocks, *extra), None)
            out.append(dressed(value, form.leaves[k] if k < form.count else made))
        return form.state.unflatten(out[: form.count]), self.structure.unflatten(out[form.count :])


def _next_state(state: Any, form: _Form) -> list[Any]:
    """The leaves of the state that a function returned, after checks."""
    leaves, structure = flatten(state)
    if structure != form.state:
        msg = (
            f"the state that a training_step returns must have the structure of the one that it takes, "
            f"{shown(form.state)}, got {shown(structure)}"
        )
        raise BlocksError(msg)
    for k, (x, like) in enumerate(zip(leaves, form.leaves, strict=False)):
        if is_array(like) and not (
            is_array(x) and str(x.dtype) == str(like.dtype) and tuple(x.shape) == tuple(like.shape)
        ):
            found = describe(x) if is_array(x) else f"an object of type {type(x).__name__}"
            msg = (
                f"the state that a training_step returns must be like the one that it takes: "
                f"{place('state', structure, k)} was {describe(like)}, and is {found}"
            )
            raise BlocksError(msg)
    return leaves


def _placeholder(x: Any) -> Any:
    """A lazy array like another one, whose blocks are filled in later."""
    import dask.array as da
    from dask._task_spec import Task
    from dask.highlevelgraph import HighLevelGraph

    name = f"state-{uuid4().hex}"
    chunks = x.chunks if is_dask(x) else tuple([(int(n),) for n in x.shape])
    keys = [(name, *place) for place in product(*[range(len(sizes)) for sizes in chunks])]
    layer = {key: Task(key, _not_known) for key in keys}
    return da.Array(HighLevelGraph.from_collections(name, layer), name, chunks, meta=meta_of(x))


def _not_known() -> Any:
    msg = (
        "the function of a training_step computed something that depends on its arguments. It is called only to build "
        "the graph of a step: return what is to be computed beside the next state."
    )
    raise BlocksError(msg)


stand_ins.add(_not_known)
