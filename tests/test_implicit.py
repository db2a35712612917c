"""Derivatives of roots and fixed points, against closed forms, the solver's own steps, and finite differences."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
from made_tensors import constant, host, leaf, raw, same

import agnograd as ag
from agnograd import tree
from agnograd.errors import ConvergenceError, FunctionError, TreeError
from agnograd.implicit import cg, custom_root, dense, fixed_point, gmres, newton
from agnograd.testing.check_grads import check_grads
from agnograd.testing.matrix import during_rules

NEWTON = functools.partial(newton, iterations=6)


def along(f, x, t):
    return ag.jvp(f, (x,), (t,))[1]


# What has a value and derivatives in closed form: a scalar function of a scalar, elementwise in `ones`.
DERIVATIVES = {
    "reverse": (1, lambda f, x, one: ag.grad(f)(x)),
    "forward": (1, along),
    "reverse-reverse": (2, lambda f, x, one: ag.grad(ag.grad(f))(x)),
    "forward-reverse": (2, lambda f, x, one: along(ag.grad(f), x, one)),
    "reverse-forward": (2, lambda f, x, one: ag.grad(lambda z: along(f, z, one))(x)),
    "forward-forward": (2, lambda f, x, one: along(lambda z: along(f, z, one), x, one)),
    "hvp": (2, lambda f, x, one: ag.hvp(f, (x,), (one,))),
    "reverse-reverse-reverse": (3, lambda f, x, one: ag.grad(ag.grad(ag.grad(f)))(x)),
    "forward-reverse-forward": (3, lambda f, x, one: along(ag.grad(lambda z: along(f, z, one)), x, one)),
    "reverse-forward-reverse": (3, lambda f, x, one: ag.grad(lambda z: along(ag.grad(f), z, one))(x)),
}


def explicit_sqrt(a, start):
    return custom_root(lambda x, a: x * x - a, start, NEWTON, params=(a,))


def closed_over_sqrt(a, start):
    return custom_root(lambda x: x * x - a, start, NEWTON)


def heron(a, start):
    return fixed_point(lambda x, a: (x + a / x) / 2, start, a, iterations=6)


@pytest.mark.parametrize("sqrt", [explicit_sqrt, closed_over_sqrt, heron])
@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_the_square_root_in_all_pairs_of_modes(sqrt, derivative, agnograd_backend):
    a, one = raw(agnograd_backend, 1.7), raw(agnograd_backend, 1.0)
    order, derive = DERIVATIVES[derivative]
    exact = {1: 0.5 * 1.7**-0.5, 2: -0.25 * 1.7**-1.5, 3: 0.375 * 1.7**-2.5}[order]
    with during_rules(agnograd_backend):
        found = derive(lambda a: sqrt(a, one), a, one)
    assert not isinstance(found, ag.Tensor)
    same(found, exact)


@pytest.mark.parametrize("sqrt", [explicit_sqrt, closed_over_sqrt, heron])
def test_the_graph_of_the_user_to_third_order(sqrt, agnograd_backend):
    a = leaf(agnograd_backend, 1.7)
    y = sqrt(a, constant(agnograd_backend, 1.0))
    same(y, 1.7**0.5)
    (first,) = ag.autograd.grad(y, a, create_graph=True)
    (second,) = ag.autograd.grad(first, a, create_graph=True)
    same(first, 0.5 * 1.7**-0.5)
    same(second, -0.25 * 1.7**-1.5)
    second.backward()
    same(a.grad, 0.375 * 1.7**-2.5)


def test_keplers_equation(agnograd_backend):
    """E - e sin E = M: dE/dM = 1/(1 - e cos E), dE/de = sin E/(1 - e cos E)."""
    m, e = raw(agnograd_backend, [0.5, 1.0, 2.5]), raw(agnograd_backend, [0.1, 0.4, 0.7])

    def anomaly(m, e):
        return custom_root(lambda x: x - ag.sin(x) * e - m, m, NEWTON)

    x = host(anomaly(m, e))
    np.testing.assert_allclose(x - host(e) * np.sin(x), host(m), rtol=1e-12)
    slope = 1 / (1 - host(e) * np.cos(x))
    by_m, by_e = ag.grad(lambda m, e: ag.sum(anomaly(m, e)), (0, 1))(m, e)
    same(by_m, slope)
    same(by_e, np.sin(x) * slope)
    same(ag.jvp(anomaly, (m, e), (m, e))[1], (host(m) + host(e) * np.sin(x)) * slope)
    # d2E/dM2 = -e sin E / (1 - e cos E)^3
    curvature = -host(e) * np.sin(x) * slope**3
    same(ag.hvp(lambda m: ag.sum(anomaly(m, e)), (m,), (m,)), curvature * host(m))


def test_a_fixed_point_with_trees_of_parameters(agnograd_backend):
    """x = cos(a x) + b, with dx = (dcos(ax) + db)/(1 + a sin(ax))."""
    params = {"a": raw(agnograd_backend, [0.3, 0.6]), "b": (raw(agnograd_backend, [0.1, -0.2]), None)}
    start = {"x": raw(agnograd_backend, [1.0, 1.0])}

    def solved(params):
        return fixed_point(lambda x, p: {"x": ag.cos(p["a"] * x["x"]) + p["b"][0]}, start, params, iterations=80)

    x, a, b = host(solved(params)["x"]), host(params["a"]), host(params["b"][0])
    np.testing.assert_allclose(x, np.cos(a * x) + b, rtol=1e-12)
    g = ag.grad(lambda p: ag.sum(solved(p)["x"]))(params)
    slope = 1 / (1 + a * np.sin(a * x))
    np.testing.assert_allclose(host(g["a"]), -x * np.sin(a * x) * slope, rtol=1e-10)
    np.testing.assert_allclose(host(g["b"][0]), slope, rtol=1e-10)
    assert g["b"][1] is None


def test_a_linear_system_as_a_root(agnograd_backend):
    rng = np.random.default_rng(0)
    matrix = raw(agnograd_backend, rng.normal(size=(4, 4)) + 4 * np.eye(4))
    b, weights = raw(agnograd_backend, rng.normal(size=4)), raw(agnograd_backend, rng.normal(size=4))
    zeros = raw(agnograd_backend, np.zeros(4))

    def by_root(matrix, b):
        x = custom_root(
            lambda x, m, b: ag.matmul(m, x) - b, zeros, functools.partial(newton, iterations=1), params=(matrix, b)
        )
        return ag.sum(x**2 * weights)

    def directly(matrix, b):
        return ag.sum(ag.linalg.solve(matrix, b) ** 2 * weights)

    for derive in (
        lambda f: ag.grad(f, (0, 1))(matrix, b),
        lambda f: ag.jvp(f, (matrix, b), (matrix + 1.0, b))[1],
        lambda f: ag.jvp(ag.grad(f, (0, 1)), (matrix, b), (matrix + 1.0, b))[1],
    ):
        for found, exact in zip(tree.leaves(derive(by_root)), tree.leaves(derive(directly)), strict=True):
            np.testing.assert_allclose(host(found), host(exact), rtol=1e-9, atol=1e-12)


def network(x, p):
    return {"hidden": ag.tanh(ag.matmul(p["w"], x["hidden"]) + p["b"]), "gate": ag.tanh(x["hidden"][0] * p["c"])}


def network_at(backend):
    rng = np.random.default_rng(1)
    p = {"w": 0.3 * rng.normal(size=(3, 3)), "b": rng.normal(size=3), "c": 0.7}
    start = {"hidden": np.zeros(3), "gate": 0.0}
    return tree.map(lambda x: raw(backend, x), p), tree.map(lambda x: raw(backend, x), start)


def readout(x):
    return ag.sum(x["hidden"] ** 3) * x["gate"]


@pytest.mark.parametrize("solver", [dense, functools.partial(gmres, iterations=1)], ids=["dense", "gmres"])
def test_the_equilibrium_of_a_network_against_its_steps(solver, agnograd_backend):
    params, start = network_at(agnograd_backend)

    def implicit(p):
        return readout(fixed_point(network, start, p, iterations=40, tangent_solve=solver))

    def unrolled(p):
        x = tree.map(ag.asarray, start)  # array-api-strict's arrays do not leave an operator to tensors
        for _ in range(40):
            x = network(x, p)
        return readout(x)

    def along_themselves(f):
        return along(f, params, params)

    derivatives = [
        lambda f: ag.grad(f)(params),
        lambda f: ag.hvp(f, (params,), (params,)),
        lambda f: ag.grad(lambda p: along(f, p, params))(params),
        along_themselves,
    ]
    # The steps of lazy arrays are long graphs: one derivative of them is enough.
    for derive in derivatives[: 1 if agnograd_backend == "dask" else None]:
        for found, exact in zip(tree.leaves(derive(implicit)), tree.leaves(derive(unrolled)), strict=True):
            np.testing.assert_allclose(host(found), host(exact), rtol=1e-8, atol=1e-12)


def test_against_finite_differences_to_second_order():
    params, start = network_at("numpy")
    check_grads(lambda p: readout(fixed_point(network, start, p)), (params,), order=2, atol=1e-6, rtol=1e-6)
    flat, unravel = ag.ravel_tree(params)

    def of_vector(v):
        return readout(fixed_point(network, start, unravel(v)))

    eye = np.eye(flat.shape[0])
    h = 1e-4
    numeric = [(ag.grad(of_vector)(flat + h * e) - ag.grad(of_vector)(flat - h * e)) / (2 * h) for e in eye]
    exact = ag.vmap(lambda e: ag.hvp(of_vector, (flat,), (e,)))(eye)
    np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(exact, exact.T, rtol=1e-9, atol=1e-12)


# -- complex numbers -------------------------------------------------------------------------------------------------


def test_a_holomorphic_root(agnograd_backend):
    """The gradient of a real function of sqrt(z) is conj(1/(2 sqrt(z))) times its own."""
    z = raw(agnograd_backend, np.asarray([1.0 + 2.0j, -0.5 + 1.0j]))
    start = raw(agnograd_backend, np.asarray([1.0 + 1.0j, 1.0 + 1.0j]))

    def sqrt(z):
        return custom_root(lambda w: w * w - z, start, NEWTON)

    w = host(sqrt(z))
    np.testing.assert_allclose(w, np.sqrt(host(z)), rtol=1e-12)
    g = host(ag.grad(lambda z: ag.sum(ag.real(sqrt(z)) * 2 + ag.imag(sqrt(z))))(z))
    np.testing.assert_allclose(g, (2 + 1j) * np.conj(0.5 / w), rtol=1e-12)
    np.testing.assert_allclose(host(along(sqrt, z, start)), host(start) * 0.5 / w, rtol=1e-12)


def test_a_root_that_is_not_holomorphic(agnograd_backend):
    """w + conj(w)/2 = z: the real part is 2/3 of z's, the imaginary part twice."""
    z = raw(agnograd_backend, np.asarray(3.0 + 1.0j))

    def solved(z):
        return custom_root(lambda w, z: w + ag.conj(w) / 2 - z, z, functools.partial(newton, iterations=1), params=(z,))

    same(solved(z), 2.0 + 2.0j)
    t = raw(agnograd_backend, np.asarray(1.0 + 1.0j))
    same(along(solved, z, t), 2 / 3 + 2.0j)
    same(ag.grad(lambda z: ag.real(solved(z)) + ag.imag(solved(z)))(z), 2 / 3 + 2.0j)


