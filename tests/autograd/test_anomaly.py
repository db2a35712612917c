"""Anomaly mode, and NaN and infinity in gradients and values: one test for each row of what PyTorch has."""

from __future__ import annotations

import _thread
import threading
import time

import numpy as np
import pytest
from made_tensors import host, same

import agnograd as ag
from agnograd.core import anomaly, nodes, recorders
from agnograd.errors import AnomalyError

detect = ag.autograd.detect_anomaly


@pytest.fixture(autouse=True)
def _quiet():
    """NumPy warns of what is made here on purpose."""
    with np.errstate(all="ignore"):
        yield
    assert not anomaly.enabled()


@pytest.fixture
def zero(leaf):
    return leaf([0.0, 1.0])


def text(caught):
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def test_detect_anomaly(zero):
    """The operation is named, and the line that called it. There is no warning that the mode is on: it costs little."""
    with detect():
        root = ag.sqrt(zero)  # the line
        loss = (root * 0).sum()
        with pytest.raises(
            AnomalyError, match="function 'SqrtBackward0' returned nan values in its 0th output"
        ) as caught:
            loss.backward()
    assert "test_anomaly.py" in text(caught)
    assert "root = ag.sqrt(zero)  # the line" in text(caught)
    assert isinstance(caught.value, (RuntimeError, FloatingPointError))
    assert zero.grad is None
    # Out of the block nothing is looked at.
    (ag.sqrt(zero) * 0).sum().backward()
    assert np.isnan(host(zero.grad)[0])


def test_an_infinity_is_none_of_its_business_unless_asked_for(zero):
    with detect():
        ag.sqrt(zero).sum().backward()
    assert np.isinf(host(zero.grad)[0])
    with detect(check_inf=True), pytest.raises(AnomalyError, match="'SqrtBackward0' returned infinite values"):
        ag.sqrt(zero).sum().backward()


def test_check_nan_can_be_left_out(zero):
    """What remains is the line, for whatever else goes wrong."""
    with detect(check_nan=False):
        (ag.sqrt(zero) * 0).sum().backward()
    assert np.isnan(host(zero.grad)[0])


def test_values_in_the_forward_pass(leaf):
    x = leaf([-1.0, 1.0])
    with detect(check_forward=True), pytest.raises(AnomalyError, match="operation 'log' computed nan values") as caught:
        ag.log(x)
    assert "ag.log(x)" in text(caught)
    y = leaf([0.0])
    with detect(check_forward=True):
        ag.log(y)
    with detect(check_forward=True, check_inf=True), pytest.raises(AnomalyError, match="'log' computed infinite"):
        ag.log(y)
    # Nested blocks restore what was there, and gradients go on to be looked at.
    with detect():
        with detect(check_forward=True), pytest.raises(AnomalyError):
            ag.log(x)
        with pytest.raises(AnomalyError, match="LogBackward0"):
            (ag.log(leaf([0.0])) * 0).sum().backward()


def test_set_detect_anomaly(zero):
    ag.autograd.set_detect_anomaly(True)
    try:
        assert anomaly.enabled()
        with pytest.raises(AnomalyError):
            (ag.sqrt(zero) * 0).sum().backward()
        with ag.autograd.set_detect_anomaly(False):
            (ag.sqrt(zero) * 0).sum().backward()
        with pytest.raises(AnomalyError):
            (ag.sqrt(zero) * 0).sum().backward()
    finally:
        ag.autograd.set_detect_anomaly(False)
    (ag.sqrt(zero) * 0).sum().backward()


