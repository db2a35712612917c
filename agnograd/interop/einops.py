"""einops on tensors: ``rearrange``, ``reduce``, ``repeat``, ``pack``, ``unpack`` and ``einsum``.

einops finds libraries by the subclasses of its ``AbstractBackend``. ``einops.array_api`` asks an array for its
namespace and needs none of this.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from agnograd.core.array import Array
from agnograd.core.facts import raw_space
from agnograd.core.table import OPS

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def register() -> Any:
    """Make einops' functions work on tensors; a second call changes nothing.

    Returns
    -------
    type
        The class by which einops knows tensors. It must stay alive, which this module sees to.

    Examples
    --------
    >>> import agnograd as ag
    >>> import einops
    >>> import agnograd.interop.einops
    >>> _ = agnograd.interop.einops.register()
    >>> x = ag.ones(2, 3, requires_grad=True)
    >>> einops.reduce(x, "a b -> b", "sum")
    tensor([2., 2., 2.], grad_fn=<SumBackward0>)
    """
    from einops._backends import AbstractBackend

    return type("AgnogradBackend", (_Functions, AbstractBackend), {"framework_name": "agnograd"})


class _Functions:
    """What einops asks of a library. The operations say themselves on which backend they run."""

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Array)

    def from_numpy(self, x: Any) -> Any:
        from agnograd.factories import asarray

        return asarray(x)

    def to_numpy(self, x: Any) -> Any:
        return x.__array__()

    def arange(self, start: int, stop: int) -> Any:
        from agnograd.factories import arange

        return arange(start, stop)

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        return OPS["permute_dims"].call(x, tuple(axes))

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return OPS["reshape"].call(x, tuple(shape))

    def reduce(self, x: Any, operation: str, axes: Sequence[int]) -> Any:
        return OPS[operation].call(x, axis=tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Any]) -> Any:
        return OPS["stack"].call(tensors)

    def add_axis(self, x: Any, new_position: int) -> Any:
        return OPS["expand_dims"].call(x, axis=new_position)

    def tile(self, x: Any, repeats: Sequence[int]) -> Any:
        return OPS["tile"].call(x, tuple(repeats))

    def concat(self, tensors: Sequence[Any], axis: int) -> Any:
        return OPS["concat"].call(list(tensors), axis=axis)

    def is_float_type(self, x: Any) -> bool:
        return bool(raw_space(x).isdtype(x.dtype, "real floating"))

    def einsum(self, pattern: str, *x: Any) -> Any:
        return OPS["einsum"].call(pattern, *x)