# -- solvers ---------------------------------------------------------------------------------------------------------


def solved_by(solver, backend):
    """Solve a system of trees with a symmetric positive definite matrix, and compare with NumPy."""
    rng = np.random.default_rng(2)
    half = rng.normal(size=(6, 6))
    matrix = half @ half.T + 6 * np.eye(6)
    m, b = raw(backend, matrix), rng.normal(size=6)
    y = (raw(backend, b[:2]), {"rest": raw(backend, b[2:].reshape(2, 2))})

    def linear(x):
        flat, _ = ag.ravel_tree(x)
        image = ag.matmul(m, flat)
        return image[:2], {"rest": ag.reshape(image[2:], (2, 2))}

    x = solver(linear, y)
    assert tree.structure(x) == tree.structure(y)
    np.testing.assert_allclose(host(ag.ravel_tree(x)[0]), np.linalg.solve(matrix, b), rtol=1e-10)


@pytest.mark.parametrize("solver", [dense, functools.partial(gmres, iterations=1), functools.partial(cg, iterations=9)])
def test_solvers_of_linear_systems(solver, agnograd_backend):
    solved_by(solver, agnograd_backend)


@pytest.mark.parametrize("solver", [gmres, cg, functools.partial(gmres, restart=3)])
def test_solvers_that_know_when_to_end(solver):
    solved_by(solver, "numpy")


