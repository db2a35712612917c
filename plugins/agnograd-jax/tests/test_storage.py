"""Tensors around JAX's arrays, end to end: derivatives, writes, jit, text, dtypes, and the way to other libraries."""

import agnograd as ag
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agnograd.errors import MixedBackendsError

X = jnp.asarray([1.0, 2.0, 3.0])


def f(x):
    return ag.sum(ag.exp(x) * x)


def f_in_jax(x):
    return jnp.sum(jnp.exp(x) * x)


def assert_close(found, expected):
    assert isinstance(found, jax.Array)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# -- derivatives -------------------------------------------------------------------------------------------------------


def test_backward():
    t = ag.tensor(X, requires_grad=True)
    f(t).backward()
    assert_close(t.grad.array, jax.grad(f_in_jax)(X))


def test_transformations_of_plain_arrays_give_plain_arrays():
    first = jax.grad(f_in_jax)(X)
    assert_close(ag.grad(f)(X), first)
    assert_close(ag.jvp(f, (X,), (jnp.ones_like(X),))[1], jnp.sum(first))
    assert_close(ag.hessian(f)(X), jax.hessian(f_in_jax)(X))
    assert_close(ag.vmap(ag.grad(f))(jnp.stack([X, 2 * X]))[0], first)


def test_derivatives_are_those_of_jax():
    def loss(xp, m, x):
        return xp.linalg.slogdet(m)[1] + xp.sum(xp.tanh(xp.linalg.solve(m, x)) ** 2)

    m = jnp.asarray([[2.0, 0.5], [0.5, 1.0]])
    expected = jax.grad(lambda m, x: loss(jnp, m, x), argnums=(0, 1))(m, X[:2])
    found = ag.grad(lambda m, x: loss(ag, m, x), argnums=(0, 1))(m, X[:2])
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b)


# -- writes ------------------------------------------------------------------------------------------------------------


def written(x):
    out = ag.zeros_like(x)
    out[1:] = x[:2] * x[1:]
    out[0] += x[2]
    out *= 2
    return ag.sum(out)


def test_writes_are_differentiated_though_arrays_are_immutable():
    assert_close(ag.grad(written)(X), jnp.asarray([4.0, 8.0, 6.0]))


def test_writes_reach_views_and_no_array_of_the_user():
    t = ag.asarray(X)
    view = t[1:]
    t[2] = 7.0
    view[0] = 5.0
    assert t.tolist() == [1.0, 5.0, 7.0]
    assert view.tolist() == [5.0, 7.0]
    assert X.tolist() == [1.0, 2.0, 3.0]


def test_many_writes():
    t = ag.asarray(jnp.zeros(4))
    for i in range(4):
        t[i] = float(i)
    assert t.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_written_values_take_the_dtype_of_the_array():
    t = ag.asarray(jnp.zeros(2, dtype=jnp.float32))
    t[0] = jnp.asarray(1.5)
    assert t.dtype == jnp.float32
    assert t.tolist() == [1.5, 0.0]


@pytest.mark.parametrize("key", [3, -4, (3,), (..., 3), (None, 3)])
def test_an_index_out_of_bounds_is_an_error_though_jax_takes_the_nearest_element(key):
    with pytest.raises(IndexError, match="out of bounds for axis 0, which has 3 elements"):
        ag.asarray(X)[key]
    with pytest.raises(IndexError, match="out of bounds for axis 0, which has 3 elements"):
        ag.asarray(X)[key] = 0.0


def test_repeated_indices_add_up():
    rows = jnp.asarray([2, 0, 2])
    found = ag.grad(lambda x: ag.sum(x[rows] * jnp.asarray([1.0, 10.0, 100.0])))(X)
    assert_close(found, jnp.asarray([10.0, 0.0, 101.0]))


# -- JAX's own transformations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "derivative",
    [ag.grad(f), ag.hessian(f), ag.grad(written), ag.vmap(ag.grad(lambda x: x**3))],
    ids=["grad", "hessian", "writes", "vmap"],
)
def test_derivatives_are_compiled_by_jit(derivative):
    assert_close(jax.jit(derivative)(X), derivative(X))


def test_backward_within_jit():
    @jax.jit
    def gradient(x):
        t = ag.tensor(x, requires_grad=True)
        f(t).backward()
        return t.grad.array

    assert_close(gradient(X), jax.grad(f_in_jax)(X))


def test_jit_traces_once():
    calls = []

    def g(x):
        calls.append(x)
        return f(x)

    compiled = jax.jit(ag.grad(g))
    compiled(X)
    compiled(2 * X)
    assert len(calls) == 1


