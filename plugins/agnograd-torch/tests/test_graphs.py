"""A PyTorch tensor that requires grad is refused wherever it meets agnograd, and no result requires grad."""

import agnograd as ag
import pytest
import torch
from agnograd.errors import GradientLostError

T = ag.tensor(torch.tensor([1.0, 2.0, 3.0]), requires_grad=True)
X = torch.tensor([1.0, 2.0, 3.0])

PLACES = {
    "tensor": lambda r: ag.tensor(r),
    "asarray": lambda r: ag.asarray(r),
    "within a list": lambda r: ag.namespace("torch").asarray([T[0], r[0]]),
    "of a function": lambda r: ag.exp(r),
    "beside a tensor": lambda r: T * r,
    "before a tensor": lambda r: r * T,
    "one of several": lambda r: ag.where(T > 1, T, r),
    "of a sequence": lambda r: ag.concat([T, r]),
    "of a decomposition": lambda r: ag.linalg.svd(r[None] * 1),
    "of a transform": lambda r: ag.fft.fft(r),
    "indexed": lambda r: T[r > 0] * r,
    "written": lambda r: T.clone().__setitem__(0, r[0]),
    "argument of grad": lambda r: ag.grad(ag.sum)(r),
    "constant of grad": lambda r: ag.grad(lambda x: ag.sum(x * r))(X),
    "argument of jvp": lambda r: ag.jvp(lambda x: 2 * x, (r,), (X,)),
    "tangent": lambda r: ag.jvp(lambda x: 2 * x, (X,), (r,)),
    "cotangent of vjp": lambda r: ag.vjp(lambda x: 2 * x, X)[1](r),
    "cotangent of backward": lambda r: (2 * T).backward(r),
    "argument of vmap": lambda r: ag.vmap(lambda x: 2 * x)(r),
    "to another backend": lambda r: ag.to_backend(r, "numpy"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "make",
    [lambda: torch.ones(3, requires_grad=True), lambda: torch.nn.Parameter(torch.ones(3))],
    ids=["leaf", "parameter"],
)
def test_what_requires_grad_in_pytorch_is_refused(place, make):
    with pytest.raises(GradientLostError, match=r"requires grad in PyTorch.*Pass x\.detach\(\)"):
        PLACES[place](make())


def test_detached_is_fine_and_nothing_requires_grad_in_pytorch():
    r = torch.ones(3, requires_grad=True)
    t = ag.tensor(r.detach(), requires_grad=True)
    y = ag.sum(ag.exp(t) * t)
    y.backward(create_graph=True)
    assert t.grad.requires_grad
    assert not any(x.array.requires_grad for x in (t, y, t.grad))
    assert r.grad is None


def test_a_detached_tensor_shares_memory_with_asarray_and_not_with_tensor():
    x = torch.zeros(2)
    shared, copied = ag.asarray(x), ag.tensor(x)
    x[0] = 1.0
    assert shared.tolist() == [1.0, 0.0]
    assert copied.tolist() == [0.0, 0.0]


def test_writes_to_a_tensor_leave_what_it_was_made_from():
    x = torch.zeros(3)
    t = ag.asarray(x)
    t[0] = 1.0
    t[1] = 2.0
    t += 1.0
    assert t.tolist() == [2.0, 3.0, 1.0]
    assert x.tolist() == [0.0, 0.0, 0.0]
