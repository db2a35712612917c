"""A call of a third-party function as data: what is called, with which arrays, and which of them are differentiated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One row of the tables.

    Attributes
    ----------
    client, name : str
        Library and function; what follows a colon tells apart several cases of one function.
    call : callable
        Takes the arguments, and returns arrays in any tuples, dictionaries or results with fields.
    args, options : tuple, mapping
        NumPy arrays among the arguments become tensors.
    wrt : tuple of int
        Places of the arguments that are differentiated.
    special : bool
        Whether it needs ``xp.special``, which the plugin agnograd-special provides.
    zero_safe : bool
        Whether it computes what is not finite and throws it away, which takes ``agnograd.zero_safe()``.
    tolerance : float
        What the derivatives may differ by, where the function itself is not accurate to the last digits.
    """

    client: str
    name: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] = (0,)
    special: bool = False
    zero_safe: bool = False
    tolerance: float = 1e-6

    @property
    def function(self) -> str:
        """The name of the function, without what tells its cases apart."""
        return self.name.partition(":")[0]

    @property
    def area(self) -> str:
        """The part of the library that the function belongs to."""
        return self.name.rpartition(".")[0] if "." in self.function else ""


class Table(list[Case]):
    """The cases of a client; calling it adds one.

    Parameters
    ----------
    client : str
        Name of the distribution.
    root : module, optional
        Where the names of functions are looked up.
    """

    def __init__(self, client: str, root: Any = None) -> None:
        super().__init__()
        self.client = client
        self.root = root

    def __call__(
        self,
        name: str,
        *args: Any,
        do: Callable[..., Any] | None = None,
        wrt: int | tuple[int, ...] = 0,
        special: bool = False,
        zero_safe: bool = False,
        tolerance: float = 1e-6,
        **options: Any,
    ) -> None:
        """Add a case; `do` is called in place of the function that the name says."""
        if do is None:
            do = self.root
            for part in name.partition(":")[0].split("."):
                do = getattr(do, part)
        assert name not in {case.name for case in self}, name
        places = (wrt,) if isinstance(wrt, int) else wrt
        self.append(Case(self.client, name, do, args, options, places, special, zero_safe, tolerance))


def normal(*shape: int, seed: int = 0, dtype: Any = float) -> Any:
    """Normally distributed numbers, the same in every run."""
    draw = np.random.default_rng(seed).normal
    return draw(size=shape) if dtype is float else draw(size=shape) + 1j * draw(size=shape)


def uniform(*shape: int, low: float = 0.1, high: float = 0.9, seed: int = 0) -> Any:
    """Uniformly distributed numbers, the same in every run."""
    return np.random.default_rng(seed).uniform(low, high, size=shape)
