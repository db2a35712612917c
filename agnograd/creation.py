"""The creation functions of the standard for one backend: tensors from data, from numbers and from nothing."""

from __future__ import annotations

from typing import Any, Literal

from agnograd.core.array import Array, innermost
from agnograd.core.batch import is_batched
from agnograd.core.conversions import carries_gradient
from agnograd.core.facts import describe, raw_space
from agnograd.core.table import OPS, Space, spaces
from agnograd.core.views import settled
from agnograd.errors import ForeignArrayError, GradientLostError, MixedBackendsError
from agnograd.tensors import Tensor

CREATION = ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")


class Creation:
    """The part of a namespace that makes arrays.

    What takes an array and is differentiable with respect to it, ``tril`` say, is an operation of the table.
    """

    _space: Space

    # -- from data ---------------------------------------------------------------------------------------------------

    def asarray(self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
        """A tensor of `obj`: a tensor itself, an array of the backend (shared), numbers or nested sequences.

        A sequence that holds tensors is stacked, so that their gradients are kept. NumPy's arrays become arrays of
        the backend, and so do tensors around them; what belongs to any other library is refused.

        Raises
        ------
        MixedBackendsError
            If `obj` is an array or a tensor of another backend than NumPy and this one.
        ForeignArrayError
            If nothing numeric can be made of it.
        ValueError
            If it cannot be had without a copy, and `copy` is False.
        """
        obj = settled(obj)
        if copy is False:
            _refuse_copies(obj, dtype, device)
        if isinstance(obj, Array):
            out: Any = obj
            space = raw_space(obj)
            if space.origin is not self._space:
                if space.is_scalar is None:
                    raise _mixed(self._space, space, obj)
                # Nothing computes a lazy gradient unasked.
                out = OPS["to_backend"].call(obj, self._space.name, lifted=self._space.lazy)
            if dtype is not None and out.dtype != dtype:
                out = OPS["astype"].call(out, dtype)
            elif copy:
                out = OPS["clone"].call(out)
            return out if device is None or device == out.device else OPS["to_device"].call(out, device)
        if isinstance(obj, (list, tuple)):
            like = _first_wrapper(obj)
            if like is not None:
                return self.asarray(_stacked(self, obj, like), dtype=dtype, device=device)
        return Tensor(raw_asarray(self._space, obj, dtype=dtype, device=device, copy=copy), None)

    def from_dlpack(self, x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
        """A tensor over the memory of any array that exports DLPack; a tensor of the backend keeps its gradient."""
        if isinstance(x, Array) and raw_space(settled(x)) is self._space:
            return self.asarray(x, device=device, copy=copy)
        return self._made("from_dlpack", x, device=device, copy=copy)

    def meshgrid(self, *arrays: Any, indexing: Literal["xy", "ij"] = "xy") -> tuple[Any, ...]:
        """Coordinate arrays from one-dimensional ones."""
        n = len(arrays)
        swap = indexing == "xy" and n > 1
        order = [1, 0, *range(2, n)] if swap else list(range(n))
        reshape = OPS["reshape"].call
        shaped = [reshape(x, tuple(-1 if i == order[k] else 1 for i in range(n))) for k, x in enumerate(arrays)]
        return OPS["broadcast_arrays"].call(*shaped)  # type: ignore[no-any-return]

    # -- from numbers ------------------------------------------------------------------------------------------------

    def arange(
        self, start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
    ) -> Tensor:
        """Numbers from `start` to before `stop`, or from 0 to before `start`, `step` apart."""
        numbers = [_number(x, "arange") for x in (start, stop, step)]
        return self._made("arange", *numbers, dtype=dtype, device=device)

    def linspace(
        self, start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
    ) -> Any:
        """`num` numbers at even distances from `start` to `stop`; 0-d tensors for the two keep their gradients."""
        if any(isinstance(x, Array) and (carries_gradient(settled(x)) or is_batched(x)) for x in (start, stop)):
            weight = self.linspace(0.0, 1.0, num, device=device, endpoint=endpoint)
            out = start * (1.0 - weight) + stop * weight
            return out if dtype is None else OPS["astype"].call(out, dtype)
        ends = _number(start, "linspace"), _number(stop, "linspace")
        return self._made("linspace", *ends, num, dtype=dtype, device=device, endpoint=endpoint)

    def eye(
        self, n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
    ) -> Tensor:
        """Ones on the `k`-th diagonal of a matrix, zeros elsewhere."""
        return self._made("eye", n_rows, n_cols, k=k, dtype=dtype, device=device)

    def full(self, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """One value everywhere; a 0-d tensor as the value keeps its gradient."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if isinstance(fill_value, Array):
            return self.asarray(OPS["broadcast_to"].call(fill_value, shape), dtype=dtype, device=device)
        return self._made("full", shape, fill_value, dtype=dtype, device=device)

    # -- from nothing ------------------------------------------------------------------------------------------------

    def empty(self, shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
        """A tensor whose values are arbitrary until they are written."""
        return self._made("empty", shape, dtype=dtype, device=device)

    def ones(self, shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
        """Ones."""
        return self._made("ones", shape, dtype=dtype, device=device)

    def zeros(self, shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
        """Zeros."""
        return self._made("zeros", shape, dtype=dtype, device=device)

    def empty_like(self, x: Any, /, *, dtype: Any = None, device: Any = None) -> Tensor:
        """A tensor of the shape of `x`, whose values are arbitrary until they are written."""
        raw = innermost(settled(x))
        if is_batched(x):
            return self._made("empty", x.shape, dtype=dtype or x.dtype, device=device or raw_space(raw).device(raw))
        return made(raw_space(raw), "empty_like", raw, dtype=dtype, device=device)

    def _made(self, name: str, *args: Any, **options: Any) -> Tensor:
        return made(self._space, name, *args, **options)


def made(space: Space, name: str, *args: Any, **options: Any) -> Tensor:
    """A tensor around what a raw namespace's function gives, without the options that are None."""
    return Tensor(getattr(space, name)(*args, **{k: v for k, v in options.items() if v is not None}), None)


def _refuse_copies(obj: Any, dtype: Any, device: Any) -> None:
    if isinstance(obj, Array):
        if (dtype is None or obj.dtype == dtype) and (device is None or obj.device == device):
            return
        msg = f"asarray needs a copy for dtype {dtype} or device {device} of {describe(obj)}, and copy=False was given"
    elif isinstance(obj, (bool, int, float, complex, list, tuple)):
        msg = f"asarray needs a copy to make an array of a {type(obj).__name__}, and copy=False was given"
    else:
        return
    raise ValueError(msg)


def _number(x: Any, name: str) -> Any:
    if not isinstance(x, Array):
        return x
    if carries_gradient(settled(x)):
        msg = (
            f"{name} takes plain numbers, and got a tensor that carries a gradient ({describe(x)}), which would be "
            f"lost. Use x.item() if that is meant, or write the result as an expression of x."
        )
        raise GradientLostError(msg)
    return x.item()


# -- arrays from data ------------------------------------------------------------------------------------------------


def _first_wrapper(obj: Any) -> Any:
    found = (x if isinstance(x, Array) else _first_wrapper(x) for x in obj if isinstance(x, (Array, list, tuple)))
    return next((x for x in found if x is not None), None)


def _stacked(xp: Creation, obj: Any, like: Any) -> Any:
    """A sequence with tensors in it as one; Python numbers take the dtype and device of `like` where it holds them."""

    def item(x: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return _stacked(xp, x, like)
        if type(x) in _HOLD and xp._space.module.isdtype(like.dtype, _HOLD[type(x)]):
            return xp.asarray(x, dtype=like.dtype, device=like.device)
        return xp.asarray(x)

    return OPS["stack"].call([item(x) for x in obj])


# Kinds of dtype that hold the numbers of a Python type.
_HOLD: dict[type, Any] = {
    bool: "bool",
    int: "numeric",
    float: ("real floating", "complex floating"),
    complex: "complex floating",
}


def raw_asarray(space: Space, obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """An array of the backend from data; arrays of another library are refused, NumPy's, lists and numbers taken.

    Raises
    ------
    MixedBackendsError
        If `obj` is an array of another backend and neither a NumPy array nor a scalar.
    ForeignArrayError
        If nothing numeric can be made of it.
    """
    options = {k: v for k, v in {"dtype": dtype, "device": device, "copy": copy}.items() if v is not None}
    other = spaces.known(type(obj)) if hasattr(obj, "dtype") else None
    if other is not None and other is not space:
        if other.is_scalar is None:
            raise _mixed(space, other, obj)
        obj = obj.item() if other.is_scalar(obj) else space.backend.from_host(obj)
        options.pop("copy", None)
    out = space.asarray(obj, **options)
    if other is None and not space.module.isdtype(out.dtype, ("bool", "numeric")):
        # NumPy wraps up any object as an array of dtype object.
        kind = f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")
        msg = (
            f"asarray of backend {space.name!r} cannot make numbers of an object of type {kind}. It takes numbers, "
            f"nested sequences of them and arrays of registered backends (see agnograd.hookspecs)."
        )
        raise ForeignArrayError(msg)
    return out


def _mixed(space: Space, other: Space, x: Any) -> MixedBackendsError:
    return MixedBackendsError(
        f"asarray of backend {space.name!r} got an array of {other.name!r} ({describe(x)}). "
        f"Nothing moves between libraries silently: use agnograd.to_backend(x, {space.name!r})."
    )


def shape_of(size: Any) -> tuple[int, ...]:
    """A shape given as one tuple or as separate sizes."""
    if len(size) == 1 and not isinstance(size[0], int):
        return tuple(int(n) for n in size[0])
    return tuple(int(n) for n in size)
