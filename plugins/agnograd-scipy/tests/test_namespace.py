"""`ag.scipy` and `xp.scipy`: what is in them, that nothing is loaded before it is needed, and what is said without."""

import copy
import os
import pickle
import subprocess
import sys

import agnograd as ag
import pytest

from agnograd_scipy.plugin import agnograd_kernels, agnograd_ops


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
def test_complete(backend):
    xp = ag.namespace(backend)
    assert dir(xp.scipy) == ["interpolate", "linalg", "signal", "sparse", "stats"]
    assert {"norm", "t", "multivariate_normal"} < set(dir(xp.scipy.stats))
    for op in agnograd_ops():
        found = xp
        for part in op.name.split("."):
            found = getattr(found, part)
        assert found is op.call


def test_names_say_where_they_belong():
    assert ag.namespace("numpy").scipy.stats.norm.__name__ == "agnograd.namespaces.numpy.scipy.stats.norm"
    with pytest.raises(AttributeError, match=r"numpy\.scipy\.linalg' has no attribute 'logm'"):
        _ = ag.namespace("numpy").scipy.linalg.logm


def test_copies():
    stats = ag.namespace("numpy").scipy.stats
    for made in (copy.deepcopy(stats), pickle.loads(pickle.dumps(stats))):
        assert made.norm.pdf is stats.norm.pdf


def test_kernels_are_of_operations_that_exist():
    names = {op.name for op in agnograd_ops()}
    assert {kernel.op for kernel in agnograd_kernels()} <= names


def test_nothing_is_loaded_until_it_is_asked_for():
    code = """
import sys, agnograd as ag
x = ag.tensor([1.0], requires_grad=True)
ag.exp(x).sum().backward()
assert not {"agnograd_scipy", "scipy"} & set(sys.modules)
ag.scipy.linalg
assert "agnograd_scipy" in sys.modules and not {"scipy", "cupy", "dask"} & set(sys.modules)
ag.scipy.linalg.expm(ag.ones((2, 2)))
assert "scipy.linalg" in sys.modules and not {"cupy", "dask"} & set(sys.modules)
"""
    run(code)


def test_absent_without_the_plugin():
    code = """
import agnograd as ag
for holder in (ag, ag.namespace("numpy")):
    try:
        holder.scipy
    except AttributeError as error:
        print(error)
"""
    lines = run(code, AGNOGRAD_DISABLE_PLUGINS="agnograd-scipy").splitlines()
    assert len(lines) == 2
    assert all("has no attribute 'scipy'. It comes with a plugin: pip install agnograd-scipy" in line for line in lines)


def test_works_for_tensors_of_every_transformation():
    a = ag.tensor([[0.3, 0.1], [0.2, -0.4]])
    hessian = ag.hessian(lambda a: ag.sum(ag.scipy.linalg.expm(a)))(a)
    assert hessian.shape == (2, 2, 2, 2)
    many = ag.vmap(ag.grad(lambda a: ag.sum(ag.scipy.linalg.expm(a))))(ag.stack([a, 2 * a]))
    assert many.shape == (2, 2, 2)
