"""Values are SciPy's, those of bodies in standard names too; what has no value is refused."""

import agnograd as ag
import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.signal
import scipy.stats
from agnograd.errors import UnsupportedError
from agnograd.testing import forbid_compute

RNG = np.random.default_rng(0)
A = RNG.normal(size=(5, 5))
SPD = A @ A.T + np.eye(5)
B = RNG.normal(size=(5, 2))
LIN = ag.scipy.linalg


def on(backend, function, *arrays, **params):
    """The result of a function on arrays of a backend, as a NumPy array."""
    xp = ag.namespace(backend)
    found = function(*[xp.asarray(x) if isinstance(x, np.ndarray) else x for x in arrays], **params)
    return ag.to_backend(found, "numpy").array


def close(got, expected, tolerance=1e-11):
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * max(1.0, np.abs(expected).max()))


# -- linear algebra ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
def test_solve_triangular(backend, trans):
    for lower in (False, True):
        for unit in (False, True):
            options = {"trans": trans, "lower": lower, "unit_diagonal": unit}
            a = A + 3 * np.eye(5) + 0.5j * A.T
            close(on(backend, LIN.solve_triangular, a, B, **options), scipy.linalg.solve_triangular(a, B, **options))


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
def test_systems(backend):
    for lower in (False, True):
        factor = scipy.linalg.cholesky(SPD, lower=lower)
        close(on(backend, LIN.cho_solve, factor, B, lower=lower), np.linalg.solve(SPD, B))
    bands = RNG.normal(size=(4, 6)) + np.asarray([0, 0, 5, 0])[:, None]
    right = RNG.normal(size=6)
    close(on(backend, LIN.solve_banded, bands, right, (1, 2)), scipy.linalg.solve_banded((1, 2), bands, right))
    q = RNG.normal(size=(5, 3))
    b = RNG.normal(size=(3, 3)) + 4 * np.eye(3)
    close(on(backend, LIN.solve_sylvester, SPD, b, q), scipy.linalg.solve_sylvester(SPD, b, q))
    q = A + A.T
    close(on(backend, LIN.solve_continuous_lyapunov, SPD, q), scipy.linalg.solve_continuous_lyapunov(SPD, q))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_expm_in_standard_names(scale):
    skew = scale * (A - A.T)  # whose exponential is a rotation, so that nothing grows
    close(on("strict", LIN.expm, skew), scipy.linalg.expm(skew), 1e-11 * max(scale, 1))
    close(on("strict", LIN.expm, -scale * SPD), scipy.linalg.expm(-scale * SPD), 1e-11 * max(scale, 1))


def test_expm_of_what_is_too_large_is_no_number():
    assert np.isnan(on("strict", LIN.expm, -1e7 * np.eye(2))).all()


def test_expm_frechet():
    expected = scipy.linalg.expm_frechet(A, A.T, compute_expm=False)
    close(on("numpy", LIN.expm_frechet, A, A.T), expected)
    close(on("strict", LIN.expm_frechet, A, A.T), expected)


def test_roots():
    for m in (SPD, 1e-9 * SPD, SPD + 1j * (A - A.T), np.diag([1e-6, 1.0, 1e6]) + np.triu(np.ones((3, 3)), 1)):
        for backend in ("numpy", "strict", "dask"):
            root = on(backend, LIN.sqrtm, m)
            np.testing.assert_allclose(root @ root, m, atol=1e-11 * np.abs(m).max() * np.linalg.norm(root, 2))
            close(root, scipy.linalg.sqrtm(m), 1e-7)


def test_a_complex_root_of_a_real_matrix_is_refused():
    m = np.asarray([[-1.0, 0.0], [0.0, 2.0]])
    with pytest.raises(UnsupportedError, match="negative eigenvalues"):
        LIN.sqrtm(ag.asarray(m))
    close(LIN.sqrtm(ag.asarray(m + 0j)).array, scipy.linalg.sqrtm(m + 0j))


def test_where_there_is_no_root_in_standard_names_there_is_no_number():
    for m in (np.diag([-3.0, -3.0]), np.asarray([[0.5, 1.0], [2.0, -1.0]])):
        with np.errstate(all="ignore"):
            assert np.isnan(on("strict", LIN.sqrtm, m)).all()


# -- signals -----------------------------------------------------------------------------------------------------------

SHAPES = [((7,), (3,)), ((3,), (7,)), ((40,), (30,)), ((6, 5), (3, 4)), ((9, 12), (9, 10)), ((1,), (4,))]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_convolution(shapes, mode):
    x, y = (RNG.normal(size=s) + 1j * RNG.normal(size=s) for s in shapes)
    for a, b in ((x.real, y.real), (x, y), (x.real, y)):
        for method in ("auto", "direct", "fft"):
            for name in ("convolve", "correlate"):
                expected = getattr(scipy.signal, name)(a, b, mode=mode, method="direct")
                got = getattr(ag.scipy.signal, name)(ag.asarray(a), ag.asarray(b), mode=mode, method=method)
                close(got.array, expected)
        close(
            ag.scipy.signal.fftconvolve(ag.asarray(a), ag.asarray(b), mode).array, scipy.signal.fftconvolve(a, b, mode)
        )


