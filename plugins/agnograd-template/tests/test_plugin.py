"""The plugin as agnograd sees it: its contract, its operation on every backend, operations on its backend."""

from agnograd_template.arrays import Array

import agnograd as ag
from agnograd.testing import assert_plugin


def test_the_plugin_is_sound():
    assert_plugin("template", "numpy,strict,template", ops="sin,multiply,sum,matmul,getitem,concat")


def test_its_arrays_are_differentiated():
    x = Array([0.5, -1.0])
    gradient = ag.grad(lambda x: ag.sum(ag.template.log_cosh(x)))(x)
    assert isinstance(gradient, Array)
    assert ag.tensor(gradient.data).tolist() == ag.tanh(ag.tensor([0.5, -1.0])).tolist()
