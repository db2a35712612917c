"""Kernels of plugins: another body with the same mathematics, which the tests of the table run on as they are."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from made_plugins import CUBE, Plugin, cube

import agnograd as ag
from agnograd.errors import ConformanceError
from agnograd.testing import check_op

KERNEL = """
    import numpy as np

    called = []

    def logaddexp(x1, x2):
        called.append(x1)
        high, low = np.maximum(x1, x2), np.minimum(x1, x2)
        # Equal infinities have no difference.
        gap = np.where(low == high, 0, low - np.where(low == high, 0, high)).astype(high.dtype)
        return high + np.log1p(np.exp(gap))

    @hookimpl
    def agnograd_kernels():
        yield Kernel(op="logaddexp", backend="numpy", body=logaddexp)
"""


def kernel(op, body, backend="numpy"):
    return Plugin(kernels=[ag.Kernel(op=op, backend=backend, body=body)])


# -- the tests of the table run on them --------------------------------------------------------------------------------


def test_an_installed_kernel_passes_the_tests_of_its_operation(install, load):
    install("agno-fast", "fast = fast_plugin", fast_plugin=KERNEL)
    _, messages = load()
    assert messages == []
    import fast_plugin

    check_op("logaddexp", "numpy")
    assert len(fast_plugin.called) > 100
    del fast_plugin.called[:]
    x = ag.namespace("strict").ones(2)
    ag.logaddexp(x, x)
    assert fast_plugin.called == []


def test_so_it_does_in_a_run_of_pytest(install):
    folder = install("agno-fast", "fast = fast_plugin", fast_plugin=KERNEL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"PYTHONPATH": str(folder), "AGNOGRAD_LOAD_PLUGINS": "agno-fast", "AGNOGRAD_PLUGIN_ERRORS": "raise"}
    command = "-m pytest -q -p no:cacheprovider --pyargs agnograd.testing.conformance --agnograd-ops=logaddexp"
    done = subprocess.run(
        [sys.executable, *command.split(), "--agnograd-backends=numpy"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def careless(x1, x2):
    x1 += np.log1p(np.exp(x2 - x1))
    return x1


WRONG = {
    "values": (lambda x1, x2: np.maximum(x1, x2), "test_value"),
    "dtypes": (lambda x1, x2: np.logaddexp(x1, x2).astype("float64"), "float32"),
    "shapes": (lambda x1, x2: np.logaddexp(x1, x2)[..., None], "test_value"),
    "writes into an argument": (careless, "read-only"),
}


@pytest.mark.parametrize(("body", "says"), list(WRONG.values()), ids=list(WRONG))
def test_a_kernel_that_is_wrong_fails_them(manager, body, says):
    manager.register(kernel("logaddexp", body), "wrong")
    with pytest.raises(ConformanceError, match=says):
        check_op("logaddexp", "numpy")


# -- where they are used -----------------------------------------------------------------------------------------------


def test_rules_use_kernels_too(manager):
    def counted(x):
        called.append(x)
        return np.cos(x)

    called = []
    manager.register(kernel("cos", counted), "counted")
    x = ag.tensor([0.5], requires_grad=True)
    y = ag.sin(x)
    assert called == []
    y.sum().backward()
    assert len(called) == 1
    assert x.grad.tolist() == [np.cos(0.5)]
    ag.vmap(ag.cos)(np.ones(3))
    assert len(called) == 2


def test_a_kernel_for_the_operation_of_another_plugin(install, load):
    source = """
        @hookimpl
        def agnograd_kernels():
            yield Kernel(op="mine.cube", backend="numpy", body=lambda x: x**3 + 0)
    """
    install("agno-a", "a = a_plugin", a_plugin=source)
    install("agno-b", "b = b_plugin", b_plugin=CUBE.format(name="mine.cube"))
    load()
    check_op("mine.cube", "numpy,strict")


def test_a_kernel_goes_with_its_plugin(manager):
    manager.register(Plugin(ops=[cube()]), "cubes")
    manager.register(kernel("tests.cube", lambda x: 0 * x), "zeros")
    x = np.asarray([2.0])
    assert ag.tests.cube(x).tolist() == [0.0]
    manager.unregister("zeros")
    assert ag.tests.cube(x).tolist() == [8.0]


def test_a_kernel_leaves_what_the_backend_has(manager):
    # The order of a search may be a tensor, which NumPy's own function would not open.
    x, order = ag.tensor([3.0, 1.0, 2.0]), ag.tensor([1, 2, 0])
    manager.register(kernel("sin", np.sin), "sines")
    assert ag.searchsorted(x, ag.tensor([1.5]), sorter=order).tolist() == [1]
    manager.unregister("sines")
    assert ag.searchsorted(x, ag.tensor([1.5]), sorter=order).tolist() == [1]


def test_a_kernel_for_the_backend_of_a_plugin_is_found_whichever_comes_first(manager):
    import tiny_arrays
    from made_plugins import TINY

    manager.register(Plugin(backends=[TINY], kernels=kernel("sin", lambda x: x, "tiny").agnograd_kernels()), "tiny")
    assert ag.sin(tiny_arrays.Tiny([2.0])).values.tolist() == [2.0]


# -- for a backend that need not be installed --------------------------------------------------------------------------

FOR_TINY = """
    @hookimpl
    def agnograd_kernels():
        yield Kernel(op="{op}", backend="tiny", body=lambda x: x, optional={optional})