@pytest.mark.parametrize("solver", [dense, gmres, cg])
def test_systems_without_unknowns_or_right_hand_side(solver):
    assert solver(lambda x: x, ()) == ()
    same(solver(lambda x: 2 * x, np.zeros(3)), np.zeros(3))


def test_gmres_on_what_is_not_symmetric_and_complex():
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5)) + 5 * np.eye(5)
    b = rng.normal(size=5) + 1j * rng.normal(size=5)
    x = gmres(lambda x: ag.matmul(matrix, x), b)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=1e-10)


def test_what_does_not_converge_raises():
    x = np.ones(3)
    for run in (
        lambda: fixed_point(lambda x: x + 1.0, x, max_iterations=5),
        lambda: newton(lambda x: x * x + 1.0, 0.7 * x, max_iterations=5),
        lambda: cg(lambda x: x * np.asarray([1.0, 5.0, 100.0]), x, max_iterations=1),
        lambda: gmres(lambda x: x * np.asarray([1.0, 5.0, 100.0]), x, restart=1, max_iterations=2),
        lambda: fixed_point(lambda x: x * np.nan, x),
    ):
        with pytest.raises(ConvergenceError, match=r"has not come to its end in \d+ steps"):
            run()


@pytest.mark.parametrize(
    "solved",
    [
        lambda a: fixed_point(lambda x, a: (x + a / x) / 2, a, a),
        lambda a: custom_root(lambda x: x * x - a, a, newton),
    ],
    ids=["fixed point", "root"],
)
def test_single_precision_comes_to_its_end(solved, agnograd_backend):
    a = raw(agnograd_backend, np.asarray([2.0, 3.0], dtype=np.float32))
    x = solved(a)
    assert x.dtype == a.dtype
    np.testing.assert_allclose(host(x), np.sqrt(host(a)), rtol=1e-6)
    g = ag.grad(lambda a: ag.sum(solved(a)))(a)
    assert g.dtype == a.dtype
    np.testing.assert_allclose(host(g), 0.5 / np.sqrt(host(a)), rtol=1e-5)


