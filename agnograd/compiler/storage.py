"""Buffers of a program: which variable is kept in which, so that few are needed and nothing is allocated per call."""

from __future__ import annotations

from collections.abc import Iterable

from agnograd.compiler.program import Var

# Larger arrays are allocated in each call, so that a program which is kept does not keep their memory.
MOST = 1 << 20
# Bytes of all buffers.
TOTAL = 1 << 26


class Buffers:
    """Memory in pieces, each taken by one variable at a time.

    Attributes
    ----------
    sizes : list of int
        Bytes of each.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._free: dict[int, list[int]] = {}

    def take(self, nbytes: int) -> int | None:
        """A free buffer of that many bytes, or a little more; None where there would be too many."""
        size = _rounded(nbytes)
        free = self._free.get(size)
        if free:
            return free.pop()
        if size > MOST or sum(self.sizes) + size > TOTAL:
            return None
        self.sizes.append(size)
        return len(self.sizes) - 1

    def give(self, buffer: int) -> None:
        """Let others have a buffer."""
        self._free.setdefault(self.sizes[buffer], []).append(buffer)


def _rounded(nbytes: int) -> int:
    """Sizes of buffers, few of them: steps of a cache line, then of an eighth."""
    if nbytes <= 1024:
        return max(64, -(-nbytes // 64) * 64)
    step = 1 << (nbytes.bit_length() - 4)
    return -(-nbytes // step) * step


def total_bytes(variables: Iterable[Var]) -> int:
    """Bytes of some arrays."""
    return sum(v.size * v.dtype.itemsize for v in variables)