def test_transformations_nest_in_those_of_jax_and_the_other_way_round():
    second = jax.hessian(f_in_jax)(X)
    assert_close(jax.jacfwd(ag.grad(f))(X), second)
    assert_close(jax.jacrev(ag.grad(f))(X), second)
    assert_close(jax.vmap(ag.grad(f))(jnp.stack([X, 2 * X])), ag.vmap(ag.grad(f))(jnp.stack([X, 2 * X])))
    assert_close(jax.grad(f)(X), jax.grad(f_in_jax)(X))


def test_a_branch_on_a_traced_value_is_the_error_of_jax():
    with pytest.raises(jax.errors.JAXTypeError):
        jax.jit(lambda x: x if ag.asarray(x)[0] > 0 else -x)(X)


# -- dtypes and devices ------------------------------------------------------------------------------------------------


def test_double_precision_is_there_if_it_was_asked_for():
    with ag.use_backend("jax"):
        made = [ag.tensor([1.0]), ag.ones(2), ag.randn(2), ag.full((2,), 1.0), ag.tensor(2.0)]
    assert {str(x.dtype) for x in made} == {"float64"}


def test_no_dtype_is_weak():
    with ag.use_backend("jax"):
        for x in (ag.tensor(2.0), ag.full((), 2.0)):
            assert (x * jnp.ones(2, dtype=jnp.float32)).dtype == jnp.float64
    assert (ag.asarray(jnp.ones(2, dtype=jnp.float32)) * 2.5).dtype == jnp.float32


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_gradients_keep_the_dtype(dtype):
    x = X.astype(dtype)
    assert ag.grad(lambda x: ag.sum(ag.abs(ag.sin(x)) ** 2))(x).dtype == dtype
    assert ag.jvp(ag.sin, (x,), (x,))[1].dtype == dtype


def test_devices():
    (cpu, *_) = jax.devices("cpu")
    t = ag.asarray(X)
    assert t.device == cpu
    for device in (cpu, "cpu", "cpu:0"):
        assert t.to_device(device).device == cpu
    assert ag.grad(lambda x: ag.sum(x.to_device("cpu") ** 2))(X).device == cpu


# -- other libraries ---------------------------------------------------------------------------------------------------


def test_backends_do_not_mix():
    for mix in (lambda: ag.asarray(X) + ag.ones(3), lambda: ag.ones(3) * ag.asarray(X)):
        with pytest.raises(MixedBackendsError, match=r"jax.*numpy|numpy.*jax"):
            mix()


def test_to_another_backend_and_back_with_the_gradient():
    t = ag.tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    ag.to_backend(ag.sin(ag.to_backend(t, "jax")), "numpy").sum().backward()
    np.testing.assert_allclose(t.grad, np.cos([1.0, 2.0]))
    assert isinstance(ag.to_backend(np.ones(2), "jax"), jax.Array)
    assert type(ag.to_backend(X, "numpy")) is np.ndarray


def test_values_on_the_host():
    t = ag.asarray(X)
    assert t.tolist() == [1.0, 2.0, 3.0]
    assert t[1].item() == 2.0
    assert not np.asarray(t).flags.writeable
    np.testing.assert_array_equal(jnp.from_dlpack(t), X)


# -- functions of the standard that JAX has otherwise ------------------------------------------------------------------


def test_truth_of_complex_numbers():
    xp = ag.namespace("jax")
    x = jnp.asarray([[1j, 0], [2j, 1]])
    assert xp.any(x, axis=0).tolist() == [True, True]
    assert xp.all(x, axis=0).tolist() == [True, False]
    assert xp.all(x, keepdims=True).shape == (1, 1)


def test_axes_count_from_the_end():
    xp = ag.namespace("jax")
    assert xp.permute_dims(jnp.ones((2, 3, 4)), (-1, 0, -2)).shape == (4, 2, 3)
    with pytest.raises((ValueError, TypeError)):
        xp.permute_dims(jnp.ones((2, 3)), (0, -3))


def test_places_to_insert_have_the_default_integer():
    xp = ag.namespace("jax")
    found = xp.searchsorted(X, jnp.asarray([1.5, 9.0]), side="right")
    assert found.tolist() == [1, 3]
    assert found.dtype == jnp.int64


# -- text --------------------------------------------------------------------------------------------------------------


def test_text():
    t = ag.tensor(X[:2], requires_grad=True)
    assert repr(t) == "tensor([1., 2.], backend=jax, requires_grad=True)"
    assert repr(2 * t) == "tensor([2., 4.], backend=jax, grad_fn=<MulBackward0>)"
    with ag.use_backend("jax"):
        assert repr(ag.zeros(2, 0)) == "tensor([], size=(2, 0))"
        assert "...," in repr(ag.asarray(jnp.zeros((60, 60))))


def test_text_of_what_is_traced():
    texts = []
    jax.jit(ag.grad(lambda x: texts.append(repr(ag.asarray(x))) or ag.sum(x)))(X)
    assert "traced, shape=(3,), dtype=float64" in texts[0]