def test_a_solver_of_another_library():
    """The solver sees constants: SciPy's brentq needs floats, and nothing of it is recorded."""
    brentq = pytest.importorskip("scipy.optimize").brentq
    seen = []

    def solve(f, guess):
        def of_float(x):
            value = f(guess * 0.0 + x)
            seen.append(value)
            return float(value)

        return guess * 0.0 + brentq(of_float, 0.0, 10.0, xtol=1e-14, rtol=1e-14)

    a = ag.tensor(2.0, requires_grad=True)
    y = custom_root(lambda x: x**3 - a, ag.tensor(1.0), solve)
    y.backward()
    assert len(seen) > 5
    assert not any(value.requires_grad for value in seen)
    np.testing.assert_allclose(float(a.grad), 2.0 ** (-2 / 3) / 3, rtol=1e-12)


def test_the_tangent_solve_of_jax_for_scalars(agnograd_backend):
    def cube_root(a):
        return custom_root(lambda x: x**3 - a, ag.ones_like(a), NEWTON, lambda g, y: y / g(1.0))

    a = raw(agnograd_backend, 1.7)
    same(ag.grad(cube_root)(a), 1.7 ** (-2 / 3) / 3)
    same(along(cube_root, a, a), 1.7 ** (1 / 3) / 3)
    same(ag.grad(ag.grad(cube_root))(a), -2 / 9 * 1.7 ** (-5 / 3))


