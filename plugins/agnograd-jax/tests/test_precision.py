"""Without JAX_ENABLE_X64 JAX has no double precision; the plugin leaves that as it is, and nothing else is lost."""

import os
import subprocess
import sys

CODE = """
import warnings
import agnograd as ag, numpy as np, jax, jax.numpy as jnp

assert not jax.config.jax_enable_x64
x = jnp.asarray([1.0, 2.0])
assert x.dtype == jnp.float32
g = ag.grad(lambda x: ag.sum(ag.exp(x) * x))(x)
assert g.dtype == jnp.float32
np.testing.assert_allclose(g, np.exp([1.0, 2.0]) * [2.0, 3.0], rtol=1e-6)
with ag.use_backend("jax"):
    assert {str(x.dtype) for x in (ag.ones(2), ag.tensor([1.0]), ag.randn(2), ag.rand(2))} == {"float32"}
assert not jax.config.jax_enable_x64
# Values that lose digits on the way say so, in JAX's words.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert ag.to_backend(np.ones(2), "jax").dtype == jnp.float32
assert "float64" in str(caught[0].message) and "JAX_ENABLE_X64" in str(caught[0].message)
"""


def test_single_precision_by_default():
    env = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", CODE], check=True, env=env)
