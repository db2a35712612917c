"""The functions of agnograd-special that torch has, too, held against its own."""

from __future__ import annotations

import math

import numpy as np
import torch
from oracle import counterparts
from oracle.comparison import compare, drawn_like
from oracle.deviations import Deviation

from agnograd.testing import cases, over_cases
from agnograd.testing.matrix import DOUBLE

# Where torch's signature is another.
COUNTERPARTS = {
    "log_softmax": lambda x, axis=None: counterparts.COUNTERPARTS["log_softmax"](x, axis=axis),
    "logsumexp": lambda x, axis=None, b=1.0, keepdims=False: counterparts.COUNTERPARTS["logsumexp"](
        x + math.log(b), axis=axis, keepdims=keepdims
    ),
    "polygamma": lambda n, x: torch.special.polygamma(int(n), x),
    "softmax": lambda x, axis=None: counterparts.COUNTERPARTS["softmax"](x, axis=axis),
}
# Edges at which torch gives NaN, and why the gradient that the sample states is another.
DIFFERENT = {
    ("special.entr", "[0.0,-1.0,1.0]"): "-inf is constant outside the domain",
    ("special.gammainc", "1.0,[0.0]"): "1 - exp(-x) has the slope 1 at 0",
    ("special.xlog1py", "[0.0,0.0,0.0],[-1.0,-2.0,1.718281828459045]"): "0 log1p(y) is 0 for every y",
    ("special.xlogy", "[0.0,0.0,0.0],[0.0,-1.0,2.718281828459045]"): "0 log(y) is 0 for every y",
}

# torch's trigamma function, and those beyond it, have no more correct digits.
IMPRECISE = {"digamma", "psi", "polygamma"}


def in_torch(case):
    prefix, _, name = case.op.name.partition(".")
    if prefix != "special" or case.op.tier == "none" or not hasattr(torch.special, name):
        return False
    # torch has these for real numbers, polygamma for one order, and no derivative of these two in their parameter.
    number = isinstance(case.sample.arrays[0], (int, float))
    return not case.is_complex and (number or name not in {"polygamma", "gammainc", "gammaincc"})


@over_cases(in_torch, precisions=(DOUBLE,), backends=("numpy",))
def test_special(agnograd_row, agnograd_case, agnograd_precision):
    case = agnograd_case
    name = case.op.name.partition(".")[2]
    counterpart = COUNTERPARTS.get(name, getattr(torch.special, name))
    cotangent = np.ones_like if case.is_edge else drawn_like
    deviation = None
    if (case.op.name, case.id) in DIFFERENT:
        stated = tuple(g for g in case.sample.gradient if g is not None)
        deviation = Deviation(stated, DIFFERENT[case.op.name, case.id])
    compare(case.op, counterpart, case.sample, cotangent, deviation, tolerance=1e-8 if name in IMPRECISE else 1e-10)


def test_what_is_different_is_tested():
    assert set(DIFFERENT) <= {(case.op.name, case.id) for case in cases("special.*") if in_torch(case)}
