"""The same code on agnograd and on torch: `functional`, `forward_ad` and `gradcheck` give or refuse the same."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
import torch

import agnograd as ag


class Library:
    """One of the two, by the names that they share."""

    def __init__(self, lib):
        self.lib = lib
        self.functional = importlib.import_module(f"{lib.__name__}.autograd.functional")
        self.forward_ad = importlib.import_module(f"{lib.__name__}.autograd.forward_ad")
        self.gradcheck = lib.autograd.gradcheck
        self.gradgradcheck = lib.autograd.gradgradcheck

    def tensor(self, values):
        return self.lib.tensor(
            values, dtype=self.lib.complex128 if isinstance(values[0], complex) else self.lib.float64
        )


def shown(x):
    """Structure and values, without the library."""
    if isinstance(x, (tuple, list)):
        return [type(x).__name__, *map(shown, x)]
    return (x.requires_grad, np.asarray(x.detach())) if hasattr(x, "dtype") else x


def check(a, b, values_only=False):
    assert type(a) is type(b)
    if isinstance(a, list):
        assert len(a) == len(b)
        assert values_only or a[0] == b[0]
        for x, y in zip(a[1:], b[1:], strict=True):
            check(x, y, values_only)
    elif isinstance(a, tuple):
        assert values_only or a[0] == b[0]
        assert (a[1].shape, a[1].dtype) == (b[1].shape, b[1].dtype)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-12, atol=1e-14)
    else:
        assert a == b


def cube(x):
    return (x**3).sum()


def pair(x, y):
    return x * y.sum(), (x * x).sum() * y


def scalar(x, y):
    return (x * x).sum() * (y**3).sum()


def dual(lib, f, x, t):
    with lib.forward_ad.dual_level():
        return lib.forward_ad.unpack_dual(f(lib.forward_ad.make_dual(x, t)))


def dual_afterwards(lib, x, t):
    with lib.forward_ad.dual_level():
        y = lib.forward_ad.make_dual(x, t) * 2
    return lib.forward_ad.unpack_dual(y), y


def leaf(x):
    return x.detach().requires_grad_()


# name: what is computed of two real vectors of three and two elements, and a complex one
SAME = {
    "vjp": lambda lib, x, y, z: lib.functional.vjp(lambda x: x**2, x, x),
    "vjp of tuples": lambda lib, x, y, z: lib.functional.vjp(pair, (x, y), (x, y)),
    "vjp without a vector": lambda lib, x, y, z: lib.functional.vjp(cube, x),
    "vjp with a graph": lambda lib, x, y, z: lib.functional.vjp(cube, leaf(x), create_graph=True),
    "vjp of a constant": lambda lib, x, y, z: lib.functional.vjp(lambda x: x.sum().detach(), x),
    "vjp in a tuple": lambda lib, x, y, z: lib.functional.vjp(lambda x: (cube(x),), (x,), (x.sum(),)),
    "vjp of complex": lambda lib, x, y, z: lib.functional.vjp(lambda z: z * z, z, z),
    "jvp": lambda lib, x, y, z: lib.functional.jvp(lambda x: x**2, x, x),
    "jvp of tuples": lambda lib, x, y, z: lib.functional.jvp(pair, (x, y), (x, y)),
    "jvp of complex": lambda lib, x, y, z: lib.functional.jvp(lambda z: z * z, z, z),
    "jvp with a graph": lambda lib, x, y, z: lib.functional.jvp(cube, leaf(x), x, create_graph=True),
    "jvp of an unused input": lambda lib, x, y, z: lib.functional.jvp(lambda x, y: x * 2, (x, y), (x, y)),
    "vhp": lambda lib, x, y, z: lib.functional.vhp(scalar, (x, y), (x, y)),
    "vhp of a linear function": lambda lib, x, y, z: lib.functional.vhp(lambda x: x.sum(), x, x),
    "hvp": lambda lib, x, y, z: lib.functional.hvp(scalar, (x, y), (x, y)),
    "hvp with a graph": lambda lib, x, y, z: lib.functional.hvp(cube, leaf(x), x, create_graph=True),
    "jacobian": lambda lib, x, y, z: lib.functional.jacobian(lambda x: x[:2] ** 2, x),
    "jacobian of tuples": lambda lib, x, y, z: lib.functional.jacobian(pair, (x, y)),
    "jacobian, vectorised": lambda lib, x, y, z: lib.functional.jacobian(pair, (x, y), vectorize=True),
    "jacobian, forward": lambda lib, x, y, z: lib.functional.jacobian(
        pair, (x, y), vectorize=True, strategy="forward-mode"
    ),
    "jacobian by complex": lambda lib, x, y, z: lib.functional.jacobian(lambda z: (z * z).real, z),
    "jacobian with a graph": lambda lib, x, y, z: lib.functional.jacobian(cube, leaf(x), create_graph=True),
    "jacobian of nothing": lambda lib, x, y, z: lib.functional.jacobian(cube, x[:0]),
    "hessian": lambda lib, x, y, z: lib.functional.hessian(cube, x),
    "hessian of tuples": lambda lib, x, y, z: lib.functional.hessian(scalar, (x, y)),
    "hessian, forward": lambda lib, x, y, z: lib.functional.hessian(
        scalar, (x, y), vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "hessian of one element": lambda lib, x, y, z: lib.functional.hessian(lambda x: cube(x).reshape(1, 1), x),
    "strict hessian": lambda lib, x, y, z: lib.functional.hessian(cube, x, strict=True),
    "dual": lambda lib, x, y, z: dual(lib, cube, x, x),
    "dual of complex": lambda lib, x, y, z: dual(lib, lambda z: z * z, z, z * 1j),
    "dual, detached": lambda lib, x, y, z: dual(lib, lambda x: x.detach(), x, x),
    "dual of a comparison": lambda lib, x, y, z: dual(lib, lambda x: x > 0, x, x),
    "dual of a leaf": lambda lib, x, y, z: dual(lib, cube, leaf(x), x),
    "dual, afterwards": lambda lib, x, y, z: dual_afterwards(lib, x, x),
    "unpack without a level": lambda lib, x, y, z: lib.forward_ad.unpack_dual(x),
    "gradcheck": lambda lib, x, y, z: lib.gradcheck(pair, (leaf(x), leaf(y)), check_forward_ad=True),
    "gradcheck, fast": lambda lib, x, y, z: lib.gradcheck(lambda z: z * z, leaf(z), fast_mode=True),
    "gradcheck of a wrong one": lambda lib, x, y, z: lib.gradcheck(
        lambda x: x * x.detach(), leaf(x), raise_exception=False
    ),
    "gradgradcheck": lambda lib, x, y, z: lib.gradgradcheck(pair, (leaf(x), leaf(y)), check_fwd_over_rev=True),
    "gradgradcheck of a wrong one": lambda lib, x, y, z: lib.gradgradcheck(
        lambda x: x**2 * x.detach(), leaf(x), raise_exception=False
    ),
}

# name: what both refuse; the exceptions are instances of the same builtins
REFUSED = {
    "vjp without a vector": lambda lib, x, y, z: lib.functional.vjp(lambda x: x * 2, x),
    "vjp, wrong size": lambda lib, x, y, z: lib.functional.vjp(lambda x: x * 2, x, y),
    "vjp of a list": lambda lib, x, y, z: lib.functional.vjp(cube, [x]),
    "vjp of a number": lambda lib, x, y, z: lib.functional.vjp(cube, (x, 2.0)),
    "vjp, a number for a vector": lambda lib, x, y, z: lib.functional.vjp(cube, x, 1.0),
    "strict vjp": lambda lib, x, y, z: lib.functional.vjp(lambda x, y: cube(x), (x, y), strict=True),
    "strict vjp of a constant": lambda lib, x, y, z: lib.functional.vjp(lambda x: cube(x.detach()), x, strict=True),
    "jvp, too few vectors": lambda lib, x, y, z: lib.functional.jvp(pair, (x, y), x),
    "jvp, too many vectors": lambda lib, x, y, z: lib.functional.jvp(cube, x, (x, x)),
    "strict jvp": lambda lib, x, y, z: lib.functional.jvp(lambda x, y: cube(x), (x, y), (x, y), strict=True),
    "strict jacobian": lambda lib, x, y, z: lib.functional.jacobian(lambda x, y: cube(x), (x, y), strict=True),
    "strict jacobian with a graph": lambda lib, x, y, z: lib.functional.jacobian(
        lambda x: x * 2, leaf(x), strict=True, create_graph=True
    ),
    "strict forward": lambda lib, x, y, z: lib.functional.jacobian(
        cube, x, strict=True, vectorize=True, strategy="forward-mode"
    ),
    "jacobian of complex": lambda lib, x, y, z: lib.functional.jacobian(lambda z: z * z, z),
    "hessian of three elements": lambda lib, x, y, z: lib.functional.hessian(lambda x: x * 2, x),
    "hessian of a tuple": lambda lib, x, y, z: lib.functional.hessian(lambda x: (cube(x),), x),
    "strict hessian of a linear function": lambda lib, x, y, z: lib.functional.hessian(
        lambda x: x.sum(), x, strict=True
    ),
    "hvp without a vector": lambda lib, x, y, z: lib.functional.hvp(cube, x),
    "hvp of three elements": lambda lib, x, y, z: lib.functional.hvp(lambda x: x * 2, x, x),
    "vhp of a tuple": lambda lib, x, y, z: lib.functional.vhp(lambda x: (cube(x),), x, x),
    "dual without a level": lambda lib, x, y, z: lib.forward_ad.make_dual(x, x),
    "dual, wrong size": lambda lib, x, y, z: dual(lib, cube, x, y),
    "dual of integers": lambda lib, x, y, z: dual(lib, cube, x > 0, x),
    "dual along integers": lambda lib, x, y, z: dual(lib, cube, x, x > 0),
    "dual of a dual": lambda lib, x, y, z: dual(lib, lambda d: lib.forward_ad.make_dual(d, x), x, x),
    "level that is not open": lambda lib, x, y, z: dual(lib, lambda d: lib.forward_ad.unpack_dual(d, level=3), x, x),
    "exit without a level": lambda lib, x, y, z: lib.forward_ad.exit_dual_level(),
    "gradcheck of a wrong one": lambda lib, x, y, z: lib.gradcheck(lambda x: x * x.detach(), leaf(x)),
    "gradcheck of constants": lambda lib, x, y, z: lib.gradcheck(cube, x, raise_exception=False),
    "gradcheck of no mode": lambda lib, x, y, z: lib.gradcheck(cube, leaf(x), check_backward_ad=False),
    "gradcheck of what is cut": lambda lib, x, y, z: lib.gradcheck(lambda x: cube(x.detach()), leaf(x)),
    "gradgradcheck of a wrong one": lambda lib, x, y, z: lib.gradgradcheck(lambda x: x**2 * x.detach(), leaf(x)),
}
# In forward mode torch returns lists where it documents tuples, and leaves the results a graph.
VALUES_ONLY = {"jacobian, forward", "hessian, forward"}
KINDS = (RuntimeError, TypeError, ValueError, AssertionError)


def run(lib, case):
    library = Library(lib)
    x, y, z = (library.tensor(v) for v in ([1.5, -0.5, 2.0], [0.5, 3.0], [1 + 2j, 0.5 - 1j]))
    return case(library, x, y, z)


def run_theirs(case):
    with warnings.catch_warnings():
        # torch warns of its own implementation.
        warnings.simplefilter("ignore")
        return run(torch, case)


@pytest.mark.parametrize("name", SAME)
def test_the_same(name):
    check(shown(run(ag, SAME[name])), shown(run_theirs(SAME[name])), name in VALUES_ONLY)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_alike(name):
    with pytest.raises(KINDS) as theirs:
        run_theirs(REFUSED[name])
    with pytest.raises(KINDS) as ours:
        run(ag, REFUSED[name])
    # Who catches torch's error catches agnograd's.
    assert [k for k in KINDS if isinstance(theirs.value, k) and not isinstance(ours.value, k)] == []