def test_the_linear_systems_of_derivatives_go_to_the_solver_that_is_given():
    calls = []

    def solve(linear, y):
        calls.append(y)
        return dense(linear, y)

    def cube_root(a):
        return custom_root(lambda x: x**3 - a, np.ones(2), newton, solve)

    a = np.asarray([2.0, 3.0])
    cube_root(a)
    assert not calls
    ag.grad(lambda a: ag.sum(cube_root(a)))(a)
    assert len(calls) == 1
    ag.jvp(cube_root, (a,), (a,))
    assert len(calls) == 2


# -- parameters ------------------------------------------------------------------------------------------------------


def test_the_initial_guess_has_no_derivative(agnograd_backend):
    a = raw(agnograd_backend, [2.0])
    start = raw(agnograd_backend, [1.0])

    def solved(start):
        return ag.sum(custom_root(lambda x: x * x - a, start, NEWTON))

    same(ag.grad(solved)(start), [0.0])
    same(along(solved, start, start), 0.0)
    # The same array as guess and as parameter.
    g = ag.grad(lambda a: ag.sum(custom_root(lambda x, a: x * x - a, a, NEWTON, params=(a,))))(a)
    same(g, [0.5 * 2.0**-0.5])


def test_one_array_in_two_places(agnograd_backend):
    a = raw(agnograd_backend, [2.0])

    def solved(a, b):
        return ag.sum(custom_root(lambda x, a, b: x * x - a * b * b, a, NEWTON, params=(a, b)))

    # x = b sqrt(a)
    by_a, by_b = ag.grad(solved, (0, 1))(a, a)
    same(by_a, [0.5 * 2.0**0.5])
    same(by_b, [2.0**0.5])
    mixed = ag.grad(lambda b: ag.sum(ag.grad(solved)(a, b)))(a)
    same(mixed, [0.5 * 2.0**-0.5])
    t = ag.tensor(a, requires_grad=True)
    same(ag.jvp(lambda x: solved(x, t), (t,), (ag.tensor(a),))[1], 2.0**0.5)


def test_what_a_function_closes_over(agnograd_backend):
    values = [2.0, 3.0, 5.0, 7.0, 11.0]
    a, b, c, d, e = (leaf(agnograd_backend, v) for v in values)

    def inner(x):
        return x - a

    def f(bound, x, default=b, *, named=c, held={"d": (d, 1)}):  # noqa: B006
        return inner(x) - bound - default - named - held["d"][0]

    root = custom_root(
        functools.partial(f, e), constant(agnograd_backend, 1.0), functools.partial(newton, iterations=1)
    )
    same(root, sum(values))
    (root * root).backward()
    for x in (a, b, c, d, e):
        same(x.grad, 2 * sum(values))
    assert inner(a).tolist() == 0.0  # the originals are what they were


def test_variables_that_hold_nothing_to_differentiate_are_shared():
    calls = 0
    a = np.asarray(2.0)

    def cube_root(a):
        def f(x):
            nonlocal calls
            calls += 1
            return x**3 - a

        return custom_root(f, np.asarray(1.0), newton)

    np.testing.assert_allclose(ag.grad(cube_root)(a), 2.0 ** (-2 / 3) / 3)
    assert calls > 5


class Model:
    def __init__(self, a):
        self.a = a

    def equation(self, x):
        return x * x - self.a


def test_what_cannot_be_followed_raises(agnograd_backend):
    start = constant(agnograd_backend, 1.0)

    def by_attribute(a):
        return custom_root(Model(a).equation, start, NEWTON)

    a = constant(agnograd_backend, 2.0)
    same(by_attribute(a), 2.0**0.5)
    for derive in (ag.grad(by_attribute), lambda a: along(by_attribute, a, a)):
        with pytest.raises(FunctionError, match="Pass it in params"):
            derive(a)
    with pytest.raises(FunctionError, match="Pass it in params"):
        by_attribute(leaf(agnograd_backend, 2.0))
    with ag.no_grad():
        assert not by_attribute(leaf(agnograd_backend, 2.0)).requires_grad


