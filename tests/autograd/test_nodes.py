"""Nodes of the graph, as ``grad_fn`` gives them: one test for each row of what PyTorch's do."""

from __future__ import annotations

import gc
import re
import weakref

import numpy as np
import pytest
from made_tensors import host, same

import agnograd as ag
from agnograd.errors import CotangentError, GraphFreedError, HookError, NoGraphError


class Twice(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def sink(x):
    """The node of a leaf."""
    return (x * 1).grad_fn.next_functions[0][0]


def test_repr(x):
    assert re.fullmatch(r"<AddBackward0 object at 0x[0-9a-f]+>", repr((x + 1).grad_fn))
    assert re.fullmatch(r"<AccumulateGrad object at 0x[0-9a-f]+>", repr(sink(x)))
    assert re.fullmatch(r"<TwiceBackward object at 0x[0-9a-f]+>", repr(Twice.apply(x).grad_fn))
    assert type((x + 1).grad_fn).__name__ == "AddBackward0"


def test_name(x):
    assert (x * x).grad_fn.name() == "MulBackward0"
    assert x.sum().grad_fn.name() == "SumBackward0"
    assert sink(x).name() == "AccumulateGrad"
    assert Twice.apply(x).grad_fn.name() == "TwiceBackward"


def test_next_functions(x, constant):
    y = x * 2
    assert (y + 1).grad_fn.next_functions == ((y.grad_fn, 0), (None, 0))
    assert (constant([1.0, 1.0, 1.0]) * y).grad_fn.next_functions == ((None, 0), (y.grad_fn, 0))
    assert (y * y).grad_fn.next_functions == ((y.grad_fn, 0), (y.grad_fn, 0))
    assert sink(x).next_functions == ()
    q, r = ag.linalg.qr(ag.reshape(ag.concat([y, x[:1]]), (2, 2)))
    assert (r * 1).grad_fn.next_functions[0] == (q.grad_fn, 1)
    assert ag.concat([y, constant([1.0]), x]).grad_fn.next_functions == ((y.grad_fn, 0), (None, 0), (sink(x), 0))


def test_variable(x):
    assert sink(x).variable is x
    with pytest.raises(AttributeError, match="MulBackward0"):
        (x * 1).grad_fn.variable  # noqa: B018
    node = sink(x)
    y = (x * 1).detach().requires_grad_()
    gone = sink(y)
    del y
    assert gone.variable is None
    assert node.variable is x


def test_metadata(x):
    y = x * 2
    y.grad_fn.metadata["seen"] = True
    assert y.grad_fn.metadata == {"seen": True}
    assert (x * 2).grad_fn.metadata == {}


def test_register_hook(x):
    seen = []
    y = x * 2
    node = y.grad_fn
    handle = node.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    (y * 3).sum().backward(retain_graph=False)
    ((inputs, outputs),) = seen
    assert len(inputs) == 2
    same(inputs[0], [6, 6, 6])
    assert inputs[1] is None
    same(outputs[0], [3, 3, 3])
    handle.remove()
    y = x * 2
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10, None))
    x.grad = None
    y.sum().backward()
    same(x.grad, [20, 20, 20])
    assert len(seen) == 1
    for found, error, message in (
        ((x.detach(),) * 3, HookError, r"incorrect number of values \(got 3, but expected 2\)"),
        (3, HookError, "expected tuple, but hook returned 'int'"),
        ((x.detach()[:1], None), CotangentError, "has changed the size of value"),
    ):
        y = x * 2
        y.grad_fn.register_hook(lambda *gs, found=found: found)
        with pytest.raises(error, match=message):
            y.sum().backward()
    # At a leaf, where nothing follows.
    done = []
    sink(x).register_hook(lambda inputs, outputs: done.append((inputs, host(outputs[0]), host(x.grad))))
    x.grad = None
    (x * 2).sum().backward()
    assert done[0][0] == ()
    np.testing.assert_allclose(done[0][1:], [[2, 2, 2], [2, 2, 2]])


def test_register_prehook(x):
    y = x * 2
    y.grad_fn.register_prehook(lambda gs: tuple(g * 5 for g in gs))
    with y.grad_fn.register_prehook(lambda gs: (gs[0] + 1,)):
        y.sum().backward()
    same(x.grad, [12, 12, 12])
    x.grad = None
    y = x * 2
    y.grad_fn.register_prehook(lambda gs: 3)
    with pytest.raises(HookError, match="expected tuple"):
        y.sum().backward()
    sink(x).register_prehook(lambda gs: (gs[0] * 7,))
    (x * 1).sum().backward()
    same(x.grad, [7, 7, 7])


def test_hooks_of_a_node_with_several_outputs(leaf):
    x = leaf([[2.0, 1.0], [1.0, 3.0]])
    q, r = ag.linalg.qr(x)
    counts = []
    q.grad_fn.register_prehook(lambda gs: counts.append([g is None for g in gs]))
    r.register_hook(lambda g: g * 2)
    (r * r).sum().backward()
    assert counts == [[True, False]]
    # |R|^2 = |A|^2
    same(x.grad, 4 * host(x))


