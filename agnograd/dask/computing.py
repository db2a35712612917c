"""Lazy arrays computed together: what they have in common is computed once, and data is read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from agnograd.core.array import Array
from agnograd.core.nodes import Reverse, is_leaf, wrap
from agnograd.core.observing import is_followed
from agnograd.core.table import OPS, spaces
from agnograd.core.views import settled
from agnograd.dask.values import computable, computed, is_dask
from agnograd.transforms.trees import flatten


def compute(*things: Any, progress: bool = False, **options: Any) -> Any:
    """Compute lazy arrays, all of them in one pass over the data.

    A loss and its gradients read the same data: computed one after another they read it several times.

    Parameters
    ----------
    *things : tree of Tensor or array
        What is not lazy stays as it is, the same object.
    progress : bool
        Show `agnograd.Progress`, for the schedulers of this machine: on a terminal or in a notebook, once it takes
        longer than half a second.
    **options
        For dask: ``scheduler="synchronous"``, ``optimize_graph=False`` or what else `dask.compute` takes.

    Returns
    -------
    array or tree
        One thing by itself, several as a tuple, in memory: tensors for tensors, without their graph, and arrays for
        arrays. Chunks of NumPy become NumPy's arrays, those of CuPy CuPy's.

    Raises
    ------
    EscapedError
        If one belongs to a transformation that is under way.

    See Also
    --------
    agnograd.persist : keeps the result in chunks.
    agnograd.dask.store : for gradients as large as the data.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones((4, 2), chunks=(2, 2)))
    >>> w = ag.tensor(da.zeros(2)).requires_grad_()
    >>> loss = ag.mean((x @ w - 1) ** 2)
    >>> loss.backward()
    >>> ag.compute(loss, {"w": w.grad})
    (tensor(1.), {'w': tensor([-2., -2.])})
    """
    import dask

    leaves, structure = flatten(things)
    values, lazy, others = _split(leaves)
    with _shown(progress):
        found = dask.compute(*_finished(lazy), *others, **options)
    results = iter(found)
    out = [computed(next(results), leaf) if is_dask(x) else leaf for x, leaf in zip(values, leaves, strict=True)]
    out = [next(results) if _is_other(x) else x for x in out]
    return _returned(structure.unflatten(out))


def persist(*things: Any, progress: bool = False, **options: Any) -> Any:
    """Compute lazy arrays, all of them in one pass over the data, and leave them in chunks: in memory, or on a cluster.

    Parameters
    ----------
    *things : tree of Tensor or array
        What is not lazy stays as it is, the same object.
    progress : bool
        Show `agnograd.Progress`, for the schedulers of this machine.
    **options
        For dask.

    Returns
    -------
    array or tree
        One thing by itself, several as a tuple. A tensor keeps its place in the graph: gradients flow through it.

    Raises
    ------
    EscapedError
        If one belongs to a transformation that is under way.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones((4, 2), chunks=(2, 2))).requires_grad_()
    >>> y = ag.persist(ag.exp(x))
    >>> y.sum().backward()
    >>> y.chunks, x.grad.shape
    (((2, 2), (2,)), (4, 2))
    """
    import dask

    with _shown(progress):
        return _on_graphs(things, lambda arrays: dask.persist(*arrays, **options))


def optimize(*things: Any, **options: Any) -> Any:
    """Lazy arrays on a graph that they share, optimised for all of them together, as ``dask.optimize`` does.

    Parameters
    ----------
    *things : tree of Tensor or array
    **options
        For dask.

    Returns
    -------
    array or tree
        One thing by itself, several as a tuple. A tensor keeps its place in agnograd's graph.

    Examples
    --------
    >>> import agnograd as ag
    >>> import dask.array as da
    >>> x = ag.asarray(da.ones(4, chunks=2))
    >>> y = ag.dask.optimize(ag.exp(ag.sin(x)))
    >>> y.shape
    (4,)
    """
    import dask

    return _on_graphs(things, lambda arrays: dask.optimize(*arrays, **options))


def _on_graphs(things: Any, run: Callable[[Sequence[Any]], Sequence[Any]]) -> Any:
    leaves, structure = flatten(things)
    values, lazy, others = _split(leaves)
    results = iter(run([*_finished(lazy), *others]))
    out = [_replaced(leaf, next(results)) if is_dask(x) else leaf for x, leaf in zip(values, leaves, strict=True)]
    out = [next(results) if _is_other(x) else x for x in out]
    return _returned(structure.unflatten(out))


def _split(leaves: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """What is inside of leaves; which of it are arrays of dask, and which other things dask can compute."""
    values = [computable(x) if isinstance(x, Array) else x for x in leaves]
    values = [spaces[type(x)].backend.expose(x) if is_dask(x) else x for x in values]
    return values, [x for x in values if is_dask(x)], [x for x in leaves if _is_other(x)]


def _is_other(x: Any) -> bool:
    """Whether it is a collection of dask that is no array: a delayed value, a data frame."""
    from dask.base import is_dask_collection

    return not isinstance(x, Array) and not is_dask(x) and bool(is_dask_collection(x))


def _finished(lazy: Sequence[Any]) -> Sequence[Any]:
    if not lazy:
        return lazy
    finish = spaces[type(lazy[0])].finish
    return lazy if finish is None else finish(lazy)


def _replaced(like: Any, array: Any) -> Any:
    """An array in the place that another one of the same values has in the graph."""
    if not isinstance(like, Array):
        return array
    like = settled(like)
    node = like._node if isinstance(like, Reverse) else None
    if node is not None and is_leaf(node):
        # A leaf collects its own gradient.
        like = OPS["rechunk"].call(like, chunks=array.chunks)
        node = like._node
    return wrap(array, node)


def _returned(things: Any) -> Any:
    return things[0] if len(things) == 1 else things


def _shown(progress: bool) -> AbstractContextManager[Any]:
    from agnograd.progress import Progress

    # One that is open already shows what dask does.
    return Progress() if progress and not is_followed() else nullcontext()
