"""Every transformation within every other, against closed forms.

A function of one number is known by its derivatives, and so is what a transformation makes of it. Custom rules are
wrong by a factor on purpose: so it shows whether they were used.
"""

from __future__ import annotations

import numpy as np
import pytest
from made_tensors import host, raw

import agnograd as ag
from agnograd.errors import MissingRuleError, NoGraphError

POINT = 0.75
# sin(2 x) and its derivatives
BASE = tuple(2.0**k * np.sin(2 * POINT + k * np.pi / 2) for k in range(5))


def base(x):
    return ag.sin(2 * x)


def of_derivatives(f):
    return f[1:]


def same_function(f):
    return f


def times(factor):
    return lambda f: (f[0], *(factor * d for d in f[1:]))


def constant_slope(f):
    """The derivative is a number of the user's own graph: a constant to whatever is around."""
    return (f[1], *(0.0 for _ in f[2:]))


def jvp(s):
    return lambda x: ag.jvp(s, (x,), (ag.ones_like(x),))[1]


def vmap(s):
    return lambda x: ag.vmap(s)(ag.stack([x, 3 * x]))[0]


def checkpoint(s):
    return lambda x: ag.checkpoint(s, x)


def custom_vjp(s):
    f = ag.custom_vjp(s)
    f.defvjp(lambda x: (s(x), x), lambda x, g: (2 * g * ag.grad(s)(x),))
    return f


def function(s):
    class F(ag.autograd.Function):
        @staticmethod
        def forward(x):
            return s(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 3 * g * ag.grad(s)(ctx.saved_tensors[0])

        @staticmethod
        def jvp(ctx, t):
            return 3 * t * ag.grad(s)(ctx.saved_tensors[0])

    return F.apply


def backward(s):
    def derivative(x):
        # Forward passes of custom rules run without a graph.
        with ag.enable_grad():
            end = x.detach().requires_grad_()
            s(end).backward()
        return end.grad

    return derivative


TRANSFORMATIONS = {
    "grad": (ag.grad, of_derivatives),
    "jvp": (jvp, of_derivatives),
    "vmap": (vmap, same_function),
    "checkpoint": (checkpoint, same_function),
    "jacrev": (ag.jacrev, of_derivatives),
    "jacfwd": (ag.jacfwd, of_derivatives),
    "custom_vjp": (custom_vjp, times(2)),
    "function": (function, times(3)),
    "backward": (backward, constant_slope),
}
FORWARD = ("jvp", "jacfwd")


def refusal(names):
    """What one of the transformations, the outermost first, cannot do with those within it."""
    if "vmap" in names and "backward" in names[names.index("vmap") :]:
        return AttributeError
    for i, name in enumerate(names):
        within = names[i + 1 :]
        if name in FORWARD and "custom_vjp" in within:
            # What stands between them may end the derivative, or run the rule, which is differentiated then.
            between = within[: within.index("custom_vjp")]
            if not {"grad", "jacrev", "function", "backward"} & set(between):
                return MissingRuleError
        if name == "backward" and "backward" in within:
            # A number of the user's own has no graph to go back through, unless a custom rule puts it into one.
            between = within[: within.index("backward")]
            if not {"custom_vjp", "function"} & set(between):
                return NoGraphError
    return None


def check(backend, names):
    """`names`, the outermost transformation first, on the base function."""
    f, derivatives = base, BASE
    for name in reversed(names):
        transformation, closed_form = TRANSFORMATIONS[name]
        f, derivatives = transformation(f), closed_form(derivatives)
    x = ag.asarray(raw(backend, POINT))
    error = refusal(names)
    if error is None:
        np.testing.assert_allclose(host(f(x)), derivatives[0], rtol=1e-12, atol=1e-13)
        return
    with pytest.raises(error):
        f(x)


@pytest.mark.parametrize("inner", TRANSFORMATIONS)
@pytest.mark.parametrize("outer", TRANSFORMATIONS)
def test_pairs(agnograd_backend, outer, inner):
    check(agnograd_backend, [outer, inner])


@pytest.mark.parametrize("inner", TRANSFORMATIONS)
@pytest.mark.parametrize("middle", TRANSFORMATIONS)
@pytest.mark.parametrize("outer", ["grad", "jvp", "vmap", "backward"])
def test_triples(agnograd_backend, outer, middle, inner):
    check(agnograd_backend, [outer, middle, inner])
