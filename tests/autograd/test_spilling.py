"""What a graph saves, out of memory: on disk, on the host, or computed again."""

from __future__ import annotations

import errno
import gc
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tensors import host, same

import agnograd as ag
from agnograd.autograd.graph import save_on_host, saved_tensors_hooks, spill
from agnograd.errors import SavedError

SCRIPT = Path(__file__).parents[2] / "scripts" / "spilling.py"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("spilling_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_a_chain_that_does_not_fit_is_trained_under_the_limit() -> None:
    sizes = {"layers": 30, "megabytes": 8, "steps": 2}
    run = script().run
    free = run("plain", limit=0, **sizes)
    assert run("plain", limit=160, **sizes)["failed"]
    for way in ("spill", "checkpoint"):
        found = run(way, limit=160, **sizes)
        assert not found["failed"]
        assert found["loss"] == free["loss"]
        assert found["peak"] < free["peak"] - 200


def chain(x: Any) -> Any:
    for _ in range(3):
        x = ag.exp(x * 0.5) * x
    return x


def gradient(x: Any) -> Any:
    return np.asarray(ag.to_backend(ag.autograd.grad(ag.sum(chain(x)), x)[0], "numpy"))


def test_gradients_are_those_of_memory(agnograd_backend: str, tmp_path: Path) -> None:
    values = np.linspace(0.0, 1.0, 6).reshape(2, 3)
    x = ag.to_backend(ag.tensor(values), agnograd_backend).requires_grad_()
    expected = gradient(x)
    for way in (spill(tmp_path, min_bytes=0), save_on_host(min_bytes=0)):
        with way:
            loss = ag.sum(chain(x))
        (found,) = ag.autograd.grad(loss, x)
        assert (found.dtype, found.device) == (x.dtype, x.device)
        np.testing.assert_allclose(np.asarray(ag.to_backend(found, "numpy")), expected, rtol=1e-14)
    assert not list(tmp_path.iterdir())


def test_second_derivatives_through_files(tmp_path: Path) -> None:
    x = ag.tensor([0.5, 1.0], requires_grad=True)

    def second(way: Any) -> Any:
        with way:
            loss = ag.sum(chain(x))
        (first,) = ag.autograd.grad(loss, x, create_graph=True)
        return np.asarray(ag.autograd.grad(ag.sum(first), x)[0])

    np.testing.assert_array_equal(second(spill(tmp_path, min_bytes=0)), second(ag.enable_grad()))


WAYS = {"spill": lambda: spill(min_bytes=0), "save_on_host": lambda: save_on_host(min_bytes=0)}


@pytest.mark.parametrize("way", WAYS)
def test_transformations_around_keep_their_derivatives(agnograd_backend: str, way: str) -> None:
    """What is saved within them is on their graph, which no copy is."""
    x = ag.to_backend(ag.tensor([0.5, 1.0]), agnograd_backend)
    w = ag.to_backend(ag.tensor([2.0, 3.0]), agnograd_backend).requires_grad_()

    def f(x: Any) -> Any:
        with WAYS[way]():
            return ag.sum(chain(x) * w)

    def plain(x: Any) -> Any:
        return ag.sum(chain(x) * w)

    def on_the_users_graph(f: Any) -> Any:
        w.grad = None
        ag.sum(ag.grad(f)(x)).backward()
        return w.grad

    for derivative in (
        lambda f: ag.grad(lambda x: ag.sum(ag.grad(f)(x)))(x),
        lambda f: ag.hvp(f, (x,), (x,)),
        lambda f: ag.grad(lambda x: ag.jvp(f, (x,), (x,))[1])(x),
        on_the_users_graph,
    ):
        same(derivative(f), host(derivative(plain)))


def test_hooks_that_lose_a_derivative_are_told(leaf: Any) -> None:
    """Users' own ones, which know nothing of transformations."""
    x = leaf([1.0, 2.0], requires_grad=False)

    def f(x: Any) -> Any:
        with saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
            return ag.sum(x**3)

    same(ag.grad(f)(x), 3 * host(x) ** 2)
    with pytest.raises(SavedError, match="came back without its place in the graph of 'grad' around"):
        ag.grad(lambda x: ag.sum(ag.grad(f)(x)))(x)


def test_files_that_were_deleted_or_changed(tmp_path: Path) -> None:
    x = ag.ones((100, 100), requires_grad=True)
    for spoil in (Path.unlink, lambda path: path.write_bytes(b"else")):
        with spill(tmp_path):
            loss = ag.sum(chain(x))
        for path in tmp_path.iterdir():
            spoil(path)
        with pytest.raises(SavedError, match=r"shape \(100, 100\), float64, .* the file was deleted or changed"):
            loss.backward()
        del loss
    assert x.grad is None


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = ag.ones((100, 100), requires_grad=True)

    def save(file: Any, values: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", save)
        with pytest.raises(OSError, match="No space left") as caught, spill(tmp_path):
            chain(x)
    assert caught.value.__notes__ == ["while 80000 bytes that the graph saves were written to the directory of a spill"]
    assert not list(tmp_path.iterdir())
    chain(x).sum().backward()
    assert x.grad is not None


def test_an_array_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    files = spill(tmp_path, min_bytes=0)
    for _ in range(3):
        with files:
            loss = ag.sum(chain(ag.ones(3, requires_grad=True)))
        loss.backward()
    assert not files._written


def test_files_go_with_the_graph_that_is_not_used(tmp_path: Path) -> None:
    x = ag.ones((100, 100), requires_grad=True)
    gc.disable()
    try:
        with spill(tmp_path, min_bytes=1):
            loss = ag.sum(chain(x))
        assert list(tmp_path.iterdir())
        del loss
        assert not list(tmp_path.iterdir())
    finally:
        gc.enable()


def test_small_values_stay_in_memory(tmp_path: Path) -> None:
    x = ag.ones(3, requires_grad=True)
    with spill(tmp_path):
        loss = ag.sum(chain(x))
    assert not list(tmp_path.iterdir())
    loss.backward()
    assert x.grad is not None


def test_a_value_that_several_operations_save_is_written_once(tmp_path: Path) -> None:
    x = ag.ones((100, 100), requires_grad=True)
    with spill(tmp_path, min_bytes=1):
        y = ag.sin(x) + ag.cos(x) + ag.exp(x * x)
    # x and exp(x * x).
    assert len(list(tmp_path.iterdir())) == 2
    ag.sum(y).backward()
    assert x.grad is not None
