"""Einsum: what it reads, what it refuses, and in which order it takes arrays together."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import agnograd as ag
from agnograd.testing.gradcheck import gradcheck

rng = np.random.default_rng(7)

SIZES = {"a": 2, "b": 3, "c": 2, "d": 4, "i": 3, "j": 2, "k": 3}


def drawn(subscripts, kind=float):
    """Arrays for subscripts without an ellipsis."""
    terms = subscripts.replace(" ", "").partition("->")[0].split(",")
    shapes = [tuple(SIZES[label] for label in term) for term in terms]
    if kind is complex:
        return [rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes]
    return [rng.normal(size=s) for s in shapes]


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize(
    "subscripts",
    [
        "ij,jk,ki->",
        "ab,bcd,dca,ij->ji",
        "iij,jji,k->k",
        "abcd,cdab",
        "ab, bc, cd -> ad",
        "i,i,i,i->i",
        "ba,ba->ab",
        "ab,cd->",
        "ii,jj,ij->j",
        ",,ab->ba",
    ],
)
def test_values_are_numpys_and_derivatives_those_of_differences(subscripts, kind):
    arrays = drawn(subscripts, kind)
    np.testing.assert_allclose(ag.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays), rtol=1e-12, atol=1e-12)
    gradcheck(lambda *x: ag.einsum(subscripts, *x), arrays)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...i,i...", ((2, 3, 4), (4, 3))),
        ("...,...", ((2, 3), (3,))),
        ("i...->...i", ((2, 3, 4),)),
        ("...ij,...jk,kl->...il", ((2, 1, 2, 3), (4, 3, 2), (2, 2))),
        ("...a->...", ((3,),)),
        ("b...,b...->b...", ((2, 3, 1), (2, 4))),
        ("i...i->...", ((3, 2, 3),)),
    ],
)
def test_an_ellipsis_broadcasts(subscripts, shapes):
    arrays = [rng.normal(size=s) for s in shapes]
    np.testing.assert_allclose(ag.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays), rtol=1e-12)
    gradcheck(lambda *x: ag.einsum(subscripts, *x), arrays)


@pytest.mark.parametrize("out", [(), ([0, 2],), ([2, 0],), ([],)])
def test_labels_may_follow_their_arrays_as_lists(out):
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    expected = np.einsum(a, [0, 1], b, [1, 2], *out)
    np.testing.assert_allclose(ag.einsum(a, [0, 1], b, [1, 2], *out), expected, rtol=1e-12)
    x = ag.tensor(a, requires_grad=True)
    ag.einsum(x, [0, 1], b, [1, 2], [0, 2]).sum().backward()
    np.testing.assert_allclose(x.grad.array, np.broadcast_to(b.sum(1), (2, 3)))


@pytest.mark.parametrize("size", [(2, 1), (1, 3), (1, 1)])
def test_an_axis_of_size_one_broadcasts_and_its_gradient_is_summed(size):
    a, b = rng.normal(size=size), rng.normal(size=(2, 3))
    np.testing.assert_allclose(ag.einsum("ij,ij->i", a, b), np.einsum("ij,ij->i", a, b))
    gradcheck(lambda a, b: ag.einsum("ij,ij->i", a, b), (a, b))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "why"),
    [
        ("ij,jk", ((2, 3),), "Number of einsum subscripts, 2"),
        ("ij", ((2, 3), (3,)), "Number of einsum subscripts, 1"),
        ("ij->ik", ((2, 3),), "Output character 'k'"),
        ("ij->ii", ((2, 3),), "Output character 'i' appeared more than once"),
        ("i", ((2, 3),), "operand 0 has 2 axes and 1 labels"),
        ("ij,jk", ((2, 3), (4, 2)), "label 'j' has the sizes 3 and 4"),
        ("ii", ((2, 3),), "the axes 'i' of operand 0 have the sizes 2 and 3"),
        ("ii,i", ((1, 3), (3,)), "the axes 'i' of operand 0 have the sizes 1 and 3"),
        ("i->-j", ((2,),), "->"),
        ("i.j", ((2, 3),), "Ellipses"),
        ("i1", ((2, 3),), "'1' is no letter"),
        ("....i", ((2, 3),), "Ellipses"),
        ("...ij", ((2,),), "Ellipses"),
    ],
)
def test_what_cannot_be_read_is_said_with_subscripts_and_shapes(subscripts, shapes, why):
    arrays = [ag.ones(s, requires_grad=True) for s in shapes]
    with pytest.raises(ValueError, match="einsum cannot read") as error:
        ag.einsum(subscripts, *arrays)
    assert repr(subscripts) in str(error.value)
    assert why in str(error.value)
    assert all(str(s) in str(error.value) for s in shapes)


def test_operands_must_be_arrays_of_numbers():
    with pytest.raises(TypeError, match="operand 1 is of type list"):
        ag.einsum("i,i", ag.ones(2), [1.0, 2.0])
    with pytest.raises(TypeError, match="operand 0 is boolean"):
        ag.einsum("i", ag.ones(2) > 0)
    with pytest.raises(ValueError, match="no order of contraction for optimize='fastest'"):
        ag.einsum("i,i,i", *[ag.ones(2)] * 3, optimize="fastest")


def test_integers_keep_their_dtype():
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    for subscripts in ("ij->i", "ij,ij->", "ij,ij->ij"):
        arrays = [x] * (1 + subscripts.count(","))
        out = ag.einsum(subscripts, *arrays)
        expected = np.einsum(subscripts, *arrays)
        assert out.dtype == expected.dtype
        np.testing.assert_array_equal(out, expected)


def test_the_order_is_the_cheap_one():
    # From the left it would make a matrix of 10^6 elements first, twice as large for the gradient.
    column, row = ag.ones((1000, 1), requires_grad=True), ag.ones((1, 1000), requires_grad=True)
    out = ag.einsum("ia,aj,jb->ib", column, row, ag.ones((1000, 1)))
    sizes = []

    def visit(node):
        if node is not None:
            sizes.extend(x.size for x in node.saved if hasattr(x, "size")) if hasattr(node.saved, "__len__") else None
            for parent, _ in node.next_functions:
                visit(parent)

    visit(out.grad_fn)
    assert sizes
    assert max(sizes) <= 1000


@pytest.mark.parametrize(
    "optimize", [True, False, "greedy", "optimal", [(0, 1), (0, 1)], ["einsum_path", (0, 2), (0, 1)]]
)
def test_every_order_gives_the_same(optimize):
    arrays = drawn("ab,bcd,dca->")
    out = ag.einsum("ab,bcd,dca->", *arrays, optimize=optimize)
    np.testing.assert_allclose(out, np.einsum("ab,bcd,dca->", *arrays), rtol=1e-12)


def test_forty_operands_and_more_than_fifty_two_labels():
    n = 60
    arrays = [rng.normal(size=(2, 2)) / 1.5 for _ in range(n)]
    interleaved = [x for i, a in enumerate(arrays) for x in (a, [i, i + 1])]
    expected = np.linalg.multi_dot(arrays)
    np.testing.assert_allclose(ag.einsum(*interleaved, [0, n]), expected, rtol=1e-9)
    x = ag.tensor(arrays[0], requires_grad=True)
    ag.einsum(x, *interleaved[1:], [0, n]).sum().backward()
    np.testing.assert_allclose(x.grad.array, np.ones((2, 2)) @ np.linalg.multi_dot(arrays[1:]).T, rtol=1e-9)


def test_sizes_that_dask_does_not_know():
    da = pytest.importorskip("dask.array")
    x = da.from_array(np.arange(6.0), chunks=2)
    x = x[x > 1]
    value, pullback = ag.vjp(lambda x: ag.einsum("i,i->", x, x), x)
    assert float(value.compute()) == 54.0
    np.testing.assert_allclose(pullback(da.ones_like(value))[0].compute(), [4.0, 6.0, 8.0, 10.0])


def test_levels_nest_through_it():
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 3))
    hessian = np.kron(np.eye(2), b + b.T)
    direction = rng.normal(size=(2, 3))
    got = ag.hvp(lambda x: ag.einsum("ij,jk,ik->", x, b, x), (a,), (direction,))
    np.testing.assert_allclose(got, (hessian @ direction.ravel()).reshape(2, 3), rtol=1e-12)


def test_opt_einsum_is_loaded_by_the_first_use():
    code = (
        "import sys, agnograd as ag; assert 'opt_einsum' not in sys.modules; "
        "ag.einsum('ij,jk', ag.ones((2, 2)), ag.ones((2, 2))); assert 'opt_einsum' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("seed", range(40))
def test_random_subscripts(seed):
    """Multilinear: a derivative is the sum of the same contraction with one operand replaced by its direction."""
    choose = np.random.default_rng(seed)
    labels = list("abcdij")[: choose.integers(2, 7)]
    terms = ["".join(choose.choice(labels, choose.integers(0, 4))) for _ in range(choose.integers(1, 5))]
    used = sorted(set("".join(terms)))
    out = "".join(choose.permutation(used)[: choose.integers(0, len(used) + 1)])
    subscripts = f"{','.join(terms)}->{out}"
    arrays, directions = drawn(subscripts, complex), drawn(subscripts, complex)
    expected = sum(
        np.einsum(subscripts, *(directions[k] if k == i else x for k, x in enumerate(arrays)))
        for i in range(len(arrays))
    )
    value, tangent = ag.jvp(lambda *x: ag.einsum(subscripts, *x), arrays, directions)
    np.testing.assert_allclose(value, np.einsum(subscripts, *arrays), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(tangent, expected, rtol=1e-10, atol=1e-10)
    _, pullback = ag.vjp(lambda *x: ag.einsum(subscripts, *x), *arrays)
    g = rng.normal(size=value.shape) + 1j * rng.normal(size=value.shape)
    forward = np.sum(np.conj(g) * expected).real
    backward = sum(np.sum(np.conj(c) * t).real for c, t in zip(pullback(g), directions, strict=True))
    np.testing.assert_allclose(backward, forward, rtol=1e-9, atol=1e-9)
