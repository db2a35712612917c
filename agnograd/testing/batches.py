"""Batches of a sample's arguments: the sample itself, and others that are defined wherever it is."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agnograd import jvp, vjp
from agnograd.autograd.hosts import to_host
from agnograd.core.batch import warned
from agnograd.core.op import Op
from agnograd.core.sample import Uniform
from agnograd.errors import BatchLoopWarning
from agnograd.testing.gradcheck import leaves, rebuild
from agnograd.testing.matrix import Row, rows
from agnograd.testing.samples import Arguments, Case, cast, draw

Array = Any

# As large as axes of many samples are: where sizes are equal by chance, axes that are confused give no error.
SIZE = 3


@dataclass(frozen=True)
class Batch:
    """Members of a batch, the first of which is a sample of the table.

    Attributes
    ----------
    row : Row
    first : Arguments
        The sample on that row.
    host : Arguments
        The sample on NumPy, where loops run that results are compared with.
    members : tuple of tuple
        For each member its arguments, NumPy arrays and Python numbers.
    """

    row: Row
    first: Arguments
    host: Arguments
    members: tuple[tuple[Any, ...], ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """The arguments that are arrays, and so may differ from member to member."""
        return tuple(i for i, x in enumerate(self.first.host) if hasattr(x, "dtype"))

    def choices(self) -> list[tuple[int, ...]]:
        """Arguments that are batched together: each alone, and all."""
        return list(dict.fromkeys([*((i,) for i in self.positions), self.positions]))

    def axes(self, chosen: Sequence[int], axis: int = 0) -> list[int | None]:
        """Which axis of each argument is that of the batch."""
        return [axis if i in chosen else None for i in range(len(self.host.arrays))]

    def arguments(self, chosen: Sequence[int], axis: int = 0, shifts: Sequence[int] = ()) -> list[Any]:
        """All arguments on the row; those `chosen` of all members, and others the sample's.

        With `shifts` there is a batch of batches, for each of them one whose members are moved on by so many places.
        """
        import numpy as np

        def whole(i: int) -> Array:
            once = np.stack([member[i] for member in self.members], axis=axis)
            return self.row.asarray(np.stack([np.roll(once, n, axis) for n in shifts]) if shifts else once)

        return [whole(i) if i in chosen else x for i, x in enumerate(self.first.arrays)]

    def nobody(self, chosen: Sequence[int]) -> list[Any]:
        """All arguments on the row; those `chosen` a batch of no members."""
        import numpy as np

        return [
            self.row.asarray(np.empty((0, *self.host.host[i].shape), self.host.host[i].dtype)) if i in chosen else x
            for i, x in enumerate(self.first.arrays)
        ]

    def member(self, k: int, chosen: Sequence[int], j: int = 0, others: Sequence[int] = ()) -> list[Any]:
        """All arguments on NumPy: those `chosen` of member `k`, `others` of member `j`, the rest the sample's."""
        return [
            self.members[k][i] if i in chosen else self.members[j][i] if i in others else x
            for i, x in enumerate(self.host.arrays)
        ]


def batch(case: Case, row: Row, precision: str) -> Batch:
    """Arguments like those of a sample on a row, several times."""
    given = case.sample.arrays
    drawn = [draw(case.op, case.sample, k) for k in range(SIZE)]
    members = [
        tuple(
            cast(x if isinstance(y, Uniform) else _other(case.op, x, k), precision)
            for x, y in zip(xs, given, strict=True)
        )
        for k, xs in enumerate(drawn)
    ]
    (host,) = rows(["numpy"])
    return Batch(row, case.build(row, precision), case.build(host, precision), tuple(members))


def _other(op: Op, x: Any, k: int) -> Any:
    """Other values in place of those that a sample writes out."""
    import numpy as np

    if not hasattr(x, "dtype"):
        return x
    # Multiples of a matrix are what it is: definite, singular, triangular. A function of elements, and an index, are
    # defined for each element alone.
    return x * (1 + k / 4) if x.dtype.kind in "fc" and op.tier != "elementwise" else np.roll(x, k)


# -- results -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def without_loops() -> Iterator[None]:
    """Fail where an operation has no batching rule and runs in a loop."""
    warned.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", BatchLoopWarning)
        yield


def stacked(results: Sequence[Any], axis: int = 0) -> Any:
    """Results of a loop on NumPy as one: trees of arrays along a new axis."""
    import numpy as np

    columns = zip(*map(leaves, results), strict=True)
    return rebuild(results[0], [np.stack([to_host(x) for x in column], axis=axis) for column in columns])


def derivatives(made: Arguments, cotangent: Any, tangents: Sequence[Array]) -> tuple[Any, Any]:
    """The gradients of an operation for a cotangent, and the tangent for tangents of its arguments."""
    f = made.function()
    _, pullback = vjp(f, *made.primals)
    return pullback(cotangent), jvp(f, tuple(made.primals), tuple(tangents))[1]
