"""Special functions on JAX's arrays: JAX's own, and SciPy's on the CPU, called back to where JAX compiles."""

import agnograd as ag
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agnograd.errors import UnsupportedError

special = pytest.importorskip("agnograd_special", reason="agnograd-special is not installed") and ag.special

X = np.asarray([0.5, 1.5])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dtype_and_device_stay(dtype):
    x = jnp.asarray(X, dtype=dtype)
    for f in (special.gammaln, special.erfcinv):
        y = f(x / 2)
        assert isinstance(y, jax.Array)
        assert (y.dtype, y.device) == (x.dtype, x.device)


def test_values_have_the_digits_of_their_dtype():
    import scipy.special

    a, b = np.asarray([8.25, 13.9, 0.3]), np.asarray([1.07, 0.36, 40.0])
    np.testing.assert_allclose(special.beta(jnp.asarray(a), jnp.asarray(b)), scipy.special.beta(a, b), rtol=1e-12)
    np.testing.assert_allclose(special.betaln(jnp.asarray(a), jnp.asarray(b)), scipy.special.betaln(a, b), 1e-12, 1e-12)


def test_scipy_is_called_back_to_under_jit_and_vmap():
    slope = ag.grad(lambda x: ag.sum(special.kv(1.5, x)))
    expected = slope(X)
    np.testing.assert_allclose(jax.jit(slope)(jnp.asarray(X)), expected, rtol=1e-12)
    many = jax.jit(jax.vmap(lambda v, x: special.jv(v, x)))(jnp.asarray([[0.0], [2.0]]), jnp.stack([X, X + 1]))
    np.testing.assert_allclose(many, special.jv(np.asarray([[0.0], [2.0]]), np.stack([X, X + 1])), rtol=1e-12)


def test_nothing_leaves_a_device_unasked(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UnsupportedError, match=r"JAX has no special.kv of float64, .* is on gpu: move it there"):
        jax.jit(lambda x: special.kv(1.5, x))(jnp.asarray(X))