def test_convolution_of_integers_is_exact():
    x, y = np.arange(200), np.arange(1, 120)
    np.testing.assert_array_equal(ag.scipy.signal.convolve(ag.asarray(x), ag.asarray(y)).array, np.convolve(x, y))


def test_convolution_along_one_axis():
    x, y = RNG.normal(size=(3, 20)), RNG.normal(size=(1, 6))
    for mode in ("full", "same", "valid"):
        expected = scipy.signal.fftconvolve(x, y, mode, axes=1)
        close(on("strict", ag.scipy.signal.fftconvolve, x, y, mode, axes=1), expected)


def test_convolution_refuses():
    convolve = ag.scipy.signal.convolve
    with pytest.raises(ValueError, match="mode must be"):
        convolve(ag.ones(3), ag.ones(2), "circular")
    with pytest.raises(ValueError, match="at least as large as the other along every axis"):
        convolve(ag.ones((3, 2)), ag.ones((2, 3)), "valid")
    with pytest.raises(ValueError, match="as many axes"):
        convolve(ag.ones((3, 2)), ag.ones(2))
    with pytest.raises(ValueError, match="named twice"):
        convolve(ag.ones((3, 2)), ag.ones((3, 2)), axes=((0,), (0,)), dot_axes=((0,), (1,)))
    with pytest.raises(ValueError, match="method must be"):
        convolve(ag.ones(3), ag.ones(2), method="overlap")


# -- interpolation -----------------------------------------------------------------------------------------------------

KNOTS = np.cumsum(RNG.uniform(0.2, 1.0, size=8))
POINTS = np.concatenate([np.linspace(KNOTS[0] - 1, KNOTS[-1] + 1, 31), KNOTS])


@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_interpolation(backend):
    y = RNG.normal(size=8)
    for ends in ({}, {"left": -1.0, "right": 2.0}):
        close(on(backend, ag.scipy.interpolate.interp, POINTS, KNOTS, y, **ends), np.interp(POINTS, KNOTS, y, **ends))
    spline = ag.scipy.interpolate.cubic_spline
    for bc_type in ("not-a-knot", "natural", "clamped"):
        for n in (8, 3, 2):
            expected = scipy.interpolate.CubicSpline(KNOTS[:n], y[:n], bc_type=bc_type)
            for nu in range(4):
                points = POINTS if nu < 3 else POINTS[:31]  # the third derivative jumps at knots
                close(on(backend, spline, points, KNOTS[:n], y[:n], bc_type, nu), expected(points, nu), 1e-9)


def test_splines_of_several_values_and_without_extrapolation():
    y = RNG.normal(size=(8, 2, 3))
    points = POINTS.reshape(3, 13)
    expected = scipy.interpolate.CubicSpline(KNOTS, y, extrapolate=False)(points)
    close_nan = ag.scipy.interpolate.cubic_spline(*map(ag.asarray, (points, KNOTS, y)), extrapolate=False).array
    np.testing.assert_allclose(close_nan, expected, rtol=1e-10, atol=1e-12)


def test_interpolation_refuses():
    with pytest.raises(ValueError, match="two knots or more"):
        ag.scipy.interpolate.interp(ag.ones(3), ag.ones(1), ag.ones(1))
    with pytest.raises(ValueError, match="bc_type is one of"):
        ag.scipy.interpolate.cubic_spline(ag.ones(3), ag.asarray(KNOTS), ag.asarray(KNOTS), "periodic")


def test_interpolation_leaves_dask_lazy():
    xp = ag.namespace("dask")
    with forbid_compute():
        x, y = xp.asarray(POINTS).requires_grad_(), xp.asarray(KNOTS).requires_grad_()
        ag.scipy.interpolate.cubic_spline(x, xp.asarray(KNOTS), y).sum().backward()
        assert (x.grad.shape, y.grad.shape) == (x.shape, y.shape)


# -- distributions -----------------------------------------------------------------------------------------------------

X = np.asarray([-1.5, -0.2, 0.0, 0.3, 0.9, 1.0, 2.5, 40.0])
ONE = {
    "norm": (0.3, 1.7),
    "t": (3.5, 0.2, 1.4),
    "gamma": (2.3, -0.1, 1.6),
    "chi2": (4.0, 0.1, 1.3),
    "beta": (1.7, 2.4, -0.3, 1.8),
}
FUNCTIONS = ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf")


