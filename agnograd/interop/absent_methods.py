"""Methods of PyTorch's and JAX's arrays that are not here: asking for one says what to write."""

from __future__ import annotations

from typing import Any, NoReturn

from agnograd.core.array import Array

# Of `agnograd.elsewhere`, which is imported only where one was asked for.
METHODS = frozenset(
    """
    add_ at block_until_ready bmm clamp contiguous copy_ cpu cuda cumprod cumsum dim div_ dot double expand fill_
    float gather half index_select is_cuda long masked_fill mm mul_ mv numel permute relu sigmoid split sub_ t to
    unsqueeze zero_
    """.split()  # noqa: SIM905 - a list takes a line for each
)


class Absent:
    """A name that no array has, whatever class is asked: ``hasattr`` says no."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, x: Any, cls: type) -> NoReturn:
        from agnograd import elsewhere

        if x is None:
            msg = f"type object {cls.__name__!r} has no attribute {self.name!r}"
        else:
            msg = f"{cls.__name__!r} object has no attribute {self.name!r}{elsewhere.hint(self.name)}"
        raise AttributeError(msg, name=self.name, obj=x)


def _names(self: Array) -> list[str]:
    return [name for name in object.__dir__(self) if name not in METHODS]


for _name in METHODS:
    setattr(Array, _name, Absent(_name))
setattr(Array, "__dir__", _names)  # noqa: B010 - mypy would have the method declared