"""
DESCRIBES_TINY = """
    from made_plugins import TINY

    @hookimpl
    def agnograd_backends():
        yield TINY
"""


def test_an_optional_kernel_is_left_aside_without_its_backend(install, load):
    install("agno-fast", "fast = fast_plugin", fast_plugin=FOR_TINY.format(op="sin", optional=True))
    manager, messages = load()
    assert messages == []
    (record,) = (r for r in manager.records if r.name == "fast")
    assert (record.status, record.error, record.provides["agnograd_kernels"]) == ("loaded", "", ["sin@tiny"])


def test_so_it_is_where_its_backend_is_disabled(install, load, monkeypatch):
    monkeypatch.setenv("AGNOGRAD_DISABLE_PLUGINS", "tiny")
    install("agno-fast", "fast = fast_plugin", fast_plugin=FOR_TINY.format(op="sin", optional=True))
    install("agno-tiny", "tiny = tiny_plugin", tiny_plugin=DESCRIBES_TINY)
    assert load()[1] == []


@pytest.mark.parametrize("first", ["a", "z"])
def test_an_optional_kernel_is_used_with_its_backend_in_whatever_order_they_come(install, load, first):
    import tiny_arrays

    install(f"{first}-fast", f"{first}fast = fast_plugin", fast_plugin=FOR_TINY.format(op="sin", optional=True))
    install("m-tiny", "tiny = tiny_plugin", tiny_plugin=DESCRIBES_TINY)
    assert load()[1] == []
    assert ag.sin(tiny_arrays.Tiny([2.0])).values.tolist() == [2.0]


def test_an_optional_kernel_is_used_once_its_backend_is_registered(manager):
    import tiny_arrays
    from made_plugins import TINY

    fast = ag.Kernel(op="sin", backend="tiny", body=lambda x: x, optional=True)
    manager.register(Plugin(kernels=[fast]), "fast")
    manager.register(Plugin(backends=[TINY]), "tiny")
    assert ag.sin(tiny_arrays.Tiny([2.0])).values.tolist() == [2.0]
    manager.unregister("tiny")
    assert "tiny" not in manager.backends()


@pytest.mark.parametrize(
    ("op", "optional", "tiny", "says"),
    [
        ("sine", True, True, "kernel 'sine@tiny' is for an unknown operation; did you mean 'sin'"),
        ("sin", False, False, "kernel 'sin@tiny' is for an unknown backend"),
        ("sine", False, False, "kernel 'sine@tiny' is for an unknown operation; did you mean 'sin'"),
    ],
)
def test_what_is_no_operation_or_must_be_there_is_told_as_ever(install, load, op, optional, tiny, says):
    install("agno-fast", "fast = fast_plugin", fast_plugin=FOR_TINY.format(op=op, optional=optional))
    if tiny:
        install("agno-tiny", "tiny = tiny_plugin", tiny_plugin=DESCRIBES_TINY)
    (message,) = load()[1]
    assert "fast" in message
    assert says in message