def test_the_line_is_the_users_whichever_way_it_takes(zero, leaf):
    """Through methods, operators, composites, namespaces, views and custom functions."""

    class F(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    xp = zero.__array_namespace__()
    ways = {
        "method": lambda: zero.sqrt(),
        "operator": lambda: zero**0.5,
        "namespace": lambda: xp.sqrt(zero),
        "composite": lambda: ag.std(zero - zero.detach()) + zero[0] ** 0.5,
        "function": lambda: F.apply(zero),
        "several": lambda: ag.concat([zero, zero]) ** 0.5,
    }
    for name, way in ways.items():
        with detect():
            y = way()
            with pytest.raises(AnomalyError) as caught:
                (y * 0).sum().backward()
        assert f'"{name}": lambda' in text(caught), name
        assert "agnograd/" not in text(caught).replace(__file__, "")


WAYS = {
    "unary": lambda x: ag.sin(x),
    "method": lambda x: x.sin(),
    "binary": lambda x: x * x,
    "another shape": lambda x: x * x[:1],
    "another dtype": lambda x: x.astype(x.__array_namespace__().float32),
    "reduction": lambda x: x.sum(axis=0),
    "view": lambda x: x[:1],
    "matrices": lambda x: x @ x,
    "several": lambda x: ag.where(x > 0, x, x),
    "sequence": lambda x: ag.concat([x, x]),
    "outputs": lambda x: ag.linalg.svd(x[:, None] * x)[1],
    "composite": lambda x: ag.std(x),
    "NumPy's": lambda x: np.sin(x),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_recorder_notes_the_line(way, leaf):
    with detect():
        node = WAYS[way](leaf([1.0, 2.0])).grad_fn
        assert f'"{way}": lambda' in anomaly.place_of(node)


def test_an_operation_that_no_function_calls_has_no_line(x):
    """A thread that runs it right away, without a frame below."""
    made = []
    with detect():
        for f in (ag.sin, ag.std):
            _thread.start_new_thread(made.extend, (map(f, [x]),))
        deadline = time.monotonic() + 20
        while len(made) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert [anomaly.place_of(y.grad_fn) for y in made] == [None, None]


def test_nested_double_backward(leaf):
    """A second pass fails in what the first one recorded: the line is that of the first pass."""
    x = leaf([0.0])
    with detect():
        (dx,) = ag.autograd.grad((x**1.5).sum(), x, create_graph=True)  # the first pass
        with pytest.raises(AnomalyError) as caught:
            (dx * 0).sum().backward()
    assert "# the first pass" in text(caught)


def test_under_a_second_transformation(leaf):
    with detect(), pytest.raises(AnomalyError, match="SqrtBackward0"):
        ag.grad(lambda x: (ag.sqrt(x) * 0).sum())(leaf([0.0], requires_grad=False))


def test_other_threads_are_left_alone(zero):
    """The mode belongs to a thread or task, as all modes do (PyTorch's is the whole process's)."""
    found = []

    def run():
        with np.errstate(all="ignore"):
            (ag.sqrt(zero) * 0).sum().backward()
        found.append(True)

    with detect():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert found == [True]


def test_lines_of_several_threads_do_not_mix(leaf):
    x = leaf([1.0])
    nodes = {}

    def one():
        nodes["one"] = [(x * 2).grad_fn for _ in range(2000)]  # of one

    def two():
        nodes["two"] = [(x * 2).grad_fn for _ in range(2000)]  # of two

    with detect():
        threads = [threading.Thread(target=f) for f in (one, two)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for name, made in nodes.items():
            for node in made[::200]:
                assert f"# of {name}" in anomaly.place_of(node)
    assert anomaly.place_of(nodes["one"][0]) is None


def test_what_is_noted_is_bounded(monkeypatch):
    monkeypatch.setattr(anomaly, "_notes", anomaly._Notes(16))
    x = ag.tensor(np.ones(3), requires_grad=True)
    with detect():
        first = ag.sin(x).grad_fn  # the first
        assert "# the first" in anomaly.place_of(first)
        for _ in range(20):
            last = ag.sin(x).grad_fn  # the last
        assert anomaly.place_of(first) is None
        assert "# the last" in anomaly.place_of(last)
        assert len(anomaly._notes.kept) == 16
    assert anomaly.place_of(last) is None
    with detect():
        assert anomaly.place_of(last) is None


def test_a_node_from_before_has_no_line(x):
    node = ag.sin(x).grad_fn
    with detect():
        assert anomaly.place_of(node) is None
        ag.sin(x)
        assert anomaly.place_of(node) is None


def test_nothing_is_left_when_it_is_off():
    count = nodes.next_number
    with detect():
        assert recorders.next_number is not count
    assert recorders.next_number is count
    assert nodes.next_number is count


@pytest.mark.slow
@pytest.mark.parametrize("operation", [ag.sin, lambda x: x.sin()], ids=["function", "method"])
def test_the_cost_of_noting_a_line(operation):
    """About 0.2 us for an operation: measured as a share of it, since machines differ."""
    x = ag.tensor(np.ones(3), requires_grad=True)

    def run(n=2000):
        start = time.process_time()
        for _ in range(n):
            operation(x)
        return (time.process_time() - start) / n

    on = off = 1.0
    for _ in range(100):
        off = min(off, run())
        with detect():
            on = min(on, run())
    assert on - off < 0.35 * off


def test_the_gradient_is_the_same(x):
    with detect(check_inf=True):
        (ag.sin(x) * x + ag.exp(x)[0]).sum().backward()
    v = host(x)
    same(x.grad, np.cos(v) * v + np.sin(v) + 3 * np.exp(v[0]) * np.array([1, 0, 0]))
