"""Ways out of a wrapper: Python scalars, plain arrays, DLPack; and indexing, which every wrapper shares.

A derivative is never lost in silence: what would take plain data out of a graph raises or, where Python's own protocols
leave no other choice, warns once for each place in the user's code.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from agnograd.core.array import Array, innermost
from agnograd.core.batch import check_single, detached
from agnograd.core.facts import describe, raw_space
from agnograd.core.forward import Dual
from agnograd.core.inplace import set_item
from agnograd.core.level import implicit_compute, records
from agnograd.core.nodes import Reverse
from agnograd.core.table import OPS
from agnograd.core.views import settled
from agnograd.errors import GradientLostError, GradientLostWarning, ImplicitComputeError

_warned_sites: set[tuple[str, int]] = set()


def carries_gradient(x: Any) -> bool:
    """Whether taking the plain data out of `x` would lose a derivative."""
    while isinstance(x, Array):
        if isinstance(x, Dual) or (isinstance(x, Reverse) and x._node is not None and records(x._node.level)):
            return True
        x = x._array
    return False


def _raw(x: Array, what: str) -> Any:
    value = settled(x)
    check_single(value, what)
    return innermost(value)


class Computes:
    """How often a lazy array was computed because a Python value or a NumPy array was asked of it."""

    count = 0


def _eager(raw: Any, what: str) -> Any:
    """The backend of a raw array whose values are asked for.

    Raises
    ------
    ImplicitComputeError
        If it would have to be computed for that, and options rule that out.
    """
    space = raw_space(raw)
    if space.lazy:
        if not implicit_compute.get():
            msg = (
                f"{what} would compute a lazy array ({describe(raw)}), and agnograd.config(implicit_compute=False) is "
                f"set. Keep to operations on arrays, with where() for a branch, or compute it together with all else "
                f"that is wanted, in one pass over the data: agnograd.compute(loss, x.grad)."
            )
            raise ImplicitComputeError(msg)
        Computes.count += 1
    return space.backend


def item(self: Array) -> Any:
    """The value of an array of one element as a Python scalar."""
    return _item(self, "item()")


def _item(x: Array, what: str) -> Any:
    if x.size not in (1, None):
        msg = f"an array of shape {x.shape} has no single value: {what} needs exactly one element"
        raise ValueError(msg)
    raw = _raw(x, what)
    return _eager(raw, what).to_scalar(raw)


def tolist(self: Array) -> Any:
    """The values as nested lists of Python scalars."""
    raw = _raw(self, "tolist()")
    return _eager(raw, "tolist()").to_host(raw).tolist()


def array(self: Array, dtype: Any = None, copy: bool | None = None) -> Any:
    """What ``numpy.asarray`` gives.

    Raises
    ------
    GradientLostError
        If a derivative would be lost.
    """
    value = settled(self)
    check_single(value, "a plain array")
    if carries_gradient(value):
        msg = (
            f"an array that carries a gradient cannot become a plain array silently ({describe(value)}): the gradient "
            f"would be lost. Use detach() for the values. If a library asked for this array, it may need "
            f"SCIPY_ARRAY_API=1 (SciPy) or array_api_dispatch=True (scikit-learn) to work on tensors."
        )
        raise GradientLostError(msg)
    raw = innermost(value)
    return _eager(raw, "numpy.asarray").to_array(raw, dtype, copy)


def dlpack(
    self: Array,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Export through DLPack.

    Raises
    ------
    GradientLostError
        If a derivative would be lost.
    """
    value = settled(self)
    check_single(value, "an export through DLPack")
    if carries_gradient(value):
        msg = f"an array that carries a gradient cannot be exported ({describe(value)}): use detach() for the values"
        raise GradientLostError(msg)
    raw = innermost(value)
    return _eager(raw, "an export through DLPack").to_dlpack(
        raw, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
    )


def dlpack_device(self: Array) -> Any:
    """Device type and number, as DLPack counts them."""
    raw = _raw(self, "an export through DLPack")
    return raw_space(raw).backend.dlpack_device(raw)


def _scalar(x: Array, convert: Callable[[Any], Any]) -> Any:
    value = settled(x)
    check_single(value, f"{convert.__name__}()")
    if value.size not in (1, None):
        msg = f"only an array of one element becomes a Python {convert.__name__}, this one has shape {value.shape}"
        raise TypeError(msg)
    if carries_gradient(value):
        frame = sys._getframe(2)
        site = (frame.f_code.co_filename, frame.f_lineno)
        if site not in _warned_sites:
            msg = (
                f"an array that carries a gradient ({describe(value)}) becomes a Python {convert.__name__} here and "
                f"leaves the graph. Use .item() if that is meant, or .detach() first."
            )
            warnings.warn(msg, GradientLostWarning, stacklevel=3)
            _warned_sites.add(site)  # not where the warning is an error: that is raised every time
    return convert(_item(value, f"{convert.__name__}()"))


def _float(self: Array) -> float:
    return float(_scalar(self, float))


def _int(self: Array) -> int:
    return int(_scalar(self, int))


def _complex(self: Array) -> complex:
    return complex(_scalar(self, complex))


def _index(self: Array) -> int:
    if not raw_space(self).isdtype(self.dtype, "integral"):
        msg = f"only integer arrays can be an index, this one has dtype {self.dtype}"
        raise TypeError(msg)
    return int(_scalar(self, int))


def _bool(self: Array) -> bool:
    if self.size not in (1, None):
        msg = f"the truth value of an array of shape {self.shape} is ambiguous: use any() or all()"
        raise ValueError(msg)
    return bool(_item(self, "a truth value"))


def _setitem(self: Array, key: Any, value: Any) -> None:
    set_item(self, plain_key(self, key), value)


# Types of the parts of an index of which none carries anything: such an index makes a view.
BASIC: frozenset[type] = frozenset((int, slice, type(None), type(Ellipsis)))


def plain_key(x: Array, key: Any) -> Any:
    """An index without derivatives, which it never carries: wrappers opened, but batches; lists made arrays."""
    if type(key) is tuple:
        return tuple([plain_key(x, k) for k in key])
    if isinstance(key, Array):
        return detached(settled(key))
    if type(key) is list:
        raw = innermost(settled(x))
        return raw_space(raw).asarray(key, device=raw_space(raw).device(raw))
    return key


def to_device(self: Array, device: Any, /, *, stream: Any = None) -> Any:
    """The array on another device; the gradient travels back."""
    return OPS["to_device"].call(self, device=device, stream=stream)


for _name, _method in {
    "item": item,
    "tolist": tolist,
    "to_device": to_device,
    "__array__": array,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
    "__float__": _float,
    "__int__": _int,
    "__complex__": _complex,
    "__index__": _index,
    "__bool__": _bool,
    "__setitem__": _setitem,
}.items():
    setattr(Array, _name, _method)
