"""Functions of the standard that PyTorch lacks under array-api-compat's names, or has otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat.torch as compat
import torch
from array_api_compat.torch import fft, linalg

Array = Any


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """A tensor that shares memory with `obj` where it can."""
    flags = getattr(obj, "flags", None)
    if flags is not None and not flags.writeable:
        # PyTorch knows no memory that must not be written to, and warns of it.
        if copy is False:
            msg = "a tensor would share memory that must not be written to: it takes a copy, and copy=False was given"
            raise ValueError(msg)
        obj, copy = obj.copy(), None
    return compat.asarray(obj, dtype=dtype, device=device, copy=copy)


def sign(x: Array, /) -> Array:
    """The sign; NaN where `x` is NaN. A mask, which array-api-compat writes through, would wait for an accelerator."""
    if x.dtype.is_complex:
        return torch.where(x == 0, torch.zeros_like(x), x / torch.abs(x))
    return torch.where(torch.isnan(x), x, torch.sign(x)) if x.dtype.is_floating_point else torch.sign(x)


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The variance; of no stack at all too, where PyTorch misses degrees of freedom."""
    if not x.numel():
        out = compat.sum(torch.abs(x), axis=axis, keepdims=keepdims)
        if not out.numel():
            return out
    return compat.var(x, axis=axis, correction=correction, keepdims=keepdims)


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The standard deviation, for corrections that are no integers too."""
    return torch.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


# -- sets --------------------------------------------------------------------------------------------------------------


class Unique(NamedTuple):
    """What ``unique_all`` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class Counts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Array
    counts: Array


class Inverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> Unique:
    """Each value once, where it comes first, and how often it comes; every NaN is one of its own."""
    flat = x.reshape(-1)
    order = _order(flat)
    sorted_ = flat[order]
    first = torch.ones_like(order, dtype=torch.bool)
    first[1:] = sorted_[1:] != sorted_[:-1]
    starts = first.nonzero()[:, 0]
    inverse = torch.empty_like(order)
    inverse[order] = first.cumsum(0) - 1
    counts = torch.diff(starts, append=starts.new_full((1,), flat.shape[0]))
    return Unique(sorted_[starts], order[starts], inverse.reshape(x.shape), counts)


def _order(flat: Array) -> Array:
    """Indices that sort, equal values in the order in which they come; complex numbers by their parts."""
    if not flat.dtype.is_complex:
        return torch.argsort(flat, stable=True)
    order = torch.argsort(flat.imag, stable=True)
    return order[torch.argsort(flat.real[order], stable=True)]


def unique_counts(x: Array, /) -> Counts:
    """Each value once, and how often it comes."""
    found = unique_all(x)
    return Counts(found.values, found.counts)


def unique_inverse(x: Array, /) -> Inverse:
    """Each value once, and which of them each element is."""
    found = unique_all(x)
    return Inverse(found.values, found.inverse_indices)


def unique_values(x: Array, /) -> Array:
    """Each value once."""
    return unique_all(x).values


# -- inspection --------------------------------------------------------------------------------------------------------


class _Info(type(compat.__array_namespace_info__())):  # type: ignore[misc]
    """array-api-compat's answers; it tries devices of which PyTorch warns."""

    def devices(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().devices()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "__array_namespace_info__": _Info,
    "asarray": asarray,
    "sign": sign,
    "std": std,
    "unique_all": unique_all,
    "unique_counts": unique_counts,
    "unique_inverse": unique_inverse,
    "unique_values": unique_values,
    "var": var,
}


# -- decompositions ----------------------------------------------------------------------------------------------------


class Eigenpairs(NamedTuple):
    """What ``eig`` and ``eigh`` return; PyTorch's own results are no named tuples."""

    eigenvalues: Array
    eigenvectors: Array


class QR(NamedTuple):
    """What ``qr`` returns."""

    Q: Array
    R: Array


class SignAndLogarithm(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Array
    logabsdet: Array


class SVD(NamedTuple):
    """What ``svd`` returns."""

    U: Array
    S: Array
    Vh: Array


def _named(name: str, made: Callable[..., Any]) -> Callable[..., Any]:
    function = getattr(linalg, name)

    def decomposition(x: Array, /, **options: Any) -> Any:
        return made(*function(x, **options))

    decomposition.__name__ = decomposition.__qualname__ = name
    return decomposition


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    name: _named(name, made)
    for name, made in {
        "eig": Eigenpairs,
        "eigh": Eigenpairs,
        "qr": QR,
        "slogdet": SignAndLogarithm,
        "svd": SVD,
    }.items()
}


# -- transforms --------------------------------------------------------------------------------------------------------


def _of_nothing_too(name: str) -> Callable[..., Any]:
    """A transform of empty stacks too, which MKL refuses; what comes of one is asked of the device without values."""
    function = getattr(fft, name)

    def transform(x: Array, /, **options: Any) -> Array:
        if not x.numel():
            out = function(torch.empty_like(x, device="meta"), **options)
            if not out.numel():
                return torch.empty(out.shape, dtype=out.dtype, device=x.device)
        return function(x, **options)

    transform.__name__ = transform.__qualname__ = name
    return transform


TRANSFORMS: dict[str, Callable[..., Any]] = {
    name: _of_nothing_too(name)
    for name in ("fft", "ifft", "fftn", "ifftn", "rfft", "irfft", "rfftn", "irfftn", "hfft", "ihfft")
}
