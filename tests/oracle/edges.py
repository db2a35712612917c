"""Arguments at which a derivative is a convention, jumps or does not exist, beside the samples of the table."""

from __future__ import annotations

import math

from agnograd.core.formulas import edge

INF, NAN = math.inf, math.nan

# Both sides of a branch cut: the sign of zero says which.
ABOVE, BELOW = 0.0, -0.0


def on_cut(*points):
    return [edge([complex(re, im) for re, im in points])]


ON_NEGATIVE_AXIS = on_cut((-1.0, ABOVE), (-1.0, BELOW), (-3.0, ABOVE))
OUTSIDE_UNIT_INTERVAL = on_cut((2.0, ABOVE), (2.0, BELOW), (-2.0, ABOVE), (-2.0, BELOW))
OUTSIDE_IMAGINARY_UNIT_INTERVAL = on_cut((ABOVE, 2.0), (BELOW, 2.0), (ABOVE, -2.0), (BELOW, -2.0))

SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
ZEROS = [[0.0, 0.0], [0.0, 0.0]]
UNIT = [[1.0, 0.0], [0.0, 1.0]]
RANK_ONE = [[1.0, 2.0, 2.0], [2.0, 4.0, 4.0], [-1.0, -2.0, -2.0]]

EDGES = {
    "abs": [edge([0.0, -0.0, -1.0]), edge([0j, 3 + 4j]), edge([INF, -INF, NAN])],
    "acos": [edge([1.0, -1.0, 2.0]), *OUTSIDE_UNIT_INTERVAL],
    "acosh": [edge([1.0, 0.5]), *on_cut((-2.0, ABOVE), (-2.0, BELOW), (0.5, ABOVE), (0.5, BELOW))],
    "asin": [edge([1.0, -1.0, 2.0]), *OUTSIDE_UNIT_INTERVAL],
    "asinh": [edge([INF, 0.0]), *OUTSIDE_IMAGINARY_UNIT_INTERVAL],
    "atan": [edge([INF, 0.0]), *OUTSIDE_IMAGINARY_UNIT_INTERVAL],
    "atan2": [
        edge([0.0, -0.0, 0.0], [0.0, 0.0, -1.0]),
        edge([1e200, 1e-200], [1e200, 1e-200]),
        edge([1.0, INF], [INF, 1.0]),
    ],
    "atanh": [edge([1.0, -1.0]), *OUTSIDE_UNIT_INTERVAL],
    "ceil": [edge([0.0, 1.0, -1.5])],
    "clip": [
        edge([0.0, 0.5, 1.0, 2.0, -1.0], min=0.0, max=1.0),
        edge([0.5, 3.0], min=2.0, max=1.0),
        edge([1.0, NAN], min=0.0, max=1.0),
        edge([0.0, 1.0], max=0.0),
    ],
    "copysign": [edge([0.0, -2.0, 2.0], [1.0, 0.0, -0.0])],
    "cumulative_prod": [
        edge([2.0, 0.0, 3.0, 4.0]),
        edge([[0.0, 2.0], [0.0, 3.0]], axis=0),
        edge([0j, 1 + 1j, 2j]),
        edge([0.0, 0.0, 3.0], include_initial=True),
    ],
    "cumulative_sum": [edge([1.0, INF, 2.0])],
    "divide": [edge([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), edge([0j, 1j], [1j, 0j])],
    "exp": [edge([-INF, 0.0, 800.0])],
    "expm1": [edge([-INF, 0.0, 1e-20])],
    "floor": [edge([0.0, 1.0, -1.5])],
    "floor_divide": [edge([4.0, -7.0], [2.0, 2.0])],
    "getitem": [edge([1.0, 2.0, 3.0], key=[0, 0, 0]), edge([1.0, 2.0, 3.0], key=slice(0, 0))],
    "hypot": [edge([0.0, 0.0, -3.0], [0.0, -4.0, 0.0]), edge([1e200, 1e-200], [1e200, 1e-200])],
    "imag": [edge([0j, 1 + 1j])],
    "linalg.cholesky": [edge([[4.0, 2.0], [2.0, 3.0]]), edge([[4.0, 2j], [-2j, 3.0]])],
    "linalg.det": [edge(SINGULAR), edge(ZEROS), edge(RANK_ONE), edge([[0.0, 1.0], [1.0, 0.0]])],
    "linalg.eigvalsh": [edge(UNIT), edge(ZEROS)],
    "linalg.matrix_norm": [
        edge(ZEROS),
        *(edge(ZEROS, ord=ord) for ord in (1, -1, INF, -INF)),
        *(edge(UNIT, ord=ord) for ord in (1, -1, INF, -INF, "nuc")),
        edge([[3.0, 4.0], [0.0, 0.0]]),
        edge(SINGULAR, ord="nuc"),
    ],
    "linalg.pinv": [edge([[1.0, 1.0], [1.0, 1.0]]), edge([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])],
    "linalg.slogdet": [edge([[0.0, 1.0], [1.0, 0.0]]), edge([[0.0, 1j], [1.0, 0.0]])],
    "linalg.svdvals": [edge(UNIT), edge(SINGULAR), edge([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]])],
    "linalg.vector_norm": [
        *(edge([0.0, 0.0], ord=ord) for ord in (2, 1, 0, 3, 1.5, INF)),
        edge([0.0, 4.0], ord=0.5),
        edge([0.0, -4.0]),
        edge([3.0, -3.0, 1.0], ord=INF),
        edge([3.0, -1.0, 1.0], ord=-INF),
        edge([3 + 4j, 5j, 1.0], ord=INF),
        edge([0j, 0j]),
        edge([0j, 0j], ord=1),
        edge([[0.0, 0.0], [3.0, 4.0]], axis=1),
    ],
    "log": [edge([0.0, -1.0, INF]), *ON_NEGATIVE_AXIS, edge([0j])],
    "log10": [edge([0.0, -1.0]), *ON_NEGATIVE_AXIS],
    "log1p": [edge([-1.0, 0.0, 1e-20]), *on_cut((-2.0, ABOVE), (-2.0, BELOW))],
    "log2": [edge([0.0, -1.0]), *ON_NEGATIVE_AXIS],
    "log_softmax": [edge([1000.0, 0.0]), edge([2.0, 2.0]), edge([-INF, 0.0])],
    "logaddexp": [edge([-INF, INF, INF, 1.0], [-INF, INF, 1.0, -INF]), edge([1000.0, 0.0], [0.0, 1000.0])],
    "logsumexp": [edge([1000.0, 1000.0]), edge([2.0, 2.0, -INF]), edge([-1000.0, -1001.0])],
    "matmul": [edge([[INF, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])],
    "max": [
        edge([2.0, 2.0, 1.0]),
        edge([[1.0, 1.0, 1.0]], axis=1),
        edge([[1.0, 2.0], [2.0, 1.0]], axis=(0, 1)),
        edge([NAN, 1.0]),
        edge([INF, INF, 1.0]),
    ],
    "maximum": [edge([1.0, 1.0], [1.0, 2.0]), edge([NAN, 1.0], [1.0, NAN]), edge([INF, -INF], [INF, -INF])],
    "mean": [edge([INF, 1.0])],
    "min": [edge([1.0, 1.0, 2.0]), edge([[1.0, 1.0, 1.0]], axis=1), edge([NAN, 1.0])],
    "minimum": [edge([1.0, 1.0], [1.0, 2.0]), edge([NAN, 1.0], [1.0, NAN])],
    "multiply": [edge([INF, 0.0], [0.0, INF])],
    "nextafter": [edge([1.0, 1.0], [2.0, 1.0])],
    "norm": [edge([0.0, 0.0]), edge([0j, 0j])],
    "pow": [
        edge([0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 2.0, 0.5, -1.0]),
        edge([-2.0, -2.0, -2.0], [2.0, 0.5, -1.0]),
        edge([2.0, 0.5], [0.0, 1.0]),
        edge([-2.0, 2.0], [1 + 1j, 0.5j]),
        edge([0.0, 2.0], 0),
        edge([0.0, 2.0], 0.0),
        edge([0.0, 2.0], 1.0),
        edge([0.0, 2.0], 2),
        edge([0.0, 4.0], 0.5),
        edge(0.0, [0.0, 2.0]),
        edge([0j, 0j], [2 + 0j, 1 + 0j]),
        edge([0j, 2j], 2),
        edge([complex(-1.0, ABOVE), complex(-1.0, BELOW)], [0.5 + 0j, 0.5 + 0j]),
    ],
    "prod": [
        edge([0.0, 2.0, 3.0]),
        edge([0.0, 0.0, 3.0]),
        edge([[0.0, 2.0, 3.0]], axis=1),
        edge([[0.0, 1.0], [2.0, 0.0]]),
        edge([0j, 1 + 1j, 2j]),
        edge([INF, 2.0]),
    ],
    "reciprocal": [edge([0.0, -0.0]), edge([0j])],
    "remainder": [edge([4.0, -4.0, 0.0], [2.0, 2.0, 2.0]), edge([-7.0, 7.0], [2.5, -2.5])],
    "round": [edge([0.5, 1.5, -0.5])],
    "scatter_add": [edge([1.0, 2.0], [0, 0, 0], [1.0, 2.0, 3.0])],
    "setitem": [edge([1.0, 2.0], 5.0, key=0), edge([1.0, NAN], [2.0], key=slice(1, 2))],
    "sign": [edge([0.0, -0.0, 2.0]), edge([3 + 4j, 0j])],
    "softmax": [edge([1000.0, 0.0]), edge([2.0, 2.0]), edge([-INF, 0.0])],
    "sort": [
        edge([1.0, 2.0, 1.0, 2.0]),
        edge([1.0, 2.0, 1.0, 2.0], descending=True),
        edge([[1.0, 0.0], [1.0, 0.0]], axis=0),
        edge([1.0, INF, -INF]),
    ],
    "sqrt": [edge([0.0, -1.0, 4.0]), *ON_NEGATIVE_AXIS],
    "square": [edge([0.0, INF])],
    "std": [
        edge([2.0, 2.0, 2.0]),
        edge([5.0]),
        edge([[1.0, 1.0], [1.0, 3.0]], axis=1),
        edge([1.0, 3.0], correction=2.0),
    ],
    "sum": [edge([INF, -INF])],
    "take": [edge([1.0, 2.0, 3.0], [1, 1, 1])],
    "take_along_axis": [edge([[1.0, 2.0]], [[0, 0, 0]])],
    "tan": [edge([0.0, -0.0])],
    "tanh": [edge([INF, -INF, 0.0]), edge([800.0])],
    "trunc": [edge([0.0, 1.0, -1.5])],
    "var": [edge([5.0]), edge([2.0, 2.0]), edge([1.0, 3.0], correction=2.0), edge([1.0, 3.0], correction=3.0)],
    "where": [
        edge([True, False], [1.0, NAN], [NAN, 2.0]),
        edge([True, False], [1.0, INF], [INF, 2.0]),
        edge([True, False], 1.0, [NAN, 2.0]),
    ],
}

# Functions of arrays that the table holds for parameters, or that it has not, in names that torch has, too.
MORE = [
    (lambda xp, x, low, high: xp.clip(x, low, high), [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]),
    (lambda xp, x, low, high: xp.clip(x, low, high), [-0.5, 5.0, 0.5], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
    (lambda xp, x, low, high: xp.clip(x, low, high), [0.5, 1.5, 3.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]),
    (lambda xp, x, low: xp.clip(x, low), [[-0.5, 5.0]], [[0.0], [1.0]]),
    (lambda xp, x, first, last: xp.diff(x, prepend=first, append=last), [1.0, 2.0, 4.0], [0.5], [5.0, 7.0]),
    (lambda xp, x, last: xp.diff(x, n=2, append=last), [[1.0, 2.0, 4.0]], [[0.5]]),
    (lambda xp, x, y: xp.meshgrid(x, y, indexing="ij"), [1.0, 2.0, 3.0], [4.0, 5.0]),
    (lambda xp, x, y: xp.meshgrid(x, y, indexing="xy"), [1.0, 2.0, 3.0], [4.0, 5.0]),
]
