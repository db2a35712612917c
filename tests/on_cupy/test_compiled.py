"""Compiled programs on CuPy: elementwise steps in kernels of their own, with the values of eager runs.

The whole matrix of operations, whose kernels take minutes to compile on the emulator the first time, with
``python -m pytest -m slow tests/on_cupy/test_compiled.py --agnograd-backends=cupy``.
"""

import math

import cupy as cp
import cupy_cpu
import numpy as np
import pytest
from compiled_cases import assert_same_bits, check, samples

import agnograd as ag
from agnograd.compiler import cupy_reductions, fusion, on_cupy
from agnograd.testing.capabilities import reason
from agnograd.testing.matrix import rows
from benchmarks import cupy_workloads

ROW = rows(["cupy"])[0]
X, Y = cp.linspace(0.1, 1.0, 12).reshape(3, 4), cp.linspace(-1.0, 1.0, 4)


def same(f, *args):
    """The compiled function, of which each result has the bits of the eager one."""
    compiled = ag.compile(f)
    expected = f(*args)
    assert_same_bits(compiled(*args), expected, cp.asnumpy)
    with cupy_cpu.forbid_synchronisation():
        found = compiled(*args)
    assert_same_bits(found, expected, cp.asnumpy)
    return compiled


def launches(run):
    run()
    with cupy_cpu.counting() as counts:
        run()
    return counts.launches


# -- values ------------------------------------------------------------------------------------------------------------


def mixed(x, y, k, b, z):
    """Rows, numbers without axes, dtypes and Python numbers of all kinds, several results."""
    u = ag.sin(x) * y + ag.sum(y)
    v = ag.astype(u, ag.float32) * 0.1 + k
    w = ag.where(b, u, math.inf) - ag.minimum(-0.0, u)
    n = ag.astype(k % 3 + True, ag.int64) * -(2**63) + ag.astype(b, ag.int32)
    m = ag.where((n < 7) | ~b, z * (1 - 2j), ag.conj(z) * u)
    return u, v, w, n, m, ag.real(m) + ag.floor(u) % 0.3, ag.sign(w), ag.sqrt(k) > 1.5, ag.pow(k, 2), u / k


def test_promotion_and_broadcasting():
    k = cp.arange(1, 5, dtype="int8")
    b = cp.asarray([[True], [False], [True]])
    z = cp.asarray(1.5 - 0.5j, dtype="complex64")
    compiled = same(mixed, X, Y, k, b, z)
    assert compiled.source.count("ElementwiseKernel(") < 8 < launches(lambda: mixed(X, Y, k, b, z))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0)])
def test_few_elements(shape):
    same(lambda x: (ag.tanh(x * 2) + 1, ag.sum(ag.exp(x) * x)), cp.full(shape, 0.5))


def test_results_larger_than_all_operands():
    same(lambda x: ag.exp(ag.broadcast_to(x, (3, 4)) * 2.0) + 1.0, Y)


def test_layouts():
    x = cp.asarray(np.asfortranarray(X.get()))
    same(lambda x, y: (ag.sin(x.T) * y, x.T[::2] + 1), x, cp.linspace(0, 1, 6)[::2])


def gelu(x):
    return ag.sum(0.5 * x * (1 + ag.tanh(0.8 * (x + 0.04 * x**3))))


def test_both_passes_of_elementwise_code_are_one_kernel():
    step = ag.compile(ag.value_and_grad(gelu))
    assert launches(lambda: step(X)) == 2
    assert launches(lambda: ag.value_and_grad(gelu)(X)) > 20
    assert_same_bits(step(X), ag.value_and_grad(gelu)(X), cp.asnumpy)
    # One kernel for each pass, a sum, and the ones with which the pass back begins.
    node = ag.value_and_grad(ag.compile(gelu))
    assert launches(lambda: node(X)) == 4
    assert_same_bits(ag.hessian(ag.compile(gelu))(Y), ag.hessian(gelu)(Y), cp.asnumpy)


def test_source_and_explanation_show_kernels():
    step = ag.compile(lambda x: ag.sin(x) * x)
    step(X)
    assert "double v1 = sin(p0);" in step.source
    assert "2 elementwise steps on (3, 4) in one kernel" in repr(ag.explain(step, X))


def test_each_device_has_programs_of_its_own():
    xp = ag.namespace("cupy")

    def f(x):
        return ag.cumulative_sum(x, axis=1) * xp.linspace(0.0, 1.0, 4, device=x.device) + ag.ones_like(x)

    compiled = ag.compile(f)
    for number in (0, 1, 0):
        with cp.cuda.Device(number):
            x = X.copy() if number else X
        for _ in range(2):
            out = compiled(x)
            assert out.device == x.device
            assert_same_bits(out, f(x), cp.asnumpy)