def test_parameters_that_are_no_floats(agnograd_backend):
    n = raw(agnograd_backend, np.asarray(3))
    a = raw(agnograd_backend, 2.0)

    def solved(a, n, scale):
        return custom_root(
            lambda x, p: x ** ag.astype(p["n"], a.dtype) * p["scale"] - p["a"],
            ag.ones_like(a),
            NEWTON,
            params=({"a": a, "n": n, "scale": scale, "name": None},),
        )

    same(solved(a, n, 2.0), 1.0)
    same(ag.grad(solved)(a, n, 2.0), 1 / 6)
    # (a/2)^(1/3) at a = 2
    for derive in (lambda f: ag.grad(ag.grad(f))(a), lambda f: ag.hvp(f, (a,), (ag.ones_like(a),))):
        same(derive(lambda a: solved(a, n, 2.0)), -2 / 9 / 4)
    same(ag.jvp(lambda a: solved(a, n, 2.0), (a,), (a,))[1], 1 / 3)
    value, pullback = ag.vjp(lambda a, n: solved(a, n, 2.0), a, n)
    assert pullback(ag.ones_like(value))[1] is None


def test_aux(agnograd_backend):
    def solve(f, x):
        for _ in range(6):
            x = x - f(x) / (2 * x)
        return x, {"steps": 6, "x": x, "half": x / 2}

    def sqrt(a):
        return custom_root(lambda x, a: x * x - a, ag.ones_like(a), solve, params=(a,), has_aux=True)

    a = leaf(agnograd_backend, 2.0)
    x, aux = sqrt(a)
    assert aux["steps"] == 6
    same(aux["half"], 2.0**0.5 / 2)
    assert x.requires_grad
    assert not aux["x"].requires_grad
    x.backward()
    same(a.grad, 0.5 * 2.0**-0.5)
    plain = raw(agnograd_backend, 2.0)
    g, aux = ag.grad(sqrt, has_aux=True)(plain)
    same(g, 0.5 * 2.0**-0.5)
    same(along(lambda a: sqrt(a)[1]["x"] * a, plain, plain), 2.0**1.5)


# -- under other transformations --------------------------------------------------------------------------------------


def linear_root(matrix, b):
    x = custom_root(lambda x: ag.matmul(matrix, x) - b, ag.zeros_like(b), functools.partial(newton, iterations=1))
    return ag.sum(x**2)


@pytest.mark.parametrize(
    "derive",
    [
        lambda f: ag.vmap(f),
        lambda f: ag.vmap(ag.grad(f)),
        lambda f: ag.grad(lambda m, b: ag.sum(ag.vmap(f)(m, b))),
        lambda f: lambda m, b: ag.jvp(ag.vmap(f), (m, b), (m, b))[1],
        lambda f: ag.vmap(lambda m, b: ag.jvp(f, (m, b), (m, b))[1]),
        lambda f: ag.vmap(lambda m, b: ag.hvp(lambda m: f(m, b), (m,), (m,))),
        lambda f: lambda m, b: ag.hvp(lambda m: ag.sum(ag.vmap(f)(m, b)), (m,), (m,)),
    ],
    ids=["vmap", "vmap-grad", "grad-vmap", "jvp-vmap", "vmap-jvp", "vmap-hvp", "hvp-vmap"],
)
def test_with_vmap(derive, agnograd_backend):
    rng = np.random.default_rng(4)
    matrices = raw(agnograd_backend, rng.normal(size=(3, 2, 2)) + 3 * np.eye(2))
    b = raw(agnograd_backend, rng.normal(size=(3, 2)))

    def directly(matrix, b):
        return ag.sum(ag.linalg.solve(matrix, b) ** 2)

    found, exact = derive(linear_root)(matrices, b), derive(directly)(matrices, b)
    np.testing.assert_allclose(host(found), host(exact), rtol=1e-9, atol=1e-12)


def cubes(a):
    """The real roots of x^3 + x = a, coupled by a sum: x + x^3 - a sum(a)."""
    return custom_root(lambda x: x + x**3 - a * ag.sum(a), a * 0.0, functools.partial(newton, iterations=9))


