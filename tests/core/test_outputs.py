"""Operations with several outputs: their cotangents meet at one node."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import agnograd as ag
from agnograd.core.op import Op
from agnograd.core.table import register, unregister
from agnograd.errors import GraphFreedError, MissingRuleError
from agnograd.hookspecs import Sample, Uniform, general
from agnograd.testing import gradcheck

SAMPLES = [Sample((Uniform(), Uniform()))]


def polar_vjp(xp: Any, g: Any, x: Any, y: Any, ans: Any) -> Any:
    seen.append(tuple(item is not None for item in g))
    g_radius, g_angle = g
    radius, _ = ans
    back = xp.zeros_like(x)
    if g_radius is not None:
        back = back + g_radius * x / radius
    return back if g_angle is None else back - g_angle * y / radius**2


def polar_vjp_y(xp: Any, g: Any, x: Any, y: Any, ans: Any) -> Any:
    g_radius, g_angle = g
    radius, _ = ans
    back = None if g_radius is None else g_radius * y / radius
    if g_angle is None:
        return back
    other = g_angle * x / radius**2
    return other if back is None else back + other


seen: list[tuple[bool, bool]] = []


@pytest.fixture
def polar() -> Iterator[Op]:
    """Radius, angle, and the quadrant as a whole number."""
    op = general(
        "test.polar(x, y, /)",
        body=lambda xp, x, y: (xp.hypot(x, y), xp.atan2(y, x)),
        vjp={"x": polar_vjp, "y": polar_vjp_y},
        jvp={
            "x": lambda xp, t, x, y, ans: (t * x / ans[0], -t * y / ans[0] ** 2),
            "y": lambda xp, t, x, y, ans: (t * y / ans[0], t * x / ans[0] ** 2),
        },
        outputs=2,
        samples=SAMPLES,
    )
    register(op)
    seen.clear()
    yield op
    unregister("test.polar")


def points() -> tuple[ag.Tensor, ag.Tensor]:
    return ag.tensor([1.0, 2.0], requires_grad=True), ag.tensor([0.5, -1.0], requires_grad=True)


def test_gradients_of_each_output_and_of_both(polar: Op) -> None:
    x, y = ag.tensor([1.0, 2.0]), ag.tensor([0.5, -1.0])
    gradcheck(polar.call, [x, y])
    gradcheck(lambda x, y: polar.call(x, y)[0], [x, y])
    gradcheck(lambda x, y: polar.call(x, y)[1], [x, y])
    gradcheck(lambda x, y: polar.call(*polar.call(x, y)), [x, y])
    gradcheck(lambda x: polar.call(x, y), [x])


def test_a_rule_is_run_once_with_what_there_is(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    (radius * radius + angle + radius).sum().backward()
    assert seen == [(True, True)]
    seen.clear()
    x, y = points()
    polar.call(x, y)[1].sum().backward()
    assert seen == [(False, True)]


def test_outputs_share_the_node_that_users_see(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    assert radius.grad_fn is angle.grad_fn
    assert radius.grad_fn is not None
    assert radius.grad_fn.name() == "PolarBackward0"
    assert (radius.output_nr, angle.output_nr) == (0, 1)
    assert not radius.is_leaf
    assert (radius + angle).grad_fn.next_functions == ((radius.grad_fn, 0), (radius.grad_fn, 1))
    assert [node.name() for node, _ in radius.grad_fn.next_functions] == ["AccumulateGrad", "AccumulateGrad"]
    assert "grad_fn=<PolarBackward0>" in repr(angle)


def test_a_graph_is_freed_once(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    radius.sum().backward(retain_graph=True)
    radius.sum().backward()
    with pytest.raises(GraphFreedError):
        angle.sum().backward()


def test_gradients_with_respect_to_an_output(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    g_radius, g_angle = ag.autograd.grad((radius * angle).sum(), [radius, angle])
    np.testing.assert_array_equal(np.asarray(g_radius), np.asarray(angle.detach()))
    np.testing.assert_array_equal(np.asarray(g_angle), np.asarray(radius.detach()))


def test_an_output_may_be_written_to(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    radius *= angle
    ag.sum(radius).backward()
    found = x.grad
    x, y = points()
    ag.sum(ag.multiply(*polar.call(x, y))).backward()
    np.testing.assert_allclose(np.asarray(found), np.asarray(x.grad))


def test_a_view_of_an_output_counts_for_what_it_shows(polar: Op) -> None:
    x, y = points()
    polar.call(x, y)[0][1:].sum().backward()
    np.testing.assert_allclose(np.asarray(x.grad), [0.0, 2.0 / 5**0.5])


def test_nothing_outlives_the_outputs(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    gone = weakref.ref(radius.grad_fn)
    gc.disable()
    try:
        del radius
        assert gone() is not None
        del angle
        assert gone() is None
    finally:
        gc.enable()


def test_no_grad_and_constants_record_nothing(polar: Op) -> None:
    x, y = points()
    with ag.no_grad():
        assert not any(out.requires_grad for out in polar.call(x, y))
    assert not any(out.requires_grad for out in polar.call(x.detach(), y.detach()))


def test_second_derivatives_through_saved_outputs(polar: Op) -> None:
    x, y = points()
    radius, angle = polar.call(x, y)
    (first,) = ag.autograd.grad((radius * angle).sum(), x, create_graph=True)
    (second,) = ag.autograd.grad(first.sum(), x)

    def slope(x: Any) -> Any:
        return ag.grad(lambda x: ag.sum(ag.multiply(*polar.call(x, y.detach()))))(x)

    step = 1e-6
    difference = (np.asarray(slope(x.detach() + step)) - np.asarray(slope(x.detach() - step))) / (2 * step)
    np.testing.assert_allclose(np.asarray(second), difference, rtol=1e-7)


def test_outputs_of_whole_numbers_carry_no_gradient() -> None:
    op = general(
        "test.parts(x, /)",
        body=lambda xp, x: (xp.astype(xp.floor(x), xp.int64), x - xp.floor(x)),
        vjp={"x": lambda xp, g: g[1]},
        jvp={"x": lambda xp, t: (None, t)},
        outputs=2,
        samples=[Sample((Uniform(),))],
    )
    register(op)
    try:
        x = ag.tensor([1.25, 2.5], requires_grad=True)
        whole, part = op.call(x)
        assert (whole.requires_grad, part.requires_grad) == (False, True)
        part.sum().backward()
        np.testing.assert_array_equal(np.asarray(x.grad), [1.0, 1.0])
        value, tangent = ag.jvp(lambda x: op.call(x)[1], (x.detach(),), (x.detach(),))
        np.testing.assert_array_equal(np.asarray(tangent), [1.25, 2.5])
        np.testing.assert_array_equal(np.asarray(value), [0.25, 0.5])
    finally:
        unregister("test.parts")


def test_a_wrong_number_of_outputs_raises() -> None:
    op = general(
        "test.pair(x, /)",
        body=lambda xp, x: (x, x),
        vjp={"x": lambda xp, g: g},
        jvp={"x": lambda xp, t: t},
        samples=[Sample((Uniform(),))],
    )
    register(op)
    try:
        x = ag.tensor([1.0], requires_grad=True)
        with pytest.raises(MissingRuleError, match="returns 2 arrays, and it was declared to return 1"):
            op.call(x)
        with pytest.raises(MissingRuleError, match="outputs=2"):
            ag.jvp(op.call, (x.detach(),), (x.detach(),))
        assert ag.is_grad_enabled()
    finally:
        unregister("test.pair")


def test_names_of_a_result_are_kept() -> None:
    x = ag.tensor([[2.0, 0.5], [0.5, 1.0]])
    for found in (ag.linalg.eigh(x), ag.linalg.eigh(x.requires_grad_())):
        assert type(found)._fields == ("eigenvalues", "eigenvectors")
    _, tangent = ag.jvp(ag.linalg.eigh, (x.detach(),), (x.detach(),))
    assert tangent._fields == ("eigenvalues", "eigenvectors")
