"""SciPy's solvers on trees of parameters: problems that are fitted, methods, bounds, constraints, callbacks."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import scipy.optimize
from made_tensors import constant, host, leaf, raw

import agnograd as ag
from agnograd import tree
from agnograd.errors import (
    ForeignArrayError,
    MissingLibraryError,
    NonScalarError,
    NotDifferentiableError,
    TreeError,
)
from agnograd.implicit import custom_root
from agnograd.optimize import least_squares, minimize, root
from agnograd.testing.matrix import count_computes


def rosenbrock(p):
    x, y = p["x"], p["rest"][0]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def rosenbrock_at(backend, made=raw):
    return {"x": made(backend, -1.2), "rest": (made(backend, 1.0), None)}


METHODS = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov", "dogleg", "trust-exact"]


def fitted(method, start):
    with warnings.catch_warnings():
        # trust-constr and TNC say what they think of the last steps.
        warnings.simplefilter("ignore")
        found = minimize(rosenbrock, start, method=method, tol=1e-9)
    np.testing.assert_allclose([host(x) for x in tree.leaves(found.x)], [1.0, 1.0], rtol=1e-3)
    assert tree.structure(found.x) == tree.structure(start)
    return found


@pytest.mark.parametrize("made", [raw, constant], ids=["arrays", "tensors"])
def test_rosenbrock(made, agnograd_backend):
    found = fitted("BFGS", rosenbrock_at(agnograd_backend, made))
    assert found.success
    for x in (*tree.leaves(found.x), *tree.leaves(found.jac)):
        assert isinstance(x, ag.Tensor) == (made is constant)
        assert x.shape == ()
    assert found.njev < 100


@pytest.mark.parametrize("method", [*METHODS, "trust-constr", "Nelder-Mead", "Powell", "COBYQA"])
def test_every_method_of_scipy(method):
    if method == "dogleg":
        # The Hessian has to be positive definite, and Rosenbrock's is not everywhere.
        found = minimize(lambda p: ag.sum(ag.cosh(p - 1.0)), np.zeros(3), method=method, tol=1e-8)
        np.testing.assert_allclose(found.x, np.ones(3), rtol=1e-6)
        assert found.nhev > 0
        return
    found = fitted(method, rosenbrock_at("numpy"))
    if method in ("Newton-CG", "trust-ncg", "trust-krylov", "trust-exact"):
        assert found.nhev > 0
    assert found.nfev > 0


def test_products_with_the_hessian_are_exact():
    """As many steps as where SciPy is given its own product with the Hessian."""
    start = rosenbrock_at("numpy")
    ours = minimize(rosenbrock, start, method="Newton-CG")
    x0 = ag.ravel_tree(start)[0]
    flat = x0[::-1]
    exact = scipy.optimize.minimize(
        scipy.optimize.rosen,
        flat,
        method="Newton-CG",
        jac=scipy.optimize.rosen_der,
        hessp=scipy.optimize.rosen_hess_prod,
    )
    assert abs(ours.nit - exact.nit) <= 2
    np.testing.assert_allclose(ours.fun, 0.0, atol=1e-7)


def test_logistic_regression(agnograd_backend):
    """The gradient at the minimum is zero, and the parameters are those that scikit-learn finds."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 3))
    labels = (features @ [1.5, -2.0, 0.5] + 0.3 + rng.normal(size=80) > 0).astype(float)
    x, y = raw(agnograd_backend, features), raw(agnograd_backend, labels)

    def loss(p, x, y):
        score = ag.matmul(x, p["weights"]) + p["bias"]
        # log(1 + exp(score)) - y score, and half the squared weights as scikit-learn has them
        return ag.sum(ag.logaddexp(score, score * 0.0) - score * y) + ag.sum(p["weights"] ** 2) / 2

    start = {"weights": raw(agnograd_backend, np.zeros(3)), "bias": raw(agnograd_backend, 0.0)}
    found = minimize(loss, start, (x, y), method="L-BFGS-B", tol=1e-10)
    assert found.success
    peer = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(features, labels)
    np.testing.assert_allclose(host(found.x["weights"]), peer.coef_[0], rtol=1e-4)
    np.testing.assert_allclose(host(found.x["bias"]), peer.intercept_[0], rtol=1e-4)
    assert type(found.x["weights"]) is type(x)


