"""PyTorch's ``torch.autograd.graph``: nodes, edges, and hooks that concern several tensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agnograd.core import walk
from agnograd.core.facts import describe
from agnograd.core.gradient import GradientEdge, differentiated
from agnograd.core.hooks import Hook, RemovableHandle, hooks_of
from agnograd.core.nodes import Node, edge, is_leaf
from agnograd.core.saved import disable_saved_tensors_hooks, saved_tensors_hooks
from agnograd.tensors import Tensor

if TYPE_CHECKING:
    from agnograd.spilling import save_on_host, spill

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "dump",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_host",
    "saved_tensors_hooks",
    "spill",
    "timed",
]


# PyTorch's names for what is called otherwise here, or is not needed.
_ELSEWHERE = {
    "save_on_cpu": "save_on_host() keeps in the memory of the host what operations save",
    "allow_mutation_on_saved_tensors": "what operations save does not change with a write, everything is allowed",
    "increment_version": "what operations save does not change with a write, versions are not looked at",
}


def __getattr__(name: str) -> Any:
    # Files and temporary folders take a while to import, and few graphs are spilled.
    if name in ("save_on_host", "spill"):
        from agnograd import spilling

        return getattr(spilling, name)
    hint = f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
    msg = f"module {__name__!r} has no attribute {name!r}{hint}"
    raise AttributeError(msg, name=name)


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place of a tensor in the graph, which may stand for it as an input or output of `agnograd.autograd.grad`.

    It keeps the graph alive, not the tensor's value.

    Raises
    ------
    NoGraphError
        If the tensor does not require grad.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> edge = ag.autograd.graph.get_gradient_edge(y)
    >>> ag.autograd.grad(y * y, edge)
    (tensor(18.),)
    """
    return GradientEdge(tensor)


def dump(*tensors: Tensor, limit: int = 1000) -> str:
    """The graph behind some tensors as text: a line for each node, the newest first, with the nodes that it goes on to.

    Parameters
    ----------
    *tensors : Tensor
    limit : int
        The largest number of lines.

    Raises
    ------
    NoGraphError
        If a tensor does not require grad.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> print(ag.autograd.graph.dump((x * x + 1).sum()))
    0 SumBackward0 -> 1
    1 AddBackward0 -> 2
    2 MulBackward0 -> 3, 3
    3 AccumulateGrad of shape (2,), float64, numpy on cpu
    """
    nodes = ordered([edge(x._node)[0] for x in differentiated(tensors, "dump")])
    places = {node: i for i, node in enumerate(nodes)}
    lines = []
    for node in nodes[:limit]:
        leaf = node.variable if is_leaf(node) else None
        of = f" of {describe(leaf)}" if leaf is not None else ""
        to = ", ".join(str(places[parent]) for parent, _ in node.next_functions if parent is not None)
        lines.append(f"{places[node]} {node.name()}{of}{f' -> {to}' if to else ''}")
    if len(nodes) > limit:
        lines.append(f"and {len(nodes) - limit} more")
    return "\n".join(lines)


def ordered(roots: Sequence[Node]) -> list[Node]:
    """The nodes of a graph as users see them, in the order in which a backward pass runs them."""
    seen: set[Node] = set(roots)
    stack = list(roots)
    while stack:
        new = [parent for parent, _ in stack.pop().next_functions if parent is not None and parent not in seen]
        seen.update(new)
        stack += new
    return sorted(seen, key=lambda node: node.number)


class timed:  # noqa: N801 - a context manager
    """Within a block, measure how long the rules of a graph run.

    Parameters
    ----------
    *tensors : Tensor
        The graph is that behind these.

    Attributes
    ----------
    seconds : dict
        By name of the node: how often it ran, and for how long altogether. What a lazy or asynchronous backend only
        schedules takes no time here.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(3, requires_grad=True)
    >>> loss = (x * x * x).sum()
    >>> with ag.autograd.graph.timed(loss) as times:
    ...     loss.backward()
    >>> {name: count for name, (count, _) in times.seconds.items()}
    {'SumBackward0': 1, 'MulBackward0': 2}
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._roots = [edge(x._node)[0] for x in differentiated(tensors, "timed")]
        self.seconds: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> timed:
        self._handles = [handle for node in ordered(self._roots) if not is_leaf(node) for handle in self._watch(node)]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _watch(self, node: Node) -> tuple[RemovableHandle, RemovableHandle]:
        name = node.name()
        started = [0.0]

        def before(_: Any) -> None:
            started[0] = time.perf_counter()

        def after(*_: Any) -> None:
            count, seconds = self.seconds.get(name, (0, 0.0))
            self.seconds[name] = count + 1, seconds + time.perf_counter() - started[0]

        return node.register_prehook(before), node.register_hook(after)


class _Gathered:
    """What one pass has brought together for a hook on several tensors."""

    def __init__(self, count: int) -> None:
        self.gradients: list[Any] = [None] * count
        self.missing: int | None = None


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> RemovableHandle:
    """Call a function of the gradients of several tensors.

    Parameters
    ----------
    tensors : sequence of Tensor
    fn : callable
        With ``mode="all"`` it is called once in each backward pass, when the gradients of all those `tensors` are known
        that the pass comes to: ``fn(gradients)`` gets a tuple, with None for the others. With ``mode="any"`` it is
        called with the first gradient.
    mode : str
        ``"all"`` or ``"any"``.

    Returns
    -------
    RemovableHandle

    Raises
    ------
    ValueError
        If `mode` is something else.
    NoGraphError
        If a tensor does not require grad.

    Examples
    --------
    >>> import agnograd as ag
    >>> x, y = (ag.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    >>> handle = ag.autograd.graph.register_multi_grad_hook((x, y), print)
    >>> (x * y).backward()
    (tensor(3.), tensor(2.))
    """
    if mode not in ("all", "any"):
        msg = f"expects mode to be one of ('all', 'any') but got {mode!r}"
        raise ValueError(msg)
    wanted = differentiated(tensors, "register_multi_grad_hook")
    nodes = [x._node for x in wanted]
    # By pass: one runs inside of another, and threads run several at a time.
    passes: dict[int, _Gathered] = {}

    def hook_at(place: int) -> Hook:
        def hook(g: Any) -> None:
            current = walk.current()
            gathered = passes.get(id(current))
            if gathered is None:
                gathered = passes[id(current)] = _Gathered(len(nodes))
                assert current is not None
                gathered.missing = len(current.hooked(nodes))
                current.at_end.append(lambda: passes.pop(id(current), None))
            first = all(seen is None for seen in gathered.gradients)
            gathered.gradients[place] = g
            if mode == "any":
                if first:
                    fn(g)
                return
            assert gathered.missing is not None
            gathered.missing -= 1
            if not gathered.missing:
                by_node = {
                    id(node): seen for node, seen in zip(nodes, gathered.gradients, strict=True) if seen is not None
                }
                fn(tuple(by_node.get(id(node)) for node in nodes))

        return hook

    places = {id(node): (i, node) for i, node in reversed(list(enumerate(nodes)))}
    handles = [RemovableHandle(hook_at(i), hooks_of(node).of_tensor) for i, node in places.values()]
    return RemovableHandle.of(handles)
