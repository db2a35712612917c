"""What a graph saves, kept in another form: packed when it is recorded and unpacked when a rule asks for it.

While hooks are active every recording takes the slow path, which packs (see `agnograd.core.level`); without them
nothing here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple

from agnograd.core.array import Array, innermost
from agnograd.core.facts import describe
from agnograd.core.level import anomaly_checks, recording, recording_in, set_recording
from agnograd.core.nodes import wrap
from agnograd.core.op import Variant
from agnograd.core.table import spaces
from agnograd.core.views import settled, writes
from agnograd.errors import HookError, SavedError


class Pair(NamedTuple):
    """How values are packed and unpacked."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


_pairs: ContextVar[tuple[Pair, ...]] = ContextVar("agnograd_saved_hooks", default=())
# With what messages hooks are refused here, the innermost one last.
_refusals: ContextVar[tuple[str, ...]] = ContextVar("agnograd_saved_hooks_refused", default=())


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

    def unpacked(self) -> list[Any]:
        """What is kept as it is; None in the place of what was packed."""
        return [None if type(item) is _Handle else item for item in self._items]


class _Handle:
    """A packed array, and what it must be when it comes back."""

    __slots__ = ("dtype", "level", "packed", "shape", "unpack", "wrapped")

    def __init__(self, x: Any, pair: Pair) -> None:
        self.shape = tuple(x.shape)
        self.dtype = x.dtype
        self.wrapped = isinstance(x, Array)
        # That of a transformation further outside, which goes on through what was saved.
        self.level = x.level if self.wrapped else None
        self.unpack = pair.unpack
        given = x if self.wrapped else wrap(x, None)
        count = writes(given)
        with self.mode():
            self.packed = pair.pack(given)
        if self.wrapped and writes(given) != count:
            msg = (
                f"a saved tensor pack hook is modifying its input in place ({describe(given)}), which a transformation "
                f"further outside uses, too. Pack a new value."
            )
            raise HookError(msg)

    def mode(self) -> AbstractContextManager[None]:
        """What hooks run in: where a value is no wrapper, nothing is recorded of what they do."""
        return nullcontext() if self.wrapped else recording_in(False)


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
    return x if pair is None else _Handle(x, pair)


def released(item: Any) -> Any:
    """The value of what `hold` returned."""
    return _unpacked(item)


def _unpacked(item: Any) -> Any:
    if type(item) is tuple:
        return tuple([_unpacked(x) for x in item])
    if type(item) is not _Handle:
        return item
    with item.mode():
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
    level = item.level
    if level is not None and not level.faded and found.level is not level:
        msg = (
            f"a saved tensor came back without its place in the graph of {level.name!r} around ({describe(found)}), so "
            f"that derivatives there would be wrong: a pack hook has to return such a tensor as it is."
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
        Where hooks are disabled; or what comes back has another shape or dtype, or has lost its place in the graph of
        a transformation around.

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
        refusals = _refusals.get()
        if refusals:
            raise SavedError(refusals[-1])
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
        _refusals.set((*_refusals.get(), self._message))

    def __exit__(self, *error: object) -> None:
        _refusals.set(_refusals.get()[:-1])


def recorded_mode() -> bool | int:
    """What `recording` is where operations are recorded: on the slow path where that has something to do."""
    checks = anomaly_checks.get()
    return _SLOWLY if _pairs.get() or (checks is not None and checks.forward) else True


def update_mode() -> None:
    """Choose the path again, where operations are recorded at all levels."""
    mode = recording()
    if mode is True or (mode is not False and mode == _SLOWLY):
        set_recording(recorded_mode())