def test_a_network_of_two_layers(agnograd_backend):
    rng = np.random.default_rng(1)
    inputs = np.linspace(-2, 2, 24)[:, None]
    x, y = raw(agnograd_backend, inputs), raw(agnograd_backend, np.sin(2 * inputs))
    start = {
        "first": {"w": rng.normal(size=(1, 8)), "b": rng.normal(size=8)},
        "second": {"w": 0.5 * rng.normal(size=(8, 1)), "b": np.zeros(1)},
    }
    start = tree.map(lambda p: constant(agnograd_backend, p), start)

    def loss(p):
        hidden = ag.tanh(ag.matmul(x, p["first"]["w"]) + p["first"]["b"])
        return ag.mean((ag.matmul(hidden, p["second"]["w"]) + p["second"]["b"] - y) ** 2)

    seen = []
    with ag.no_grad():
        before = float(host(loss(start)))
    found = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 60}, callback=seen.append)
    assert found.fun < before / 100
    assert len(seen) == found.nit
    assert tree.structure(seen[0]) == tree.structure(start)
    assert all(isinstance(p, ag.Tensor) and not p.requires_grad for p in tree.leaves(found.x))
    shapes = [p.shape for p in tree.leaves(found.x)]
    assert shapes == [p.shape for p in tree.leaves(start)]


def test_single_precision_stays(agnograd_backend):
    start = (raw(agnograd_backend, np.zeros(2, np.float32)), raw(agnograd_backend, np.zeros(1)))
    dtypes = []

    def f(p):
        dtypes.extend(x.dtype for x in p)
        return ag.sum((p[0] - 1) ** 2) + ag.sum((p[1] + 2) ** 2)

    found = minimize(f, start, method="BFGS")
    assert [x.dtype for x in found.x] == [x.dtype for x in start]
    assert dtypes[:2] == [x.dtype for x in start]
    np.testing.assert_allclose(host(found.x[0]), [1, 1], rtol=1e-5)
    np.testing.assert_allclose(host(found.x[1]), [-2], rtol=1e-5)


def test_complex_parameters(agnograd_backend):
    """|z - w|^2 + (Re z)^2 has its minimum where the real part is half of w's."""
    w = raw(agnograd_backend, np.asarray([2.0 + 1.0j, -4.0 + 3.0j]))
    found = minimize(lambda z: ag.sum(ag.abs(z - w) ** 2 + ag.real(z) ** 2), ag.zeros_like(w), method="BFGS")
    assert found.x.dtype == w.dtype
    np.testing.assert_allclose(host(found.x), [1 + 1j, -2 + 3j], atol=1e-5)


def test_numbers_as_parameters():
    found = minimize(lambda p: (p[0] - 1) ** 2 + (p[1] + p[2]) ** 2 + p[2] ** 2, (0, 1.0, 2.0))
    np.testing.assert_allclose(found.x, [1, 0, 0], atol=1e-6)


def test_a_leaf_that_requires_grad_is_left_alone(agnograd_backend):
    x = leaf(agnograd_backend, [0.0])
    target = leaf(agnograd_backend, [3.0])
    found = minimize(lambda x: ag.sum((x - target) ** 2), x)
    np.testing.assert_allclose(host(found.x), [3.0], rtol=1e-6)
    assert not found.x.requires_grad
    assert x.grad is None
    assert target.grad is None


# -- bounds ----------------------------------------------------------------------------------------------------------


def distance(p):
    return ag.sum((p["w"] - 5.0) ** 2) + (p["b"] + 5.0) ** 2