def test_sums_of_few_elements_are_one_kernel_with_what_is_beside_them():
    def f(x, y):
        # Both functions need the same code of CuPy's.
        u = ag.remainder(ag.sum(ag.remainder(ag.sin(x), 0.7) * y, axis=0), 0.3) / 8
        return u, ag.sum(ag.exp(x)) * 0.5 + 1.0, ag.sum(x, axis=1, keepdims=True) * 2.0, ag.sum(ag.tanh(x) + y)

    compiled = same(f, X, Y)
    assert launches(lambda: compiled(X, Y)) == 4
    assert "steps around a sum over (3, 4) in one kernel" in repr(ag.explain(compiled, X, Y))
    # What others read, too, stays as it is.
    both = same(lambda x, y: (ag.sum(v := x * y + 1.0), v), X, Y)
    assert both.source.count("ReductionKernel(") == 0
    # Of many elements, CUB's sums are faster.
    many = ag.compile(lambda x: ag.sum(x * 2.0) * 0.5)
    many(cp.ones(cupy_reductions.FEW + 1))
    assert "ReductionKernel" not in many.source


def test_numbers_of_an_array_go_back_together():
    def f(p):
        return p[0, 1] * p[0, 1] + p[1, 2] * p[-1, -1] - p[2, 0]

    compiled = ag.compile(ag.value_and_grad(f))
    compiled(X)
    with cupy_cpu.counting() as counts:
        value, gradient = compiled(X)
    assert counts.kernels["agnograd_numbers_5"] == 1
    assert not any("add__" in name or "fill" in name for name in counts.kernels)
    assert_same_bits((value, gradient), ag.value_and_grad(f)(X), cp.asnumpy)
    # Parts that are no numbers are added as before.
    step = ag.compile(ag.grad(lambda p: ag.sum(p[0] * p[0, 1]) + p[1, 2] * ag.sum(p[:, 0])))
    step(X)
    with cupy_cpu.forbid_synchronisation():
        found = step(X)
    assert_same_bits(found, ag.grad(lambda p: ag.sum(p[0] * p[0, 1]) + p[1, 2] * ag.sum(p[:, 0]))(X), cp.asnumpy)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0)])
def test_sums_of_no_elements_and_of_one(shape):
    same(lambda x: ag.sum(ag.exp(x) * 2.0) / 4.0, cp.full(shape, 0.5))


# -- what is put together ----------------------------------------------------------------------------------------------


def test_arguments_of_a_kernel_are_limited():
    assert on_cupy.most_arguments(1) * 32 < 4096 - 32
    assert on_cupy.most_arguments(32) >= 4

    def f(x):
        outs = []
        for k in range(150):
            x = x * (1.0 + k)
            outs.append(x)
        return outs

    compiled = same(f, X)
    heads = [part.split(')"', 1)[0] for part in compiled.source.split("ElementwiseKernel(")[1:]]
    counts = [head.split('"""')[0].count("float64") for head in heads]
    assert len(counts) > 1
    assert max(counts) <= on_cupy.most_arguments(2)


def test_unrelated_large_results_do_not_wait_for_one_another(monkeypatch):
    monkeypatch.setattr(fusion, "_SMALL", 0)

    def f(x):
        return sum(ag.sum(ag.sin(x * k)) for k in range(1, 40))

    compiled = same(f, X)
    with cupy_cpu.counting() as counts:
        compiled(X)
    assert counts.peak_bytes <= 80 * 512  # sums of one element, and a few results


def test_writes_stay_in_place():
    def f(x):
        y = ag.sin(x) * 2
        for k in range(3):
            y[k] = y[k] * 2 + ag.sum(y)
        return y * 2

    compiled = same(f, X)
    assert "xp.copy" not in compiled.source


@pytest.mark.parametrize("name", cupy_workloads.WORKLOADS)
def test_half_the_launches_of_code_by_hand(name):
    workload = cupy_workloads.WORKLOADS[name]
    step = cupy_workloads.compiled(workload, cp.asarray, workload.small)
    by_hand = cupy_workloads.by_hand(workload, workload.small)
    step()  # the first call computes constants, and looks at them
    with cupy_cpu.forbid_synchronisation():
        found = step()
    for x, y in zip(found, by_hand(), strict=True):
        np.testing.assert_allclose(x.get(), y.get(), rtol=1e-12, atol=1e-12)
    assert launches(step) <= 0.5 * launches(by_hand)


# -- every operation ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_matrix(first):
    failed = []
    for case in samples(first):
        if any(reason("cupy", "cupy", case.op.name, test, case.id) for test in ("test_value", "test_vjp")):
            continue
        try:
            check(case, ROW, cp.asnumpy)
        except Exception as error:
            failed.append(f"{case.op.name} {case.id}: {type(error).__name__}: {error}"[:300])
    assert not failed, "\n".join(failed)
