"""The tensor: PyTorch's attributes and methods on the wrapper of reverse mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any
from weakref import finalize

from agnograd.core.array import Array, innermost, install_operators, new_class, shorten_operators
from agnograd.core.batch import Batched, check_single, detached
from agnograd.core.facts import describe, raw_space, short
from agnograd.core.forward import Dual
from agnograd.core.gradient import retain, retains_grad, run_backward
from agnograd.core.hooks import RemovableHandle, hooks_of
from agnograd.core.inplace import write
from agnograd.core.level import ROOT
from agnograd.core.methods import install_methods
from agnograd.core.nodes import Node, Reverse, classes, edge, is_leaf, new_leaf, wrap
from agnograd.core.recorders import direct, indexed, make_call
from agnograd.core.reverse import prompt_leaves
from agnograd.core.table import OPS, bind_with
from agnograd.core.views import attach, become, refresh, settled, share, writes
from agnograd.errors import CotangentError, GradientError, InplaceError, NoGraphError, NotDifferentiableError

# Nodes of leaves with hooks, whose requires_grad was turned off: with the flag the hooks come back. By identity, since
# equality of tensors is elementwise.
_frozen: dict[int, Node] = {}


class Tensor(Reverse):
    """An array that records what is done with it.

    Create one with `agnograd.tensor`, `agnograd.asarray` or a creation function such as `agnograd.ones`.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __module__ = "agnograd"

    # -- data --------------------------------------------------------------------------------------------------------

    @property
    def array(self) -> Any:
        """The backend's array; on NumPy a read-only view. Inside a transformation it may be a wrapper itself."""
        data = self._array
        return data if isinstance(data, Array) else raw_space(data).backend.expose(data)

    @property
    def data(self) -> Any:
        """A tensor that shares the value and has no graph. Writing to it writes to this one, unseen by autograd."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        floats = raw_space(value).floats
        if self._node is not None and value.dtype not in floats:
            msg = (
                f"data set to a tensor that requires gradients must be floating point or complex, got {describe(value)}"
            )
            raise NotDifferentiableError(msg)
        share(self, value)

    @property
    def _version(self) -> int:
        """How often the value was written to in place; views and aliases share it.

        To look at only: what the graph saved does not change with a write, so that nothing has to be checked.
        """
        return writes(self)

    def detach_(self) -> Tensor:
        """Take this tensor off its graph, in place.

        Raises
        ------
        InplaceError
            If it is a view: its base would go on with the graph.
        """
        if getattr(self, "_view", (None, None))[1] is not None:
            msg = f"a view cannot be detached in place ({describe(self)}): use detach()"
            raise InplaceError(msg)
        become(self, wrap(detached(settled(self)), None))
        return self

    # -- graph -------------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: Any) -> None:
        if not isinstance(value, bool):
            msg = f"requires_grad must be a bool, got {type(value).__name__}"
            raise TypeError(msg)
        settled(self)
        node = self._node
        if value and node is None:
            space = raw_space(self)
            if self.dtype not in space.floats:
                msg = (
                    f"only tensors of floating point and complex dtype can require gradients, this one has dtype "
                    f"{short(self.dtype)} ({describe(self)}). Create it with a floating dtype, or convert it first: "
                    f"x.astype(x.__array_namespace__().float64)."
                )
                raise NotDifferentiableError(msg)
            kept = _frozen.get(id(self))
            self._node = new_leaf(self) if kept is None else kept
        elif not value and node is not None:
            if not is_leaf(node):
                msg = (
                    "you can only change requires_grad flags of leaf variables. To use a computed tensor as a constant "
                    "use y = x.detach()."
                )
                raise RuntimeError(msg)
            if node.variant.hooks is not None and id(self) not in _frozen:
                _frozen[id(self)] = node
                finalize(self, _frozen.pop, id(self), None)
            self._node = None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` in place and return this tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self._node is None or is_leaf(self._node)

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor; None for leaves."""
        node = self._node
        return None if node is None or is_leaf(node) else edge(node)[0]

    @property
    def output_nr(self) -> int:
        """Which output of the operation that made it this tensor is; 0 for leaves."""
        return 0 if self._node is None else edge(self._node)[1]

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have accumulated here."""
        found: Tensor | None = getattr(self, "_grad", None)
        if found is None and not self.is_leaf and not self.retains_grad:
            msg = (
                "the .grad attribute of a tensor that is not a leaf is not filled by backward(). Call retain_grad() on "
                "it before, or ask for it with agnograd.autograd.grad(output, this_tensor)."
            )
            warnings.warn(msg, UserWarning, stacklevel=2)
        return found

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, Tensor):
            msg = f"assigned grad expected to be a Tensor or None but got {type(value).__name__}"
            raise TypeError(msg)
        if value is self:
            msg = "a tensor cannot be its own grad"
            raise RuntimeError(msg)
        if (value.shape, value.device) != (self.shape, self.device) or value.dtype != self.dtype:
            msg = f"assigned grad has {describe(value)}, the tensor {describe(self)}: they must be the same"
            raise CotangentError(msg)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    # -- hooks -------------------------------------------------------------------------------------------------------

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(grad)`` whenever the gradient of this tensor is computed; what it returns takes its place.

        Parameters
        ----------
        hook : callable
            Takes the gradient; returns None or a tensor of the same shape, dtype and backend.

        Returns
        -------
        RemovableHandle
            Its ``remove()``, or the end of a ``with`` block over it, takes the hook away.

        Raises
        ------
        NoGraphError
            If this tensor does not require grad.

        Examples
        --------
        >>> import agnograd as ag
        >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * x
        >>> with y.register_hook(lambda g: 10 * g):
        ...     y.sum().backward()
        >>> x.grad
        tensor([20., 40.])
        """
        hooks = hooks_of(self._hookable("cannot register a hook on a tensor that doesn't require gradient"))
        return RemovableHandle(hook, hooks.of_tensor)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call ``hook(tensor)`` each time that ``grad`` of this leaf was written.

        That is done as soon as the gradient is complete. An optimizer's step in such a hook may set ``grad`` to None
        again: then no two gradients are held at a time.

        Raises
        ------
        NoGraphError
            If this tensor does not require grad.
        GradientError
            If it is not a leaf.
        """
        node = self._hookable("cannot register a hook on a tensor that doesn't require gradient")
        if not is_leaf(node):
            msg = (
                f"post accumulate grad hooks cannot be registered on tensors that are not leaves ({describe(self)}). "
                f"Use register_hook."
            )
            raise GradientError(msg)
        prompt_leaves.add(node)
        return RemovableHandle(hook, hooks_of(node).accumulated)

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor in ``grad``, as leaves do.

        Raises
        ------
        NoGraphError
            If this tensor does not require grad.

        Examples
        --------
        >>> import agnograd as ag
        >>> x = ag.tensor(3.0, requires_grad=True)
        >>> y = x * x
        >>> y.retain_grad()
        >>> (y * y).backward()
        >>> y.grad
        tensor(18.)
        """
        self._hookable("can't retain_grad on a tensor that has requires_grad=False")
        retain(self)

    @property
    def retains_grad(self) -> bool:
        """Whether this is a computed tensor that keeps its gradient."""
        return retains_grad(self)

    def _hookable(self, refusal: str) -> Node:
        node = settled(self)._node if self.level is ROOT or self.level is None else self._node
        if node is None:
            msg = f"{refusal} ({describe(self)}). Create it with requires_grad=True."
            raise NoGraphError(msg)
        return node

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Accumulate the gradient of this tensor into the ``grad`` of the leaves it depends on.

        Parameters
        ----------
        gradient : Tensor or array, optional
            The cotangent of this tensor, of its shape. One by default, for tensors of one element.
        retain_graph : bool, optional
            Keep what the graph saved, for another pass. By default as `create_graph`.
        create_graph : bool
            Record the pass itself, for derivatives of higher order.
        inputs : Tensor or sequence of Tensor, optional
            Fill the ``grad`` of these only, leaves or not; what does not lead to them does not run.

        Raises
        ------
        NoGraphError
            If this tensor does not require grad.
        NonScalarError
            If `gradient` is missing and this tensor has more than one element.
        CotangentError
            If `gradient` does not fit this tensor.
        GraphFreedError
            If an earlier pass has freed the graph.

        Examples
        --------
        >>> import agnograd as ag
        >>> x = ag.tensor(3.0, requires_grad=True)
        >>> (x**2).backward()
        >>> x.grad
        tensor(6.)
        """
        run_backward([self], [gradient], retain_graph=retain_graph, create_graph=create_graph, inputs=inputs)

    # -- leaving the graph -------------------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> Any:
        """The values as a NumPy array; from another device or library only with ``force=True``, which copies."""
        check_single(self, "numpy()")
        data = self.__array__() if not force else innermost(settled(self))
        return raw_space(data).backend.to_host(data)

    # -- text --------------------------------------------------------------------------------------------------------

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else repr(self)

    # -- copies ------------------------------------------------------------------------------------------------------

    def __copy__(self) -> Tensor:
        value = settled(self)
        new: Tensor = type(value)(value._array, value._node)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            # PyTorch refuses; libraries that hold arrays (xarray) copy what they are given.
            memo[id(self)] = new = OPS["clone"].call(self)
            return new  # type: ignore[no-any-return]
        data = settled(self)._array
        new = Tensor(raw_space(data).copy(data), None)
        memo[id(self)] = new
        grad = getattr(self, "_grad", None)
        if grad is not None:
            new._grad = deepcopy(grad, memo)
        return new.requires_grad_(self.requires_grad)

    def __reduce__(self) -> Any:
        return _unpickled, (settled(self)._array, self.requires_grad)


def _deep_copied(self: Array, memo: dict[int, Any]) -> Any:
    """An independent copy of the same level."""
    memo[id(self)] = new = OPS["clone"].call(self)
    return new


Dual.__deepcopy__ = Batched.__deepcopy__ = _deep_copied  # type: ignore[attr-defined]


def _unpickled(data: Any, requires_grad: bool) -> Tensor:
    return Tensor(data, None).requires_grad_(requires_grad)


def _detach(x: Array) -> Any:
    """The values without graph or tangents at any level, as a tensor that shares them."""
    value = detached(settled(x))
    new = Batched(value._array, value.level) if isinstance(value, Batched) else Tensor(value, None)
    attach(new, x, None, {})
    return new


Array.detach = _detach  # type: ignore[assignment]


# -- states of a tensor ----------------------------------------------------------------------------------------------


def _refreshed(slot: str) -> property:
    def read(self: Any) -> Any:
        refresh(self)
        return getattr(self, slot)

    return property(read)


def _settle_owner(self: Any) -> Any:
    self.__class__ = Tensor
    return self._array


_nested = new_class("Tensor", (Tensor,), "A tensor that holds a wrapper of a lower level.", __module__="agnograd")
_owner = new_class(
    "Tensor",
    (Tensor,),
    "A tensor whose buffer nobody else knows; reading it ends that.",
    __module__="agnograd",
    _array=property(_settle_owner),
)
Tensor.handle_class = new_class("Tensor", (Tensor,), "A tensor that stands for a wrapper.", __module__="agnograd")
Tensor.stale_class = new_class(
    "Tensor",
    (Tensor,),
    "A view whose base was written to.",
    __module__="agnograd",
    _array=_refreshed("_array"),
    _node=_refreshed("_node"),
)
Dual.stale_class = new_class(
    "Dual",
    (Dual,),
    "A view whose base was written to.",
    _array=_refreshed("_array"),
    _tangent=_refreshed("_tangent"),
)
Batched.stale_class = new_class("Batched", (Batched,), "A view whose base was written to.", _array=_refreshed("_array"))
classes.plain = Tensor
classes.nested = _nested
classes.owner = _owner
classes.owned_array = staticmethod(vars(Array)["_array"].__get__)


# -- operations ------------------------------------------------------------------------------------------------------


def _bind(op: Any) -> None:
    op.call = make_call(op)


bind_with(_bind)

import agnograd.ops  # noqa: E402, F401 - fills the table, which is bound above


def _operator(name: str) -> Callable[..., Any]:
    return make_call(OPS[name], operator=True)


install_operators(_operator, write)
for _cls in (Dual, _nested):
    shorten_operators(_cls, lambda name: direct(OPS[name]))
Array.__getitem__ = indexed(OPS["getitem"])  # type: ignore[method-assign]
install_methods()
