"""An operation held against torch's, in double precision and in both modes."""

from __future__ import annotations

import array_api_compat.torch
import numpy as np
import torch

import agnograd as ag
from agnograd.core.table import Space
from agnograd.testing import build, rows
from agnograd.testing.gradcheck import leaves
from agnograd.testing.samples import invoke

HOST = rows(["numpy"])[0]
# What the table says about an operation's domain and outputs is written for any namespace.
TORCH = Space("torch", array_api_compat.torch, device=lambda x: x.device, copy=torch.clone)

# -- both sides --------------------------------------------------------------------------------------------------------


class Ours:
    """The operation on NumPy's arrays, and what is determined of its outputs."""

    def __init__(self, op, made):
        call = made.function()
        self.primals = made.primals
        self.f = lambda *primals: tuple(leaves(call(*primals)))
        value, self.pullback = ag.vjp(self.f, *self.primals)
        self.value = [np.asarray(y) for y in value]

    def gradients(self, cotangents):
        return [np.asarray(g) for g in self.pullback(tuple(cotangents))]

    def second(self, cotangents, directions):
        """The gradients of the product of directions and gradients."""
        _, pullback = ag.vjp(lambda *primals: ag.vjp(self.f, *primals)[1](tuple(cotangents)), *self.primals)
        return [np.asarray(g) for g in pullback(tuple(directions))]

    def tangents(self, directions):
        return [np.asarray(t) for t in ag.jvp(self.f, tuple(self.primals), tuple(directions))[1]]


class Theirs:
    """The same on torch's."""

    def __init__(self, op, made, counterpart):
        arrays = [torch.as_tensor(np.array(x)) for x in made.host]
        self.primals = [arrays[i].requires_grad_() for i in made.positions]
        if op.domain is not None:
            arrays = list(op.domain(TORCH, *arrays))
        out = invoke(op, counterpart, arrays, made.host_params)
        if op.invariant is not None:
            out = op.invariant(TORCH, *(out if isinstance(out, tuple) else (out,)))
        self.out = leaves(out)
        self.value = [y.numpy(force=True) for y in self.out]

    def gradients(self, cotangents):
        return [g.numpy(force=True) for g in self._gradients(self.out, cotangents)]

    def second(self, cotangents, directions):
        gradients = self._gradients(self.out, cotangents, create_graph=True)
        return [g.numpy(force=True) for g in self._gradients(gradients, directions)]

    def _gradients(self, outputs, cotangents, **options):
        pairs = [(y, torch.as_tensor(g)) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
        found = [None] * len(self.primals)
        if pairs:
            outputs, cotangents = zip(*pairs, strict=True)
            found = torch.autograd.grad(outputs, self.primals, cotangents, allow_unused=True, **options)
        # No path from an output is a gradient of zero.
        return [torch.zeros_like(x) if g is None else g for x, g in zip(self.primals, found, strict=True)]


def drawn_like(x):
    draw = np.random.default_rng(x.size)
    values = draw.normal(size=x.shape)
    return (values + 1j * draw.normal(size=x.shape) if x.dtype.kind == "c" else values).astype(x.dtype)


def assert_close(found, expected, tolerance=1e-10):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert_near(found, expected, found.dtype, tolerance)


def assert_near(found, expected, dtype, tolerance):
    tolerance = 1e-5 if dtype in ("float32", "complex64") else tolerance
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


# -- comparison --------------------------------------------------------------------------------------------------------


def compare(op, counterpart, sample, cotangent, deviation=None, *, tolerance=1e-10):
    """Hold values and both modes against torch, or against what is documented instead.

    Parameters
    ----------
    op : Op
    counterpart : callable
        What it is in torch, with the operation's signature.
    sample : Sample
    cotangent : callable
        Takes an output to its cotangent.
    deviation : Deviation, optional
        What is different on purpose.
    tolerance : float
        Allowed difference in double precision, absolute and relative.
    """
    made = build(op, sample, HOST)
    with np.errstate(all="ignore"):
        found, oracle = Ours(op, made), Theirs(op, made, counterpart)
        values = oracle.value
        if deviation is not None and deviation.values is not None:
            values = documented(deviation.values, values)
        for a, b in zip(found.value, values, strict=True):
            assert_close(a, b, tolerance)
        cotangents = [(np.ones_like if deviation else cotangent)(y) for y in found.value]
        gradients, expected = found.gradients(cotangents), oracle.gradients(cotangents)
        if deviation is not None:
            expected = documented(deviation.gradients, expected)
        for a, b in zip(gradients, expected, strict=True):
            assert_close(a, b, tolerance)
        check_forward(op, found, cotangents, expected, tolerance)


def documented(arrays, theirs):
    """What stands in a row instead of torch's arrays."""
    written = [np.asarray(a, b.dtype) for a, b in zip(arrays, theirs, strict=True)]
    same = [np.allclose(a, b, equal_nan=True) for a, b in zip(written, theirs, strict=True)]
    assert not all(same), "torch has come to agree: take the row out of DEVIATIONS"
    return written


def check_forward(op, found, cotangents, gradients, tolerance):
    """The derivative along a direction is the product of direction and gradient.

    In a sum an infinite derivative would drown the others, so that there elements are compared, where they are
    elements of a partial derivative.
    """
    if all(np.isfinite(g).all() for g in gradients):
        directions = [drawn_like(x) for x in found.primals]
        tangents = found.tangents(directions)
        along = sum(np.vdot(g, t).real for g, t in zip(cotangents, tangents, strict=True))
        expected = sum(np.vdot(g, t).real for g, t in zip(gradients, directions, strict=True))
        assert_near(along, expected, tangents[0].dtype, tolerance)
    elif op.tier == "elementwise":
        for i, expected in enumerate(gradients):
            (tangent,) = found.tangents([np.ones_like(x) if i == k else None for k, x in enumerate(found.primals)])
            if tangent.shape == expected.shape:
                assert_close(tangent, expected.conj(), tolerance)


def compare_second(op, counterpart, sample, cotangent):
    """Hold second derivatives against torch, wherever it has one."""
    made = build(op, sample, HOST)
    with np.errstate(all="ignore"):
        found, oracle = Ours(op, made), Theirs(op, made, counterpart)
        cotangents = [cotangent(y) for y in found.value]
        directions = [drawn_like(x) for x in found.primals]
        for a, b in zip(found.second(cotangents, directions), oracle.second(cotangents, directions), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            defined = np.isfinite(b)
            assert_near(a[defined], b[defined], a.dtype, 1e-8)