@pytest.mark.parametrize("backend", ["numpy", "strict", "dask"])
@pytest.mark.parametrize("name", ONE)
def test_distributions(name, backend):
    ours, theirs = getattr(ag.scipy.stats, name), getattr(scipy.stats, name)
    for function in set(FUNCTIONS) & set(dir(ours)):
        with np.errstate(divide="ignore"):
            expected = getattr(theirs, function)(X, *ONE[name])
        got = on(backend, getattr(ours, function), X, *ONE[name])
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-300, err_msg=function)


@pytest.mark.parametrize("name", ["gamma", "chi2", "beta"])
def test_outside_of_the_support_all_derivatives_are_zero(name):
    x = np.asarray([-1.5, 50.0]) if name == "beta" else np.asarray([-1.5, -0.4])
    for function in set(dir(getattr(ag.scipy.stats, name))) & set(FUNCTIONS):
        f = getattr(getattr(ag.scipy.stats, name), function)
        arguments = [ag.asarray(v).detach().requires_grad_() for v in (x, *map(np.asarray, ONE[name]))]
        f(*arguments).sum().backward()
        for argument in arguments:
            assert (argument.grad.array == 0).all(), function


def test_quantiles():
    q = np.asarray([0.01, 0.5, 0.99])
    for function in ("ppf", "isf"):
        got = on("numpy", getattr(ag.scipy.stats.norm, function), q, 0.4, 2.0)
        np.testing.assert_allclose(got, getattr(scipy.stats.norm, function)(q, 0.4, 2.0), rtol=1e-12)


def test_poisson():
    k = np.asarray([-1.0, 0.0, 1.0, 2.5, 7.0])
    for function in ("pmf", "logpmf", "cdf", "sf"):
        expected = getattr(scipy.stats.poisson, function)(k, 2.3, 0)
        np.testing.assert_allclose(
            on("strict", getattr(ag.scipy.stats.poisson, function), k, 2.3), expected, rtol=1e-12
        )
    counts = ag.tensor([1.0, 3.0], requires_grad=True)
    ag.scipy.stats.poisson.logpmf(counts, 2.0).sum().backward()
    assert (counts.grad.array == 0).all()


def test_dirichlet():
    alpha, x = np.asarray([1.5, 0.7, 3.0]), np.asarray([[0.2, 0.1], [0.5, 0.3], [0.3, 0.6]])
    for function in ("pdf", "logpdf"):
        f = getattr(ag.scipy.stats.dirichlet, function)
        for points in (x, x[:2], x[:, 0]):
            close(on("numpy", f, points, alpha), getattr(scipy.stats.dirichlet, function)(points, alpha))
    with pytest.raises(ValueError, match="as many components"):
        ag.scipy.stats.dirichlet.pdf(ag.ones(5), ag.ones(3))


SINGULAR = np.asarray([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])


def test_multivariate_normal():
    ours, theirs = ag.scipy.stats.multivariate_normal, scipy.stats.multivariate_normal
    x, mean = RNG.normal(size=(4, 5)), RNG.normal(size=5)
    for backend in ("numpy", "strict", "dask"):
        for function in ("pdf", "logpdf"):
            close(on(backend, getattr(ours, function), x, mean, SPD), getattr(theirs, function)(x, mean, SPD))
        close(on(backend, ours.entropy, mean, SPD), theirs.entropy(mean, SPD))
    close(on("numpy", ours.entropy, mean, 2.0), theirs.entropy(mean, 2.0))
    close(on("numpy", ours.logpdf, x, 0.5, np.arange(1.0, 6.0)), theirs.logpdf(x, np.full(5, 0.5), np.arange(1.0, 6.0)))
    on_range = np.asarray([[0.4, 0.4, -1.0], [0.4, 0.5, -1.0]])
    got = on("numpy", ours.logpdf, on_range, 0.0, SINGULAR, allow_singular=True)
    np.testing.assert_allclose(got, theirs.logpdf(on_range, None, SINGULAR, allow_singular=True), rtol=1e-12)


def test_parameters_by_name_may_carry_the_gradient():
    scale = ag.tensor(2.0, requires_grad=True)
    x = np.asarray([0.1, 0.5])
    for backend in ("numpy", "strict"):
        scale = ag.namespace(backend).asarray(2.0).requires_grad_()
        ag.scipy.stats.norm.logpdf(ag.namespace(backend).asarray(x).array, scale=scale).sum().backward()
        np.testing.assert_allclose(float(scale.grad), np.sum(x * x / 8 - 0.5), rtol=1e-12)


def test_numbers_alone():
    assert float(ag.scipy.stats.norm.pdf(0.5)) == pytest.approx(scipy.stats.norm.pdf(0.5))
    np.testing.assert_allclose(
        ag.scipy.stats.norm.logpdf(ag.asarray([1, 2]), 0.5).array, scipy.stats.norm.logpdf([1, 2], 0.5)
    )
