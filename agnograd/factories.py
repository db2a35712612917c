"""Tensors from data and from nothing, on the default backend, with PyTorch's conveniences.

The default float is the backend's own: ``ag.tensor([1.0, 2.0])`` is float64 on NumPy, where PyTorch makes float32.
"""

from __future__ import annotations

from typing import Any

from agnograd.core.array import Array
from agnograd.core.batch import detached
from agnograd.core.facts import describe, raw_space, short
from agnograd.core.table import spaces
from agnograd.core.views import settled
from agnograd.creation import raw_asarray, shape_of
from agnograd.errors import NotDifferentiableError
from agnograd.namespaces import default_backend, default_float, namespace
from agnograd.tensors import Tensor


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`.

    Parameters
    ----------
    data : number, nested sequence or array
        An array keeps its backend; anything else goes to the default one.
    dtype, device : optional
        As the backend calls them; by default those of `data`, or the backend's own default.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Raises
    ------
    NotDifferentiableError
        If it requires grad and is integer or boolean.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.tensor([1.0, 2.5])
    tensor([1.0000, 2.5000])
    """
    if isinstance(data, Array):
        data = detached(settled(data))
    if isinstance(data, Array):
        # Under vmap: a copy for each member.
        if requires_grad:
            msg = f"a batch is no leaf of a graph ({describe(data)}): use agnograd.grad within the function"
            raise NotDifferentiableError(msg)
        out: Tensor = namespace(raw_space(data).name).asarray(data, dtype=dtype, device=device, copy=True)
        return out
    space = spaces.known(type(data)) if hasattr(data, "dtype") else None
    if space is None:
        space = spaces.named(default_backend())
        raw = raw_asarray(space, data, dtype=dtype, device=device)
    else:
        raw = space.copy(data)
        raw = raw_asarray(space, raw, dtype=dtype, device=device)
    return _finished(raw, requires_grad)


def asarray(
    obj: Any,
    /,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Any:
    """A tensor that shares memory with `obj` where it can; a tensor is returned as it is.

    Examples
    --------
    >>> import agnograd as ag
    >>> x = ag.ones(2)
    >>> ag.asarray(x) is x
    True
    """
    space = raw_space(settled(obj)) if isinstance(obj, Array) else None
    if space is None and hasattr(obj, "dtype"):
        space = spaces.known(type(obj))
    xp = namespace(space.name if space is not None else None)
    out = xp.asarray(obj, dtype=dtype, device=device, copy=copy)
    return out.requires_grad_() if requires_grad else out


def _create(name: str, args: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    space = spaces.named(default_backend())
    options = {k: v for k, v in {"dtype": dtype, "device": device}.items() if v is not None}
    return _finished(getattr(space, name)(*args, **options), requires_grad)


def _finished(raw: Any, requires_grad: bool) -> Tensor:
    out = Tensor(raw, None)
    return out.requires_grad_() if requires_grad else out


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones; sizes as separate arguments or as a tuple.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.ones(2, 2, requires_grad=True)
    tensor([[1., 1.],
            [1., 1.]], requires_grad=True)
    """
    return _create("ones", (shape_of(size),), dtype, device, requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros; sizes as separate arguments or as a tuple."""
    return _create("zeros", (shape_of(size),), dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose values are arbitrary until they are written."""
    return _create("empty", (shape_of(size),), dtype, device, requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """One value everywhere; a tensor as the value keeps its gradient."""
    if isinstance(fill_value, Array):
        return namespace(raw_space(settled(fill_value)).name).full(size, fill_value, dtype=dtype)
    shape = (size,) if isinstance(size, int) else tuple(size)
    return _create("full", (shape, fill_value), dtype, device, requires_grad)


def arange(*bounds: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Evenly spaced values from a start to before a stop."""
    return _create("arange", bounds, dtype, device, requires_grad)


def linspace(
    start: Any, stop: Any, num: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`num` evenly spaced values from `start` to `stop`, both included."""
    return _create("linspace", (start, stop, num), dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of a matrix."""
    return _create("eye", (n, m), dtype, device, requires_grad)


# -- random numbers: not in the standard, so NumPy's generator serves every backend ----------------------------------

_generator: list[Any] = []


def manual_seed(seed: int) -> None:
    """Start the random numbers of `randn` and `rand` from a seed.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.manual_seed(0)
    >>> ag.randn(3).shape
    (3,)
    """
    from numpy.random import default_rng

    _generator[:] = [default_rng(seed)]


def _random(draw: str, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    if not _generator:
        from numpy.random import default_rng

        _generator[:] = [default_rng()]
    space = spaces.named(default_backend())
    values = getattr(_generator[0], draw)(shape_of(size))
    dtype = default_float(space) if dtype is None else dtype
    if short(dtype) == "float32":
        values = values.astype("float32")  # here: there is less to move, and a library may have no double precision
    raw = space.backend.from_host(values)
    return _finished(raw_asarray(space, raw, dtype=dtype, device=device), requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Normally distributed values, drawn on the host from NumPy's generator (see `manual_seed`)."""
    return _random("standard_normal", size, dtype, device, requires_grad)


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Values drawn evenly from [0, 1), as `randn`."""
    return _random("random", size, dtype, device, requires_grad)
