"""Operations: each a formula in names of the array API standard, its derivative, and samples to test it on."""

from __future__ import annotations

import math

from agnograd.hookspecs import Sample, Uniform, elementwise

# log(cosh(x)) would overflow; |x| + log1p(exp(-2|x|)) - log(2) is the same and does not.
log_cosh = elementwise(
    "template.log_cosh(x, /)",
    body=lambda xp, x: xp.abs(x) + xp.log1p(xp.exp(-2 * xp.abs(x))) - math.log(2),
    x=lambda xp, g, x: g * xp.tanh(x),
    samples=[Sample((Uniform(shape=(2, 3)),)), Sample((Uniform(shape=(3,), low=-900.0, high=-800.0),))],
    doc="The logarithm of the hyperbolic cosine.",
)
