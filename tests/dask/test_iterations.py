"""Iterations on dask that look at a value in each step compute once a step, and not all steps before it again."""

import pytest

import agnograd as ag
from agnograd.errors import ImplicitComputeError
from agnograd.implicit import cg, fixed_point, gmres, newton
from agnograd.testing.matrix import count_computes

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

A = np.random.default_rng(0).normal(size=(12, 4))
S = A.T @ A + np.eye(4)
B = np.ones(4)


class Source:
    """Data that counts how often a chunk of it is read."""

    def __init__(self, x):
        self.x, self.reads = x, 0
        self.shape, self.dtype, self.ndim = x.shape, x.dtype, x.ndim

    def __getitem__(self, key):
        self.reads += 1
        return self.x[key]

    def array(self):
        found = da.from_array(self, chunks=2, asarray=False, meta=np.empty((0,) * self.ndim))
        self.reads = 0
        return found


class Steps:
    """A function that counts how often it was called: once a step."""

    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, *args):
        self.calls += 1
        return self.f(*args)


def heron(x, a):
    return (x + a / x) / 2


def test_a_step_is_one_compute_and_reads_once():
    step, source = Steps(heron), Source(B * 2)
    a = source.array()
    with count_computes() as computes:
        found = fixed_point(step, da.ones_like(a), a, tol=1e-12)
    # One call more finds out what the function reads.
    assert step.calls - 2 <= computes[0] <= step.calls
    assert source.reads <= 2 * step.calls
    np.testing.assert_allclose(found.compute(), np.sqrt(B * 2))


def test_gradients_of_roots_and_fixed_points_compute_in_their_iterations_only():
    def f(a):
        return ag.sum(fixed_point(heron, ag.ones_like(a), a, tol=1e-12) ** 3)

    a = da.from_array(B * 2, chunks=2)
    with count_computes() as forward:
        f(a)
    with count_computes() as both:
        gradient = ag.grad(f)(a)
    assert both == forward
    np.testing.assert_allclose(gradient.compute(), 1.5 * np.sqrt(B * 2))


@pytest.mark.parametrize("solve", [cg, gmres])
def test_right_hand_sides_are_read_once(solve):
    source = Source(B)
    operator = Steps(lambda v: da.from_array(S, chunks=2) @ v)
    with count_computes() as computes:
        found = solve(operator, source.array(), tol=1e-10)
    assert source.reads == 2
    assert computes[0] <= operator.calls + 1
    np.testing.assert_allclose(found.compute(), np.linalg.solve(S, B))


def test_newton():
    a = da.from_array(B * 2, chunks=2)
    residual = Steps(lambda x: x * x - a)
    with count_computes() as computes:
        found = newton(residual, da.ones_like(a))
    assert computes[0] <= residual.calls
    np.testing.assert_allclose(found.compute(), np.sqrt(B * 2))


def test_a_number_of_steps_computes_nothing():
    a = da.from_array(B * 2, chunks=2)
    with count_computes() as computes:
        found = fixed_point(heron, da.ones_like(a), a, iterations=6)
    assert computes == [0]
    np.testing.assert_allclose(found.compute(), np.sqrt(B * 2))


def test_looks_at_values_are_counted_and_can_be_ruled_out():
    a = da.from_array(B * 2, chunks=2)
    before = ag.implicit_computes()
    fixed_point(heron, da.ones_like(a), a, tol=1e-12)
    assert ag.implicit_computes() > before
    with ag.config(implicit_compute=False), pytest.raises(ImplicitComputeError, match="would compute a lazy array"):
        fixed_point(heron, da.ones_like(a), a, tol=1e-12)
