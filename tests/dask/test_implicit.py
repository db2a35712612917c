"""What computes a lazy tensor by itself, how it is counted and ruled out; dask arrays that have no graph."""

from __future__ import annotations

import subprocess
import sys
import threading

import dask.array as da
import numpy as np
import pytest
from array_api_compat import is_lazy_array

import agnograd as ag
from agnograd.errors import AgnogradError, ImplicitComputeError

ASK = {
    "bool": (bool, "a truth value"),
    "float": (float, r"float\(\)"),
    "int": (int, r"int\(\)"),
    "complex": (complex, r"complex\(\)"),
    "index": (lambda x: [0, 1, 2][x.astype(np.int64)], r"int\(\)"),
    "item": (lambda x: x.item(), r"item\(\)"),
    "tolist": (lambda x: x.tolist(), r"tolist\(\)"),
    "asarray": (np.asarray, "numpy.asarray"),
    "dlpack": (np.from_dlpack, "an export through DLPack"),
    "in": (lambda x: 2.0 in x.reshape(1), "a truth value"),
}


@pytest.mark.parametrize(("ask", "name"), ASK.values(), ids=ASK)
def test_values_are_computed_when_they_are_asked_for_which_is_counted_and_can_be_ruled_out(ask, name):
    x = ag.asarray(da.full((), 2.0))
    before = ag.implicit_computes()
    assert ask(x) in (2.0, [2.0], True)
    assert ag.implicit_computes() == before + 1
    with ag.config(implicit_compute=False):
        with pytest.raises(
            ImplicitComputeError, match=f"{name} would compute a lazy array .shape .*dask on cpu"
        ) as error:
            ask(x)
        with pytest.raises(TypeError, match="agnograd"):
            ask(x)
    assert isinstance(error.value, AgnogradError)
    assert "2.0" not in str(error.value)
    assert ag.implicit_computes() == before + 1
    assert ask(x) is not None


def test_arrays_in_memory_are_not_concerned():
    before = ag.implicit_computes()
    with ag.config(implicit_compute=False):
        x = ag.tensor(2.0)
        assert bool(x)
        assert float(x) == x.item() == x.tolist() == np.asarray(x) == 2.0
        assert repr(ag.asarray(da.ones(3))).startswith("tensor(shape=(3,)")
        y = ag.asarray(da.ones(3)).requires_grad_()
        ag.sum(y * y).backward()
        assert ag.compute(y.grad).tolist() == [2.0, 2.0, 2.0]
    assert ag.implicit_computes() == before


def test_the_option_holds_from_now_on_or_for_a_block_and_for_this_thread():
    x = ag.asarray(da.ones(()))
    options = ag.config(implicit_compute=False)
    try:
        with pytest.raises(ImplicitComputeError):
            bool(x)
        with ag.config(implicit_compute=True):
            assert bool(x)
            with ag.config():
                assert bool(x)
        with pytest.raises(ImplicitComputeError):
            bool(x)
        found = []
        thread = threading.Thread(target=lambda: found.append(bool(x)))
        thread.start()
        thread.join()
        assert found == [True]
    finally:
        options.__exit__()
    assert bool(x)


def test_libraries_learn_that_a_tensor_is_lazy():
    x = ag.asarray(da.ones(3))
    with ag.config(implicit_compute=False):
        assert is_lazy_array(x)
        assert not is_lazy_array(ag.ones(3))


def test_arrays_of_expressions_are_refused():
    code = """
import dask
dask.config.set({"array.query-planning": True})
import dask.array as da
import numpy as np
import agnograd as ag
x = da.ones(3)
for use in (ag.asarray, ag.sum, lambda x: ag.ones(3) * x, ag.grad(ag.sum), lambda x: ag.namespace("dask")):
    try:
        use(x)
    except ag.errors.BackendUnavailableError as error:
        assert "query-planning" in str(error) and "dask.config.set" in str(error), error
    else:
        raise AssertionError(use)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