@pytest.mark.parametrize("derive", [ag.jacfwd, ag.jacrev, ag.jacobian])
def test_jacobians(derive, agnograd_backend):
    values = np.asarray([0.2, 0.5, 0.9])
    a = raw(agnograd_backend, values)
    x = host(cubes(a))
    np.testing.assert_allclose(x + x**3, values * values.sum(), rtol=1e-12)
    exact = (np.eye(3) * values.sum() + values[:, None]) / (1 + 3 * x**2)[:, None]
    np.testing.assert_allclose(host(derive(cubes)(a)), exact, rtol=1e-10)


def test_hessian_and_linearize(agnograd_backend):
    values = np.asarray([0.2, 0.5, 0.9])
    a = raw(agnograd_backend, values)
    h = 1e-5
    gradient = lambda v: host(ag.grad(lambda a: ag.sum(cubes(a) ** 2))(raw("numpy", v)))
    numeric = np.stack([(gradient(values + h * e) - gradient(values - h * e)) / (2 * h) for e in np.eye(3)])
    np.testing.assert_allclose(host(ag.hessian(lambda a: ag.sum(cubes(a) ** 2))(a)), numeric, rtol=1e-7, atol=1e-9)
    value, linear = ag.linearize(cubes, a)
    same(value, host(cubes(a)))
    np.testing.assert_allclose(host(linear(a)), host(along(cubes, a, a)), rtol=1e-12)


def test_within_checkpoint(agnograd_backend):
    a = leaf(agnograd_backend, 2.0)
    start = constant(agnograd_backend, 1.0)
    y = ag.checkpoint(lambda a: ag.sin(explicit_sqrt(ag.exp(a), start)), a)
    y.backward()
    # sin(exp(a/2))
    same(a.grad, np.cos(np.exp(1.0)) * np.exp(1.0) / 2)


def test_a_root_within_a_root(agnograd_backend):
    """The fourth root, as the root of x^2 = sqrt(a)."""
    one = raw(agnograd_backend, 1.0)
    solve = functools.partial(newton, iterations=4)

    def square_root(a):
        return custom_root(lambda x, a: x * x - a, one, solve, params=(a,))

    def fourth_root(a):
        return custom_root(lambda x, a: x * x - square_root(a), one, solve, params=(a,))

    a = raw(agnograd_backend, 1.2)
    same(fourth_root(a), 1.2**0.25)
    same(ag.grad(fourth_root)(a), 0.25 * 1.2**-0.75)
    same(ag.hvp(fourth_root, (a,), (one,)), -0.1875 * 1.2**-1.75)


def test_transformations_under_no_grad():
    a, one = np.asarray(1.7), np.asarray(1.0)
    with ag.no_grad():
        for order, derive in DERIVATIVES.values():
            exact = {1: 0.5 * 1.7**-0.5, 2: -0.25 * 1.7**-1.5, 3: 0.375 * 1.7**-2.5}[order]
            same(derive(lambda a: explicit_sqrt(a, one), a, one), exact)


def test_nothing_waits_for_the_garbage_collector():
    def run():
        a = ag.tensor([2.0, 3.0], requires_grad=True)
        y = custom_root(lambda x: x * x - a, ag.ones(2), newton)
        y.sum().backward()
        ag.grad(lambda a: ag.sum(ag.grad(lambda a: ag.sum(heron(a, a)))(a)))(a)
        return [weakref.ref(x) for x in (a, y, y.grad_fn)]

    run()
    gc.collect()
    gc.disable()
    try:
        assert [x() for x in run()] == [None] * 3
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- what is refused --------------------------------------------------------------------------------------------------


def test_what_has_not_one_equation_for_each_unknown():
    start = (np.ones(2), np.ones(()))
    for f, words in (
        (lambda x: x[0], "returned a tree of structure"),
        (lambda x: (x[0], x[0]), r"leaf 1 of what the function returned has shape \(2,\).*argument shape \(\)"),
        (lambda x: (x[0] * 1j, x[1]), "leaf 0 of what the function returned has .*complex128"),
    ):
        with pytest.raises(TreeError, match=words):
            custom_root(f, start, lambda f, x: x)
    with pytest.raises(TreeError, match="the solver returned a tree of structure"):
        custom_root(lambda x: x, start, lambda f, x: x[0])
    with pytest.raises(TreeError, match="type float"):
        custom_root(lambda x: x, start, lambda f, x: (1.0, 2.0))