@pytest.mark.parametrize(
    ("bounds", "w", "b"),
    [
        (None, [5, 5], -5),
        ((-1.0, 2), [2, 2], -1),
        ((None, 3.0), [3, 3], -5),
        ({"w": (None, 1.0), "b": (-2.0, None)}, [1, 1], -2),
        ({"w": (None, 1.0), "b": None}, [1, 1], -5),
        ({"w": (None, "array"), "b": (-3, None)}, [1, 4], -3),
        ({"w": (None, "tensor"), "b": (-3, None)}, [1, 4], -3),
    ],
)
def test_bounds_over_trees(bounds, w, b, agnograd_backend):
    upper = raw(agnograd_backend, [1.0, 4.0])
    given = {"array": upper, "tensor": ag.asarray(upper)}
    if isinstance(bounds, dict):
        bounds = {k: v if v is None else tuple(given.get(x, x) for x in v) for k, v in bounds.items()}
    start = {"w": raw(agnograd_backend, [0.0, 0.0]), "b": raw(agnograd_backend, 0.0)}
    found = minimize(distance, start, bounds=bounds, tol=1e-10)
    np.testing.assert_allclose(host(found.x["w"]), w, rtol=1e-6)
    np.testing.assert_allclose(host(found.x["b"]), b, rtol=1e-6)


def test_bounds_in_the_forms_of_scipy():
    x0 = np.zeros(2)
    f = lambda x: ag.sum((x - 5) ** 2)
    for bounds in ([(0, 1), (None, 2)], ((0, 1), (None, 2)), scipy.optimize.Bounds([0, 0], [1, 2])):
        np.testing.assert_allclose(minimize(f, x0, bounds=bounds).x, [1, 2])
    two = (np.zeros(()), np.zeros(()))
    found = minimize(lambda p: (p[0] - 5) ** 2 + (p[1] - 5) ** 2, two, bounds=((0, 1), (None, 2)))
    np.testing.assert_allclose(found.x, [1, 2])


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"w": (0, 1)}, "do not fit the parameters.*keys"),
        (
            {"w": (0, np.ones(3)), "b": None},
            r"a bound of shape \(3,\) does not broadcast to its parameter, of shape \(2,\)",
        ),
        ({"w": 1.0, "b": None}, r"pairs \(lower, upper\)"),
        ([(0, 1), (0, 1)], "do not fit the parameters"),
    ],
)
def test_bounds_that_do_not_fit(bounds, words):
    with pytest.raises(TreeError, match=f"(?s){words}"):
        minimize(distance, {"w": np.zeros(2), "b": np.zeros(())}, bounds=bounds)


def test_more_bounds_that_do_not_fit():
    with pytest.raises(TreeError, match="3 pairs of bounds for 2 parameters"):
        minimize(lambda x: ag.sum(x), np.zeros(2), bounds=[(0, 1)] * 3)
    with pytest.raises(TreeError, match="complex parameters have no order"):
        minimize(lambda x: ag.sum(ag.abs(x)), np.zeros(2, complex), bounds=(0, 1))


# -- constraints and callbacks -----------------------------------------------------------------------------------------


def nearest(p):
    return (p["x"] - 2) ** 2 + (p["y"] - 2) ** 2


def circle(p):
    return p["x"] ** 2 + p["y"] ** 2


