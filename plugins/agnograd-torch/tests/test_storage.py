"""Tensors around PyTorch's, end to end: derivatives, text, devices, dtypes, and the way to other libraries and back."""

import dataclasses

import agnograd as ag
import numpy as np
import pytest
import torch
from agnograd import plugins
from agnograd.errors import MixedBackendsError

from agnograd_torch import namespace, plugin

X = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def f(x):
    return ag.sum(ag.exp(x) * x)


# -- derivatives -------------------------------------------------------------------------------------------------------


def test_backward():
    t = ag.tensor(X, requires_grad=True)
    f(t).backward()
    assert type(t.grad.array) is torch.Tensor
    torch.testing.assert_close(t.grad.array, torch.exp(X) * (X + 1))


def test_transformations_of_plain_tensors_give_plain_tensors():
    first, second = torch.exp(X) * (X + 1), torch.exp(X) * (X + 2)
    torch.testing.assert_close(ag.grad(f)(X), first)
    torch.testing.assert_close(ag.jvp(f, (X,), (torch.ones_like(X),))[1], first.sum())
    torch.testing.assert_close(ag.hessian(f)(X), torch.diag(second))
    torch.testing.assert_close(ag.vmap(ag.grad(f))(torch.stack([X, 2 * X]))[0], first)


def test_derivatives_are_those_of_pytorch():
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)

    def loss(xp, m, x):
        return xp.linalg.slogdet(m)[1] + xp.sum(xp.tanh(xp.linalg.solve(m, x)) ** 2)

    leaves = [matrix.clone().requires_grad_(), X[:2].clone().requires_grad_()]
    expected = torch.autograd.grad(loss(torch, *leaves), leaves)
    found = ag.grad(lambda m, x: loss(ag, m, x), argnums=(0, 1))(matrix, X[:2])
    torch.testing.assert_close(found, expected)


def test_writes_are_differentiated():
    def g(x):
        out = ag.zeros_like(x)
        out[1:] = x[:2] * x[1:]
        out[0] += x[2]
        out *= 2
        return ag.sum(out)

    torch.testing.assert_close(ag.grad(g)(X), torch.tensor([4.0, 8.0, 6.0], dtype=torch.float64))


def test_a_function_that_knows_namespaces_only():
    def softmax(x):
        xp = x.__array_namespace__()
        e = xp.exp(x - xp.max(x))
        return e / xp.sum(e)

    expected = torch.func.jacrev(lambda x: torch.softmax(x, 0))(X)
    torch.testing.assert_close(ag.jacobian(softmax)(X), expected)


# -- dtypes and devices ------------------------------------------------------------------------------------------------


def test_the_default_dtype_is_that_of_pytorch():
    with ag.use_backend("torch"):
        made = [ag.tensor([1.0, 2.0]), ag.ones(2), ag.randn(2), ag.linspace(0, 1, 3), ag.eye(2)]
    assert {x.dtype for x in made} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_gradients_keep_the_dtype(dtype):
    x = X.to(dtype)
    found = ag.grad(lambda x: ag.sum(ag.abs(ag.sin(x)) ** 2))(x)
    assert found.dtype is dtype
    assert ag.jvp(ag.sin, (x,), (x,))[1].dtype is dtype


def test_single_precision_stays_beside_numbers_and_single_elements_in_double():
    x = torch.ones(2)
    assert (ag.asarray(x) * 2.5).dtype is torch.float32
    # PyTorch itself would keep float32: it takes 0-d tensors for numbers, where the standard promotes.
    assert (ag.asarray(x) * torch.tensor(2.5, dtype=torch.float64)).dtype is torch.float64


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_results_stay_on_the_device(device):
    # On "meta" PyTorch computes shapes, dtypes and devices, and no values: what strays to the CPU raises.
    t = ag.tensor(torch.diag(torch.arange(1.0, 4.0)).to(device), requires_grad=True)
    y = ag.sum(ag.linalg.inv(t)[::-1, [0, 0]] * ag.var(t) + ag.cumulative_sum(t, axis=0)[1:, :2].mean())
    y.backward()
    assert str(t.grad.device) == str(t.device) == device
    assert t.grad.shape == (3, 3)


def test_to_device():
    t = ag.tensor(X, requires_grad=True)
    moved = t.to_device("meta")
    assert str(moved.device) == "meta"
    torch.testing.assert_close(ag.grad(lambda x: ag.sum(x.to_device("cpu") ** 2))(X), 2 * X)


# -- other libraries ---------------------------------------------------------------------------------------------------


def test_backends_do_not_mix():
    for mix in (lambda: ag.asarray(X) + ag.ones(3), lambda: ag.ones(3) * ag.asarray(X), lambda: ag.ones(3) * X):
        with pytest.raises(MixedBackendsError, match=r"(?s)torch.*numpy|numpy.*torch"):
            mix()


