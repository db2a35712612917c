"""Random numbers in a function that is compiled: a program would repeat them, so they are refused."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agnograd import factories
from agnograd.errors import TraceError


@contextmanager
def watched(name: str, generators: Sequence[Any]) -> Iterator[None]:
    """Raise if random numbers were drawn within the block.

    Raises
    ------
    TraceError
    """
    before = _states(generators)
    yield
    if _states(generators) != before:
        msg = (
            f"{name} draws random numbers, which a compiled program would repeat for ever. Draw them outside and pass "
            f"them as arguments, or let agnograd.compile(f, fallback=True) run the function as it is."
        )
        raise TraceError(msg)


def _states(generators: Sequence[Any]) -> list[Any]:
    states: list[Any] = [random.getstate()]
    if "numpy.random" in sys.modules:
        import numpy as np

        state: Any = np.random.get_state()  # noqa: NPY002 - users' functions may draw from it
        states += [state[1].tobytes(), *state[2:]]
        known = [*factories._generator, *generators]
        states += [repr(getattr(g, "bit_generator", g).state) for g in known if hasattr(g, "bit_generator")]
    return states