def nearest_under_constraints(backend, method):
    """The point on the circle that is nearest to (2, 2), by an inequality, an equation in a tree, and a matrix."""
    constraints = [
        scipy.optimize.NonlinearConstraint(circle, -np.inf, 1.0),
        {"type": "eq", "fun": lambda p, factor: {"difference": (p["x"] - p["y"]) * factor}, "args": (2.0,)},
        scipy.optimize.LinearConstraint([[1.0, 0.0]], -1.0, 0.9),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = {"x": raw(backend, 0.5), "y": raw(backend, 0.1)}
        found = minimize(nearest, start, method=method, constraints=constraints)
    np.testing.assert_allclose([host(found.x["x"]), host(found.x["y"])], [0.5**0.5] * 2, atol=2e-3)


def test_constraints_are_functions_of_trees(agnograd_backend):
    nearest_under_constraints(agnograd_backend, "SLSQP")


@pytest.mark.parametrize("method", ["trust-constr", "COBYQA"])
def test_constraints_of_other_methods(method):
    nearest_under_constraints("numpy", method)


def test_constraints_get_exact_derivatives():
    """A Jacobian with more rows than columns, and one with fewer."""
    calls = []

    def many(p):
        calls.append(p)
        return ag.stack([p["x"] * k for k in (1.0, 2.0, 3.0)])

    found = minimize(
        nearest,
        {"x": np.asarray(0.0), "y": np.asarray(0.0)},
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda p: 1 - many(p)},
    )
    np.testing.assert_allclose([found.x["x"], found.x["y"]], [1 / 3, 2], rtol=1e-6)


