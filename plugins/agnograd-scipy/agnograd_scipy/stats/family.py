"""How a distribution is declared: one operation for each of its functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agnograd.hookspecs import Op, Sample, composite

Array = Any
NUMBERS = (int, float)


def family(name: str, signature: str, samples: Iterable[Sequence[Any]], **bodies: Callable[..., Array]) -> list[Op]:
    """The functions of a distribution, which take the same arguments.

    Parameters
    ----------
    name : str
        The distribution.
    signature : str
        Its arguments, all of which may be arrays.
    samples : iterable of sequence
        Arguments to test with.
    **bodies
        ``body(xp, *arguments)`` for each function.
    """
    arrays = [part.partition("=")[0].strip() for part in signature.split(",")]
    given = [Sample(tuple(arguments)) for arguments in samples]
    return [
        composite(f"scipy.stats.{name}.{function}({signature})", arrays=arrays, body=body, samples=given)
        for function, body in bodies.items()
    ]


def array(xp: Any, x: Any, like: Array) -> Array:
    """A Python number as an array beside others; an array of integers as floating-point numbers."""
    if isinstance(x, NUMBERS):
        return xp.full((), x, dtype=like.dtype, device=xp.device(like))
    return xp.astype(x, like.dtype) if xp.isdtype(x.dtype, "integral") else x


def standardised(xp: Any, x: Any, loc: Any, scale: Any) -> Array:
    """``(x - loc) / scale``, an array of floating-point numbers."""
    known = [v for v in (x, loc, scale) if not isinstance(v, NUMBERS)]
    if not known:
        return xp.asarray((x - loc) / scale)
    floats = [v for v in known if not xp.isdtype(v.dtype, "integral")]
    if not floats:
        x = xp.astype(known[0], xp.float64)
        return standardised(xp, x, loc, scale) if known[0] is not x else x
    x, loc, scale = [v if isinstance(v, NUMBERS) else array(xp, v, floats[0]) for v in (x, loc, scale)]
    y = x - loc if not isinstance(loc, NUMBERS) or loc != 0 else x
    return y / scale if not isinstance(scale, NUMBERS) or scale != 1 else y


def log_of(xp: Any, scale: Any) -> Any:
    """The logarithm of a Python number or an array."""
    return math.log(scale) if isinstance(scale, NUMBERS) else xp.log(scale)


def log_of_probability(xp: Any, p: Array, rest: Array) -> Array:
    """The logarithm of a probability, by what is missing to 1 where that is the smaller part."""
    low = p < 0.5
    return xp.where(low, xp.log(xp.where(low, p, 1)), xp.log1p(-xp.where(low, 0, rest)))