def test_to_another_backend_and_back_with_the_gradient():
    t = ag.tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    y = ag.to_backend(ag.sin(ag.to_backend(t, "torch")), "numpy")
    assert y.__array_namespace__() is ag.namespace("numpy")
    y.sum().backward()
    np.testing.assert_allclose(t.grad, np.cos([1.0, 2.0]))
    assert type(ag.to_backend(np.ones(2), "torch")) is torch.Tensor
    assert type(ag.to_backend(X, "numpy")) is np.ndarray


def test_values_on_the_host():
    conjugate = ag.conj(ag.asarray(torch.tensor([1 + 2j, 3 - 1j])))
    np.testing.assert_array_equal(np.asarray(conjugate), [1 - 2j, 3 + 1j])
    lazily = torch.tensor([1 + 2j]).conj()
    assert lazily.is_conj()
    assert ag.asarray(lazily).tolist() == [1 - 2j]
    assert ag.asarray(X)[1].item() == 2.0


def test_arrays_that_cannot_be_written_to_are_copied():
    host = np.arange(3.0)
    host.flags.writeable = False
    t = ag.namespace("torch").asarray(host)
    t.array[0] = 5.0
    assert host[0] == 0.0
    with pytest.raises(ValueError, match="copy=False"):
        namespace.asarray(host, copy=False)


def test_dlpack_both_ways():
    out = torch.from_dlpack(ag.asarray(X))
    assert out.data_ptr() == X.data_ptr()
    assert ag.namespace("torch").from_dlpack(np.ones(2)).dtype is torch.float64


# -- functions of the standard that PyTorch lacks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [3.0, 1.0, 3.0, float("nan"), 1.0, float("nan"), 3.0],
        [[2, 1], [2, 2]],
        [True, False, True],
        [1 + 1j, 1 - 1j, 1 + 1j],
        [],
    ],
    ids=["nan", "integers", "booleans", "complex", "nothing"],
)
def test_unique(values):
    xp, host = ag.namespace("torch"), np.asarray(values)
    found = xp.unique_all(torch.asarray(host.copy()))
    expected = np.unique_all(host)
    for name in ("values", "counts", "indices", "inverse_indices"):
        got = np.asarray(getattr(found, name))
        assert got.shape == getattr(expected, name).shape
        np.testing.assert_array_equal(got, getattr(expected, name))


def test_standard_deviation_with_a_correction_that_is_no_integer():
    xp = ag.namespace("torch")
    np.testing.assert_allclose(xp.std(X, correction=0.5).item(), np.std([1.0, 2.0, 3.0], ddof=0.5))


def test_sign():
    xp = ag.namespace("torch")
    assert xp.sign(torch.tensor([-2.0, 0.0, float("inf")])).tolist() == [-1.0, 0.0, 1.0]
    assert bool(xp.isnan(xp.sign(torch.tensor([float("nan")])))[0])
    assert xp.sign(torch.tensor([0j, 3 + 4j])).tolist() == pytest.approx([0j, 0.6 + 0.8j])


def test_transforms_of_empty_stacks():
    xp = ag.namespace("torch")
    assert xp.fft.rfft(torch.ones(0, 5)).shape == (0, 3)
    assert xp.fft.irfftn(torch.ones(0, 2, 3, dtype=torch.complex64), axes=(1, 2)).shape == (0, 2, 4)
    assert xp.fft.fft(torch.ones(0), n=2).tolist() == [0j, 0j]
    with pytest.raises(RuntimeError, match="Invalid number of data points"):
        xp.fft.fft(torch.ones(0))


# -- text --------------------------------------------------------------------------------------------------------------


def test_text():
    t = ag.tensor(torch.tensor([1.0, 2.5]), requires_grad=True)
    assert repr(t) == "tensor([1.0000, 2.5000], backend=torch, requires_grad=True)"
    assert repr(2 * t) == "tensor([2., 5.], backend=torch, grad_fn=<MulBackward0>)"
    with ag.use_backend("torch"):
        assert repr(t) == repr(torch.tensor([1.0, 2.5], requires_grad=True))
        for x in (torch.zeros(2, 0), torch.arange(2000.0).reshape(2, 1000), torch.tensor(1.5), torch.tensor([True])):
            assert repr(ag.asarray(x)) == repr(x)


def test_text_of_what_has_no_values_or_no_dtype_of_numpy():
    with ag.use_backend("torch"):
        assert repr(ag.asarray(torch.ones(2, 3, device="meta"))) == "tensor(..., device=meta, size=(2, 3))"
        assert repr(ag.asarray(torch.ones(2, dtype=torch.bfloat16))) == "tensor([1., 1.], dtype=bfloat16)"


def test_of_a_large_tensor_only_the_edges_are_moved():
    moved = []
    with plugins.isolated() as manager:

        class Counting:
            @ag.hookimpl
            def agnograd_backends(self):
                (backend,) = plugin.agnograd_backends()

                def to_host(x):
                    moved.append(x.numel())
                    return plugin.to_host(x)

                yield dataclasses.replace(backend, to_host=to_host)

        manager.register(Counting(), "counting")
        assert "..." in repr(ag.asarray(torch.zeros(1000, 1000)))
    assert sum(moved) == 64
