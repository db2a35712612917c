"""What a graph saves, kept in another form: packed when it is recorded and unpacked when a rule asks for it.

While hooks are active every recording takes the slow path, which packs (see `agnograd.core.level`); without them
nothing here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from agnograd.core.array import Array, innermost
from agnograd.core.level import anomaly_checks, recording, set_recording
from agnograd.core.op import Variant
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.errors import HookError, SavedError


class Pair(NamedTuple):
    """How values are packed and unpacked."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


_pairs: ContextVar[tuple[Pair, ...]] = ContextVar("agnograd_saved_hooks", default=())
_refusal: ContextVar[str | None] = ContextVar("agnograd_saved_hooks_refused", default=None)


class Packed(Sequence[Any]):
    """The saved values of one node, some of them packed."""

    __slots__ = ("_items",)

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        return _unpacked(self._items[place])

    def __iter__(self) -> Iterator[Any]:
        return iter([_unpacked(item) for item in self._items])


class _Handle:
    """A packed array, and what it must be when it comes back."""

    __slots__ = ("dtype", "packed", "shape", "unpack", "wrapped")

    def __init__(self, x: Any, pair: Pair, wrap: Callable[[Any, None], Any]) -> None:
        self.shape = tuple(x.shape)
        self.dtype = x.dtype
        self.wrapped = isinstance(x, Array)
        self.unpack = pair.unpack
        self.packed = pair.pack(x if self.wrapped else wrap(x, None))


def packed(variant: Variant, saved: tuple[Any, ...]) -> Any:
    """The saved values of a node, packed where hooks are active."""
    pairs = _pairs.get()
    if not pairs:
        return saved
    pair = pairs[-1]
    names = {*variant.op.arrays, "ans"}
    named = zip(variant.names, saved, strict=True)
    return Packed([_packed(x, pair) if name in names else x for name, x in named])


def _packed(x: Any, pair: Pair) -> Any:
    if type(x) is tuple:
        return tuple([_packed(y, pair) for y in x])
    is_array = isinstance(x, Array) or spaces.known(type(x)) is not None
    return hold(x, pair) if is_array else x


def current_pair() -> Pair | None:
    """The hooks that are active, the innermost ones."""
    pairs = _pairs.get()
    return pairs[-1] if pairs else None


def hold(x: Any, pair: Pair | None) -> Any:
    """A value as it is kept: packed where there are hooks."""
    from agnograd.core.reverse import wrap

    return x if pair is None else _Handle(x, pair, wrap)


def released(item: Any) -> Any:
    """The value of what `hold` returned."""
    return _unpacked(item)


def _unpacked(item: Any) -> Any:
    if type(item) is tuple:
        return tuple([_unpacked(x) for x in item])
    if type(item) is not _Handle:
        return item
    found = item.unpack(item.packed)
    if not isinstance(found, Array):
        msg = (
            f"output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(found).__name__}"
        )
        raise HookError(msg)
    found = settled(found)
    found = found if item.wrapped else innermost(found)
    if tuple(found.shape) != item.shape or found.dtype != item.dtype:
        msg = (
            f"a saved tensor came back with shape {tuple(found.shape)} and dtype {found.dtype}, it was saved with "
            f"shape {item.shape} and dtype {item.dtype}: what unpacks must undo what packs"
        )
        raise SavedError(msg)
    return found


# What `recording` is while hooks are active: levels from the outermost on are recorded, on the slow path.
_SLOWLY = 0


class saved_tensors_hooks:  # noqa: N801 - PyTorch's name
    """Within a block, pack what operations save for the backward pass, and unpack it where that pass needs it.

    Parameters
    ----------
    pack_hook : callable
        Takes a tensor without a graph; what it returns is kept in its place. It must not change the tensor.
    unpack_hook : callable
        Takes what `pack_hook` returned; returns a tensor of the same values, shape and dtype.

    Raises
    ------
    SavedError
        Where hooks are disabled, or what comes back has another shape or dtype.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), ag.tensor):
    ...     y = ag.exp(x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2.7183, 7.3891])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self._pair = Pair(pack_hook, unpack_hook)

    def __enter__(self) -> saved_tensors_hooks:
        refusal = _refusal.get()
        if refusal is not None:
            raise SavedError(refusal)
        _pairs.set((*_pairs.get(), self._pair))
        update_mode()
        return self

    def __exit__(self, *error: object) -> None:
        _pairs.set(_pairs.get()[:-1])
        update_mode()


class disable_saved_tensors_hooks:  # noqa: N801 - PyTorch's name
    """Within a block, refuse `saved_tensors_hooks` with a message.

    Raises
    ------
    SavedError
        If hooks are active already, or become so.
    """

    def __init__(self, error_message: str) -> None:
        self._message = error_message

    def __enter__(self) -> None:
        if _pairs.get():
            raise SavedError(self._message)
        self._outer = _refusal.get()
        _refusal.set(self._message)

    def __exit__(self, *error: object) -> None:
        _refusal.set(self._outer)


def recorded_mode() -> bool | int:
    """What `recording` is where operations are recorded: on the slow path where that has something to do."""
    checks = anomaly_checks.get()
    return _SLOWLY if _pairs.get() or (checks is not None and checks.forward) else True


def update_mode() -> None:
    """Choose the path again, where operations are recorded at all levels."""
    mode = recording()
    if mode is True or (mode is not False and mode == _SLOWLY):
        set_recording(recorded_mode())
