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

    Returns
    -------
    Tensor

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

    Parameters
    ----------
    obj : array, number or nested sequence
        An array keeps its backend; anything else goes to the default one.
    dtype, device : optional
        As the backend calls them; by default those of `obj`, or the backend's own default.
    copy : bool, optional
        Whether to copy; by default where it is needed. ``False`` raises where it is.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

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
    try:
        made = getattr(space, name)(*args, **options)
    except ValueError as error:
        if str(device).startswith(("cuda", "gpu")):
            error.add_note(
                f"in agnograd.{name}, on backend {space.name!r}. A GPU's arrays are those of backend 'cupy': "
                f"agnograd.use_backend('cupy'), or agnograd.to_backend(x, 'cupy')."
            )
        raise
    return _finished(made, requires_grad)


def _finished(raw: Any, requires_grad: bool) -> Tensor:
    out = Tensor(raw, None)
    return out.requires_grad_() if requires_grad else out


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones; sizes as separate arguments or as a tuple.

    Parameters
    ----------
    *size : int, or one tuple of int
        The shape.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.ones(2, 2, requires_grad=True)
    tensor([[1., 1.],
            [1., 1.]], requires_grad=True)
    """
    return _create("ones", (shape_of(size),), dtype, device, requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros; sizes as separate arguments or as a tuple.

    Parameters
    ----------
    *size : int, or one tuple of int
        The shape.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _create("zeros", (shape_of(size),), dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose values are arbitrary until they are written.

    Parameters
    ----------
    *size : int, or one tuple of int
        The shape.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.empty(2, 3).shape
    (2, 3)
    """
    return _create("empty", (shape_of(size),), dtype, device, requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """One value everywhere; a tensor as the value keeps its gradient.

    Parameters
    ----------
    size : int or tuple of int
        The shape.
    fill_value : number or Tensor
        The value; a tensor of one element.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.full(3, 2.5)
    tensor([2.5000, 2.5000, 2.5000])
    """
    if isinstance(fill_value, Array):
        return namespace(raw_space(settled(fill_value)).name).full(size, fill_value, dtype=dtype)
    shape = (size,) if isinstance(size, int) else tuple(size)
    return _create("full", (shape, fill_value), dtype, device, requires_grad)


def arange(*bounds: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Evenly spaced values from a start to before a stop.

    Parameters
    ----------
    *bounds : number
        ``stop``, or ``start, stop``, or ``start, stop, step``.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.arange(2, 5)
    tensor([2, 3, 4])
    """
    return _create("arange", bounds, dtype, device, requires_grad)


def linspace(
    start: Any, stop: Any, num: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Evenly spaced values from `start` to `stop`, both included.

    Parameters
    ----------
    start, stop : number
        The first and the last value.
    num : int
        How many there are.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _create("linspace", (start, stop, num), dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of a matrix.

    Parameters
    ----------
    n, m : int
        Rows and columns; by default as many columns as rows.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _create("eye", (n, m), dtype, device, requires_grad)


# -- random numbers: not in the standard, so NumPy's generator serves every backend that has no own -------------------

_SEEDS = 2**31

_generator: list[Any] = []


def manual_seed(seed: int) -> None:
    """Start the random numbers of `randn` and `rand` from a seed.

    Parameters
    ----------
    seed : int
        The same seed gives the same numbers again.

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.manual_seed(0)
    >>> ag.randn(3).shape
    (3,)
    """
    from numpy.random import default_rng

    _generator[:] = [default_rng(seed)]


def _random(hook: str, draw: str, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    if not _generator:
        from numpy.random import default_rng

        _generator[:] = [default_rng()]
    space = spaces.named(default_backend())
    dtype = default_float(space) if dtype is None else dtype
    own = getattr(space.backend, hook)
    if own is not None:
        bits = _generator[0].bit_generator
        before = bits.state
        drawn = own(shape_of(size), dtype=dtype, device=device, seed=int(_generator[0].integers(_SEEDS)))
        if drawn is not None:
            return _finished(drawn, requires_grad)
        bits.state = before
    values = getattr(_generator[0], draw)(shape_of(size))
    if short(dtype) == "float32":
        values = values.astype("float32")  # here: there is less to move, and a library may have no double precision
    raw = space.backend.from_host(values)
    return _finished(raw_asarray(space, raw, dtype=dtype, device=device), requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Normally distributed values.

    They are drawn on the host, from NumPy's generator, and are then the same on every backend; or by the backend
    itself, where it has such (``randn`` of `agnograd.hookspecs.Backend`): on dask, an array of several chunks is drawn
    when it is computed.

    Parameters
    ----------
    *size : int, or one tuple of int
        The shape.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.manual_seed(0)
    >>> first = ag.randn(2, 3)
    >>> ag.manual_seed(0)
    >>> bool(ag.all(first == ag.randn(2, 3)))
    True
    """
    return _random("randn", "standard_normal", size, dtype, device, requires_grad)


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Values drawn evenly from [0, 1), as `randn`.

    Parameters
    ----------
    *size : int, or one tuple of int
        The shape.
    dtype, device : optional
        As the backend calls them; its own defaults otherwise.
    requires_grad : bool
        Whether to record what is done with the tensor.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import agnograd as ag
    >>> ag.rand(2, 3).shape
    (2, 3)
    """
    return _random("rand", "random", size, dtype, device, requires_grad)