def test_prehooks_take_gradients_away(x):
    """What nothing arrives at gives nothing, and its hooks are told."""
    seen = []
    y = x * x
    y.grad_fn.register_prehook(lambda gs: (None,))
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi, go)))
    y.sum().backward()
    assert x.grad is None
    assert seen == [((None, None), (None,))]
    total = (x * 1).sum()
    total.grad_fn.register_prehook(lambda gs: (None,))
    total.backward()
    sink(x).register_prehook(lambda gs: (None,))
    (x * 1).sum().backward()
    (x * 1).sum().backward(inputs=[x])
    assert x.grad is None


def test_hooks_give_no_gradient_where_there_was_none(x):
    y = x + 1
    y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0]))
    with pytest.raises(HookError, match="can't replace a None gradient"):
        y.sum().backward()


def test_hooks_see_whole_gradients_of_what_was_indexed(x):
    """The engine itself keeps only the part that is not zero."""
    seen = []
    y = x[1:]
    y.grad_fn.register_hook(lambda gi, go: seen.append(gi[0]) or (gi[0] * 2,))
    (y * y).sum().backward()
    same(seen[0], [0, -1, 4])
    same(x.grad, [0, -2, 8])


def test_calling_a_node(x, constant):
    y = x * x
    first, second = y.grad_fn(constant([1.0, 1.0, 1.0]))
    same(first, host(x))
    same(second, host(x))
    # With grad mode on it is recorded.
    assert first.requires_grad
    with ag.no_grad():
        assert not y.grad_fn(constant([1.0, 1.0, 1.0]))[0].requires_grad
    same(ag.exp(x).grad_fn(constant([1.0, 1.0, 1.0])), np.exp(host(x)))
    with pytest.raises(TypeError, match="MulBackward0 expected 1 arguments, got 2"):
        y.grad_fn(x, x)
    y.sum().backward()
    with pytest.raises(GraphFreedError, match="second time"):
        y.grad_fn(constant([1.0, 1.0, 1.0]))


def test_saved_values(x):
    """By the names that the operation gives its arguments: ``_saved_x1``; all of them as ``saved_tensors``."""
    y = x * x
    node = y.grad_fn
    assert node._saved_x1.grad_fn is None
    same(node._saved_x1, host(x))
    assert len(node.saved_tensors) == 2
    z = ag.exp(y)
    same(z.grad_fn._saved_ans, np.exp(host(x) ** 2))
    assert z.grad_fn._saved_ans.requires_grad
    assert (x + 1).grad_fn.saved_tensors == ()
    assert (x * 2).grad_fn.saved_tensors == ()
    # A constant is one as a tensor, too.
    constant = x.detach()
    for found in ((x * constant).grad_fn._saved_x2, (x * constant).grad_fn.saved_tensors[0]):
        assert isinstance(found, ag.Tensor)
        same(found, host(x))
    with pytest.raises(AttributeError, match="_saved_self"):
        node._saved_self  # noqa: B018
    z.sum().backward()
    for look in (lambda: node.saved_tensors, lambda: node._saved_x1):
        with pytest.raises(GraphFreedError, match="second time"):
            look()


def test__sequence_nr(x):
    """It grows with every node. What PyTorch has as ``_input_metadata`` is not kept: no rule needs it."""
    a = x * 2
    b = a * 3
    assert b.grad_fn._sequence_nr() > a.grad_fn._sequence_nr() > 0


def test_isinstance_of_node(x):
    for y in (x * 2, Twice.apply(x), ag.concat([x, x])):
        assert isinstance(y.grad_fn, ag.autograd.graph.Node)
    assert isinstance(sink(x), ag.autograd.graph.Node)
    assert not isinstance(x, ag.autograd.graph.Node)


def test_identity_and_weak_references(x):
    gc.collect()
    gc.disable()
    try:
        y = x * 2
        assert y.grad_fn is y.grad_fn
        assert (y + 1).grad_fn.next_functions[0][0] is y.grad_fn
        gone = weakref.ref(y.grad_fn)
        assert gone() is y.grad_fn
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_dump(x, leaf):
    w = leaf([1.0, 2.0, 3.0])
    y = x * w
    lines = ag.autograd.graph.dump((y * y).sum(), y).split("\n")
    assert [line.split(" of ")[0] for line in lines] == [
        "0 SumBackward0 -> 1",
        "1 MulBackward0 -> 2, 2",
        "2 MulBackward0 -> 4, 3" if x._node.number > w._node.number else "2 MulBackward0 -> 3, 4",
        "3 AccumulateGrad",
        "4 AccumulateGrad",
    ]
    assert lines[3].endswith(lines[4][-10:])
    assert "shape (3,), float64" in lines[3]
    assert ag.autograd.graph.dump((y * y).sum(), limit=2).endswith("and 3 more")
    assert "QrBackward0" in ag.autograd.graph.dump(ag.linalg.qr(leaf([[2.0, 1.0], [1.0, 3.0]]))[1])
    with pytest.raises(NoGraphError):
        ag.autograd.graph.dump(x.detach())


def test_timed(x):
    loss = ag.exp(x * x).sum()
    with ag.autograd.graph.timed(loss) as times:
        loss.backward(retain_graph=True)
        loss.backward(retain_graph=True)
    loss.backward()
    assert {name: count for name, (count, _) in times.seconds.items()} == {
        "SumBackward0": 2,
        "ExpBackward0": 2,
        "MulBackward0": 2,
    }
    assert all(seconds > 0 for _, seconds in times.seconds.values())
    np.testing.assert_allclose(host(x.grad), 6 * host(x) * np.exp(host(x) ** 2))
