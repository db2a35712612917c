"""Fourier transforms: each adjoint is the opposite transform with the norm of the other direction.

The half spectrum of a real transform stands for a whole one, so its inner bins count twice (W. L. Briggs and V. E.
Henson, *The DFT: An Owner's Manual for the Discrete Fourier Transform*, 1995, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnograd.core.batching import along, shifted
from agnograd.core.cotangent import Spec
from agnograd.core.op import Op
from agnograd.core.sample import Sample, Uniform
from agnograd.core.tiers import composite, linear

Array = Any

_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _resized(xp: Any, x: Array, size: int, axis: int) -> Array:
    """Cut an axis to a size, or fill it up with zeros."""
    axis %= len(x.shape)
    have = x.shape[axis]
    if have == size:
        return x
    if have > size:
        return x[(*(slice(None),) * axis, slice(0, size), ...)]
    missing = (*x.shape[:axis], size - have, *x.shape[axis + 1 :])
    return xp.concat([x, xp.zeros(missing, dtype=x.dtype, device=xp.device(x))], axis=axis)


def _inner_twice(xp: Any, half: Array, size: int, axis: int) -> Array:
    """Count the bins of a half spectrum that stand for two of the whole one of `size`."""
    axis %= len(half.shape)
    bins = half.shape[axis]
    k = xp.reshape(xp.arange(bins, device=xp.device(half)), (bins, *(1,) * (len(half.shape) - axis - 1)))
    return xp.where((k == 0) | (2 * k == size), half, 2 * half)


def _fft_back(xp: Any, g: Array, x_spec: Spec, axis: int, norm: str) -> Array:
    return _resized(xp, xp.fft.ifft(g, axis=axis, norm=_OPPOSITE[norm]), x_spec.shape[axis], axis)


def _ifft_back(xp: Any, g: Array, x_spec: Spec, axis: int, norm: str) -> Array:
    return _resized(xp, xp.fft.fft(g, axis=axis, norm=_OPPOSITE[norm]), x_spec.shape[axis], axis)


def _rfft_back(xp: Any, g: Array, x_spec: Spec, n: int | None, axis: int, norm: str) -> Array:
    whole = _resized(xp, g, x_spec.shape[axis] if n is None else n, axis)
    return _resized(xp, xp.real(xp.fft.ifft(whole, axis=axis, norm=_OPPOSITE[norm])), x_spec.shape[axis], axis)


def _irfft_back(xp: Any, g: Array, x_spec: Spec, axis: int, norm: str) -> Array:
    half = xp.fft.rfft(g, axis=axis, norm=_OPPOSITE[norm])
    return _resized(xp, _inner_twice(xp, half, g.shape[axis], axis), x_spec.shape[axis], axis)


def _axes(ndim: int, s: Sequence[int] | None, axes: Sequence[int] | None) -> tuple[int, ...]:
    """The axes that are transformed: by default all, or the last ones that have a size in `s`."""
    if axes is not None:
        return tuple(a % ndim for a in axes)
    return tuple(range(0 if s is None else ndim - len(s), ndim))


def _all_resized(xp: Any, x: Array, shape: Sequence[int], axes: Sequence[int]) -> Array:
    for a in axes:
        x = _resized(xp, x, shape[a], a)
    return x


def _fftn_back(xp: Any, g: Array, x_spec: Spec, s: Any, axes: Any, norm: str) -> Array:
    over = _axes(len(g.shape), s, axes)
    return _all_resized(xp, xp.fft.ifftn(g, axes=over, norm=_OPPOSITE[norm]), x_spec.shape, over)


def _ifftn_back(xp: Any, g: Array, x_spec: Spec, s: Any, axes: Any, norm: str) -> Array:
    over = _axes(len(g.shape), s, axes)
    return _all_resized(xp, xp.fft.fftn(g, axes=over, norm=_OPPOSITE[norm]), x_spec.shape, over)


def _rfftn_back(xp: Any, g: Array, x_spec: Spec, s: Any, axes: Any, norm: str) -> Array:
    over = _axes(len(g.shape), s, axes)
    *_, last = over
    size = x_spec.shape[last] if s is None else s[-1]
    whole = xp.fft.ifftn(_resized(xp, g, size, last), axes=over, norm=_OPPOSITE[norm])
    return _all_resized(xp, xp.real(whole), x_spec.shape, over)


def _irfftn_back(xp: Any, g: Array, x_spec: Spec, s: Any, axes: Any, norm: str) -> Array:
    over = _axes(len(g.shape), s, axes)
    *_, last = over
    half = xp.fft.rfftn(g, axes=over, norm=_OPPOSITE[norm])
    return _all_resized(xp, _inner_twice(xp, half, g.shape[last], last), x_spec.shape, over)


def _along_several(run: Any, arrays: Any, mapped: Any, s: Any = None, axes: Any = None, **params: Any) -> Array:
    (x,) = arrays
    ndim = len(x.shape) - 1
    return run(x, s=s, axes=shifted(_axes(ndim, s, axes), ndim), **params)


_Z = Uniform(shape=(2, 5), kind="complex")
_X = Uniform(shape=(2, 5))


def _one_axis(x: Uniform) -> list[Sample]:
    """Even and odd lengths, cut and filled up, each norm, another axis."""
    return [
        Sample((x,)),
        Sample((x,), {"n": 4}),
        Sample((x,), {"n": 7, "norm": "ortho"}),
        Sample((x,), {"axis": 0, "norm": "forward"}),
    ]


def _several_axes(x: Uniform) -> list[Sample]:
    return [
        Sample((x,)),
        Sample((x,), {"axes": (0, 1), "s": (3, 4), "norm": "ortho"}),
        Sample((x,), {"axes": (1, 0), "norm": "forward"}),
    ]


_SIGNATURE = "(x, /, *, n=None, axis=-1, norm='backward')"
_SIGNATURE_N = "(x, /, *, s=None, axes=None, norm='backward')"

fft: Op = linear(f"fft.fft{_SIGNATURE}", batch=along(), x=_fft_back, samples=_one_axis(_Z))
ifft: Op = linear(f"fft.ifft{_SIGNATURE}", batch=along(), x=_ifft_back, samples=_one_axis(_Z))
rfft: Op = linear(f"fft.rfft{_SIGNATURE}", batch=along(), x=_rfft_back, samples=_one_axis(_X))
irfft: Op = linear(f"fft.irfft{_SIGNATURE}", batch=along(), x=_irfft_back, samples=_one_axis(_Z)[:3])
fftn: Op = linear(f"fft.fftn{_SIGNATURE_N}", batch=_along_several, x=_fftn_back, samples=_several_axes(_Z))
ifftn: Op = linear(f"fft.ifftn{_SIGNATURE_N}", batch=_along_several, x=_ifftn_back, samples=_several_axes(_Z))
rfftn: Op = linear(f"fft.rfftn{_SIGNATURE_N}", batch=_along_several, x=_rfftn_back, samples=_several_axes(_X))
irfftn: Op = linear(f"fft.irfftn{_SIGNATURE_N}", batch=_along_several, x=_irfftn_back, samples=_several_axes(_Z)[:2])


def _hfft(xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    return xp.fft.irfft(xp.conj(x), n=n, axis=axis, norm=_OPPOSITE[norm])


def _ihfft(xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    return xp.conj(xp.fft.rfft(x, n=n, axis=axis, norm=_OPPOSITE[norm]))


hfft: Op = composite(f"fft.hfft{_SIGNATURE}", body=_hfft, samples=_one_axis(_Z)[:3])
ihfft: Op = composite(f"fft.ihfft{_SIGNATURE}", body=_ihfft, samples=_one_axis(_X))
_SHIFTED = [Sample((_X,)), Sample((_X,), {"axes": 1}), Sample((_Z,), {"axes": (0, 1)})]

fftshift: Op = linear(
    "fft.fftshift(x, /, *, axes=None)",
    batch=along("axes", None),
    x=lambda xp, g, axes: xp.fft.ifftshift(g, axes=axes),
    samples=_SHIFTED,
)
ifftshift: Op = linear(
    "fft.ifftshift(x, /, *, axes=None)",
    batch=along("axes", None),
    x=lambda xp, g, axes: xp.fft.fftshift(g, axes=axes),
    samples=_SHIFTED,
)