def test_callbacks():
    trees, results = [], []
    start = rosenbrock_at("numpy", constant)
    minimize(rosenbrock, start, method="BFGS", callback=lambda p: trees.append(p["x"]), options={"maxiter": 3})

    def keep(intermediate_result):
        results.append(intermediate_result)
        if len(results) == 2:
            raise StopIteration

    found = minimize(rosenbrock, start, method="BFGS", callback=keep)
    assert len(trees) == 3
    assert len(results) == 2
    assert found.nit == 2
    assert results[0].x.keys() == start.keys()
    assert all(isinstance(x, ag.Tensor) for x in (*trees, results[0].x["x"]))
    # What was kept does not change with later steps.
    assert float(trees[0]) != float(trees[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minimize(rosenbrock, start, method="trust-constr", callback=lambda p, state: trees.append(p["x"]))
    assert isinstance(trees[-1], ag.Tensor)


# -- least squares and roots -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"method": "lm"}, {"method": "dogbox"}, {"tr_solver": "lsmr"}])
def test_least_squares(options, agnograd_backend):
    t = np.linspace(0, 3, 12)
    x, y = raw(agnograd_backend, t), raw(agnograd_backend, 3 * np.exp(-0.7 * t) + 0.5)
    start = {"rate": raw(agnograd_backend, 1.0), "line": raw(agnograd_backend, [1.0, 0.0])}

    def residuals(p, x, y):
        return {"data": p["line"][0] * ag.exp(-p["rate"] * x) + p["line"][1] - y}

    found = least_squares(residuals, start, (x, y), **options)
    assert found.success
    np.testing.assert_allclose(host(found.x["rate"]), 0.7, rtol=1e-5)
    np.testing.assert_allclose(host(found.x["line"]), [3.0, 0.5], rtol=1e-5)
    assert tree.structure(found.grad) == tree.structure(start)


def test_least_squares_with_bounds_and_complex_residuals():
    w = np.asarray([1.0 + 2.0j, 3.0 - 1.0j])
    found = least_squares(lambda z: 2 * z - w, np.zeros(2, complex))
    np.testing.assert_allclose(found.x, w / 2, rtol=1e-8)
    found = least_squares(
        lambda p: ag.stack([p["a"] - 3.0, p["b"] - 3.0]), {"a": 0.5, "b": 0.5}, bounds={"a": (0, 1), "b": None}
    )
    np.testing.assert_allclose([found.x["a"], found.x["b"]], [1, 3], rtol=1e-6)


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov", "df-sane"])
def test_root(method, agnograd_backend):
    start = (raw(agnograd_backend, [0.5]), raw(agnograd_backend, 0.5))
    found = root(lambda p: (p[0] ** 3 + p[1] - 2, ag.sum(p[0]) - p[1]), start, method=method)
    assert found.success
    np.testing.assert_allclose(host(found.x[0]), [1.0], rtol=1e-5)
    np.testing.assert_allclose(host(found.x[1]), 1.0, rtol=1e-5)


def test_a_minimum_is_differentiated_where_its_gradient_is_zero(agnograd_backend):
    """Ridge regression: the coefficients (X'X + s)^-1 X'y, and how they depend on s and y."""
    rng = np.random.default_rng(5)
    features, labels = rng.normal(size=(6, 2)), rng.normal(size=6)
    x, y, s = raw(agnograd_backend, features), raw(agnograd_backend, labels), raw(agnograd_backend, 0.3)

    def loss(w, y, s):
        return ag.sum((ag.matmul(x, w) - y) ** 2) / 2 + ag.sum(w**2) * s / 2

    def coefficients(y, s):
        start = raw(agnograd_backend, np.zeros(2))
        return custom_root(ag.grad(loss), start, lambda f, w: root(f, w).x, params=(y, s))

    gram = features.T @ features + 0.3 * np.eye(2)
    w = np.linalg.solve(gram, features.T @ labels)
    np.testing.assert_allclose(host(coefficients(y, s)), w, rtol=1e-8)
    by_y, by_s = ag.grad(lambda y, s: ag.sum(coefficients(y, s)), (0, 1))(y, s)
    np.testing.assert_allclose(host(by_y), features @ np.linalg.solve(gram, np.ones(2)), rtol=1e-8)
    np.testing.assert_allclose(host(by_s), -np.linalg.solve(gram, w).sum(), rtol=1e-8)
    twice = ag.hvp(lambda s: ag.sum(coefficients(y, s)), (s,), (ag.ones_like(s),))
    np.testing.assert_allclose(host(twice), 2 * np.linalg.solve(gram, np.linalg.solve(gram, w)).sum(), rtol=1e-8)


# -- refusals --------------------------------------------------------------------------------------------------------


def test_refusals():
    with pytest.raises(NotDifferentiableError, match=r"got x0\['n'\] .*int64"):
        minimize(lambda p: p["n"], {"n": np.asarray(1)})
    with pytest.raises(ForeignArrayError, match=r"x0\[1\] of type str"):
        minimize(lambda p: p[0], (1.0, "a"))
    for method in ("BFGS", "Nelder-Mead"):
        with pytest.raises(NonScalarError, match=r"shape \(2,\)"):
            minimize(lambda p: p, np.ones(2), method=method)
    with pytest.raises(ValueError, match="Unknown solver"):
        minimize(lambda p: ag.sum(p), np.ones(2), method="none")


@pytest.mark.parametrize(
    "derive", [ag.grad, lambda f: lambda a: ag.jvp(f, (a,), (a,)), ag.vmap], ids=["grad", "jvp", "vmap"]
)
@pytest.mark.parametrize("method", ["BFGS", "Powell"])
def test_no_derivative_is_lost_in_silence(derive, method):
    a = np.asarray([2.0])

    def in_function(a):
        return minimize(lambda x: ag.sum((x - a) ** 2), np.zeros(()), method=method).x

    def in_start(a):
        return ag.sum(minimize(lambda x: ag.sum((x - 1) ** 2), a, method=method).x)

    for f in (in_function, in_start):
        with pytest.raises(NotDifferentiableError, match=r"SciPy's steps cannot be followed.*agnograd\.implicit"):
            derive(f)(a)


def test_scipy_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    for name in [name for name in sys.modules if name.startswith("scipy.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingLibraryError, match=r"pip install 'agnograd\[optimize\]'"):
        minimize(lambda x: x * x, 1.0)


def test_a_lazy_backend_computes_once_for_value_and_gradient():
    pytest.importorskip("dask")
    start = rosenbrock_at("dask")
    with count_computes() as computes:
        found = minimize(rosenbrock, start, method="BFGS")
    # Once for the vector to start with.
    assert computes[0] == found.nfev + 1
