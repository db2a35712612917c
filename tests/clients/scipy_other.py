"""scipy.integrate, optimize, differentiate, linalg, spatial, interpolate, cluster, sparse and constants on tensors."""

from __future__ import annotations

import numpy as np
import scipy
from clients.case import Table, normal, uniform
from scipy import cluster, differentiate, integrate, interpolate, optimize
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

scipy_other = Table("SciPy", scipy)
add = scipy_other

X = normal(3, 6)
KNOTS = np.sort(uniform(6, low=0.0, high=3.0))
ROW = normal(6)
C = np.asarray([0.6, 1.3, 2.1])
SQUARE = normal(3, 3)
SPD = SQUARE @ SQUARE.T + np.eye(3)


def space(x):
    """The namespace of an argument: NumPy itself for its arrays."""
    return x.__array_namespace__() if hasattr(x, "__array_namespace__") else np


# -- integration
add("integrate.trapezoid", X, dx=0.4)
add("integrate.trapezoid:points", ROW, KNOTS, wrt=(0, 1))
add("integrate.cumulative_trapezoid", X, dx=0.4)
add("integrate.cumulative_trapezoid:points", X, KNOTS, initial=0, wrt=(0, 1))
add("integrate.cumulative_simpson", X, dx=0.4)
add("integrate.cumulative_simpson:points", ROW, x=KNOTS)
add("integrate.simpson", X, dx=0.4)
add("integrate.romb", normal(2, 9), dx=0.3)
add(
    "integrate.cubature",
    C,
    do=lambda c: (
        integrate.cubature(
            lambda x, c: space(x).exp(-x[:, :1] * c), space(c).zeros(1), space(c).ones(1), args=(c,)
        ).estimate
    ),
)
add(
    "integrate.cubature:limits",
    np.asarray([1.2, 0.7]),
    do=lambda b: integrate.cubature(lambda x: space(x).exp(-x[:, 0] * x[:, 1]), space(b).zeros(2), b).estimate,
)
add(
    "integrate.cubature:infinite",
    C,
    do=lambda c: (
        integrate.cubature(
            lambda x, c: space(x).exp(-(x[:, :1] ** 2) * c),
            space(c).asarray([-np.inf]),
            space(c).asarray([np.inf]),
            args=(c,),
        ).estimate
    ),
)
add(
    "integrate.tanhsinh",
    C,
    do=lambda c: (
        integrate.tanhsinh(
            lambda x, c: space(x).exp(-c * x), space(c).asarray(0.0), space(c).asarray(1.5), args=(c,)
        ).integral
    ),
)
add(
    "integrate.tanhsinh:limits",
    C,
    do=lambda b: integrate.tanhsinh(lambda x: space(x).exp(-x), space(b).asarray(0.0), b).integral,
)
add(
    "integrate.tanhsinh:infinite",
    C,
    zero_safe=True,
    do=lambda c: (
        integrate.tanhsinh(
            lambda x, c: space(x).exp(-c * x**2), space(c).asarray(-np.inf), space(c).asarray(np.inf), args=(c,)
        ).integral
    ),
)
add(
    "integrate.nsum",
    C,
    zero_safe=True,
    do=lambda c: (
        integrate.nsum(lambda k, c: 1 / k ** (1 + c), space(c).asarray(1.0), space(c).asarray(np.inf), args=(c,)).sum
    ),
)
add(
    "integrate.nsum:finite",
    C,
    do=lambda c: (
        integrate.nsum(lambda k, c: space(c).exp(-c * k), space(c).asarray(1.0), space(c).asarray(20.0), args=(c,)).sum
    ),
)
add("integrate.quad_vec", C, do=lambda c: integrate.quad_vec(lambda x: space(c).exp(-c * x), 0, 1.5)[0])
add("integrate.quad", np.asarray(0.7), do=lambda c: integrate.quad(lambda x: np.exp(-c * x), 0, 1.5)[0])
add("integrate.fixed_quad", C, do=lambda c: integrate.fixed_quad(lambda x: space(c).exp(-c[:, None] * x), 0, 1.5)[0])
add(
    "integrate.solve_ivp",
    np.asarray([1.0, 0.5]),
    do=lambda y: integrate.solve_ivp(lambda t, y: -y, (0, 1.0), y).y[:, -1],
)
add("integrate.odeint", np.asarray([1.0, 0.5]), do=lambda y: integrate.odeint(lambda y, t: -y, y, [0.0, 1.0]))

# -- optimisation
add("optimize.rosen", ROW)
add("optimize.rosen:columns", X)
add("optimize.rosen_der", ROW)
add("optimize.rosen_hess", ROW)
add("optimize.rosen_hess_prod", ROW, normal(6, seed=1), wrt=(0, 1))
add(
    "optimize.elementwise.find_root",
    C,
    do=lambda c: (
        elementwise.find_root(lambda x, c: x**3 - c, (space(c).zeros_like(c), space(c).ones_like(c) * 2), args=(c,)).x
    ),
)
add(
    "optimize.elementwise.find_minimum",
    C,
    tolerance=1e-3,
    do=lambda c: (
        elementwise.find_minimum(
            lambda x, c: space(x).exp(x) - c * x,
            (-2 * space(c).ones_like(c), 0.3 * c, 3 * space(c).ones_like(c)),
            args=(c,),
        ).x
    ),
)
add(
    "optimize.elementwise.find_minimum:value",
    C,
    do=lambda c: (
        elementwise.find_minimum(
            lambda x, c: space(x).exp(x) - c * x,
            (-2 * space(c).ones_like(c), 0.3 * c, 3 * space(c).ones_like(c)),
            args=(c,),
        ).f_x
    ),
)
add(
    "optimize.elementwise.bracket_root",
    C,
    do=lambda c: elementwise.bracket_root(lambda x, c: x**3 - c, space(c).zeros_like(c), args=(c,)).bracket,
)
add("optimize.approx_fprime", ROW, do=lambda x: optimize.approx_fprime(x, lambda x: space(x).sum(x**2)))
add(
    "optimize.minimize",
    np.asarray([0.4, 0.7]),
    tolerance=1e-4,
    do=lambda c: optimize.minimize(lambda x: np.sum((x - c) ** 2), np.zeros(2), tol=1e-10).x,
)
add("optimize.brentq", np.asarray(0.7), do=lambda c: optimize.brentq(lambda x: x**3 - c, 0, 2))
add("optimize.newton", C, do=lambda c: optimize.newton(lambda x: x**3 - c, 1.0 + 0 * c))
add("optimize.nnls", np.abs(SPD), np.asarray([1.0, 2.0, 1.5]), wrt=(0, 1))
add("optimize.lsq_linear", SPD, C, do=lambda a, b: optimize.lsq_linear(a, b).x, wrt=(0, 1))
add("optimize.linear_sum_assignment", SPD, do=lambda c: c[optimize.linear_sum_assignment(c)])
add("optimize.isotonic_regression", ROW, do=lambda y: optimize.isotonic_regression(y).x)

# -- differentiation
add(
    "differentiate.derivative",
    C,
    do=lambda x: differentiate.derivative(lambda x: space(x).sin(x), x).df,
    tolerance=1e-5,
)
add(
    "differentiate.derivative:parameter",
    C,
    tolerance=1e-5,
    do=lambda c: differentiate.derivative(lambda x, c: space(x).sin(c * x), space(c).asarray(0.6), args=(c,)).df,
)
add(
    "differentiate.jacobian",
    C,
    tolerance=1e-5,
    do=lambda x: differentiate.jacobian(lambda x: space(x).stack([x[0] * x[1], space(x).sin(x[2])]), x).df,
)
add("differentiate.hessian", C, tolerance=1e-3, do=lambda x: differentiate.hessian(optimize.rosen, x).ddf)

# -- linear algebra
add("linalg.orthogonal_procrustes", normal(4, 2), normal(4, 2, seed=1), wrt=(0, 1))
add("linalg.block_diag", SQUARE, X, wrt=(0, 1))
add("linalg.fiedler", C)
for name in ("det", "inv", "expm", "cholesky", "svdvals", "eigvalsh", "pinv", "sqrtm", "logm", "norm"):
    add(f"linalg.{name}", SPD)
add("linalg.solve", SPD, C, wrt=(0, 1))
add("linalg.solve_triangular", SPD, C, wrt=(0, 1))
add("linalg.lstsq", normal(4, 2), normal(4), do=lambda a, b: scipy.linalg.lstsq(a, b)[0], wrt=(0, 1))
add("linalg.toeplitz", C)
add("linalg.circulant", C)
add("linalg.companion", C)
add("linalg.khatri_rao", normal(2, 3), normal(4, 3), wrt=(0, 1))
add("linalg.bandwidth", SPD, do=lambda a: (scipy.linalg.bandwidth(a), a)[1])
add("linalg.issymmetric", SPD, do=lambda a: (scipy.linalg.issymmetric(a), a)[1])

# -- rotations and rigid transforms
QUATERNION = normal(3, 4)
VECTOR = normal(3, 3) * 0.5
POINTS = normal(3, 3, seed=5)
ANGLES = uniform(3, 3, low=0.2, high=1.1)


def rotation(name, make, use, *args, wrt=0):
    """A case of Rotation: `use` of what is made of the first argument."""
    add(f"spatial.transform.Rotation.{name}", *args, do=lambda x, *rest: use(make(x), *rest), wrt=wrt)


rotation("from_quat", Rotation.from_quat, lambda r: r.as_matrix(), QUATERNION)
rotation("from_rotvec", Rotation.from_rotvec, lambda r: r.as_matrix(), VECTOR)
rotation("from_mrp", Rotation.from_mrp, lambda r: r.as_matrix(), VECTOR)
rotation("from_euler", lambda a: Rotation.from_euler("xyz", a), lambda r: r.as_matrix(), ANGLES)
rotation(
    "from_davenport",
    lambda a: Rotation.from_davenport(space(a).eye(3), "intrinsic", a),
    lambda r: r.as_matrix(),
    ANGLES,
)
rotation(
    "from_matrix", lambda v: Rotation.from_matrix(Rotation.from_rotvec(v).as_matrix()), lambda r: r.as_rotvec(), VECTOR
)
rotation("as_matrix", Rotation.from_rotvec, lambda r: r.as_matrix(), VECTOR[0])
rotation("as_quat", Rotation.from_rotvec, lambda r: r.as_quat(), VECTOR)
rotation("as_rotvec", Rotation.from_quat, lambda r: r.as_rotvec(), QUATERNION)
rotation("as_mrp", Rotation.from_quat, lambda r: r.as_mrp(), QUATERNION)
rotation("as_euler", Rotation.from_rotvec, lambda r: r.as_euler("zyx"), VECTOR)
rotation("as_davenport", Rotation.from_rotvec, lambda r: r.as_davenport(space(r.as_quat()).eye(3), "intrinsic"), VECTOR)
rotation("apply", Rotation.from_rotvec, lambda r, x: r.apply(x), VECTOR, POINTS, wrt=(0, 1))
rotation("apply:inverse", Rotation.from_rotvec, lambda r, x: r.apply(x, inverse=True), VECTOR, POINTS, wrt=(0, 1))
rotation("inv", Rotation.from_rotvec, lambda r: r.inv().as_matrix(), VECTOR)
rotation("magnitude", Rotation.from_rotvec, lambda r: r.magnitude(), VECTOR)
rotation("reduce", Rotation.from_rotvec, lambda r: r.reduce().as_matrix(), VECTOR)
rotation("__getitem__", Rotation.from_rotvec, lambda r: r[1].as_matrix(), VECTOR)
rotation(
    "__mul__", Rotation.from_rotvec, lambda r, x: (r * Rotation.from_rotvec(x)).as_matrix(), VECTOR, POINTS, wrt=(0, 1)
)
rotation("__pow__", Rotation.from_rotvec, lambda r: (r**2.5).as_matrix(), VECTOR)
rotation("concatenate", Rotation.from_rotvec, lambda r: Rotation.concatenate([r, r.inv()]).as_matrix(), VECTOR)
rotation("approx_equal", Rotation.from_rotvec, lambda r: (r.approx_equal(r), r.as_quat())[1], VECTOR)
rotation("mean", Rotation.from_rotvec, lambda r: r.mean().as_matrix(), VECTOR)
add(
    "spatial.transform.Rotation.align_vectors",
    VECTOR,
    POINTS,
    do=lambda a, b: Rotation.align_vectors(a, b)[0].as_matrix(),
    wrt=(0, 1),
)
add(
    "spatial.transform.Slerp",
    VECTOR,
    do=lambda v: Slerp(space(v).asarray([0.0, 1.0, 2.0]), Rotation.from_rotvec(v))(
        space(v).asarray([0.3, 1.6])
    ).as_matrix(),
)


def rigid(rotvec, shift):
    """A rigid transform of a rotation and a translation."""
    return RigidTransform.from_components(shift, Rotation.from_rotvec(rotvec))


def transform(name, use, *args):
    """A case of RigidTransform, made of a rotation vector and a shift."""
    add(
        f"spatial.transform.RigidTransform.{name}",
        VECTOR,
        POINTS,
        *args,
        wrt=tuple(range(2 + len(args))),
        do=lambda v, t, *rest: use(rigid(v, t), *rest),
    )


transform("from_components", lambda r: r.as_matrix())
transform("as_exp_coords", lambda r: r.as_exp_coords())
transform("as_dual_quat", lambda r: r.as_dual_quat())
transform("apply", lambda r, x: r.apply(x), normal(3, 3, seed=7))
transform("inv", lambda r: r.inv().as_matrix())
transform("__mul__", lambda r: (r * r.inv() * r).as_matrix())
transform("__pow__", lambda r: (r**1.5).as_matrix())
add(
    "spatial.transform.RigidTransform.from_exp_coords",
    normal(3, 6),
    do=lambda x: RigidTransform.from_exp_coords(x).as_matrix(),
)
add(
    "spatial.transform.RigidTransform.from_dual_quat",
    VECTOR,
    POINTS,
    wrt=(0, 1),
    do=lambda v, t: RigidTransform.from_dual_quat(rigid(v, t).as_dual_quat()).as_matrix(),
)
add(
    "spatial.transform.RigidTransform.from_matrix",
    VECTOR,
    POINTS,
    wrt=(0, 1),
    do=lambda v, t: RigidTransform.from_matrix(rigid(v, t).as_matrix()).as_matrix(),
)
add(
    "spatial.transform.RigidTransform.from_translation",
    POINTS,
    do=lambda t: RigidTransform.from_translation(t).as_matrix(),
)

# -- distances and interpolation
for name in ("euclidean", "cityblock", "cosine", "correlation", "chebyshev", "canberra", "braycurtis", "minkowski"):
    add(f"spatial.distance.{name}", ROW, normal(6, seed=1), wrt=(0, 1))
add("spatial.distance.cdist", X, normal(2, 6, seed=1), wrt=(0, 1))
add("spatial.distance.pdist", X)
add("spatial.distance.mahalanobis", C, C * 0.4, SPD, wrt=(0, 1, 2))
add("spatial.procrustes", normal(4, 2), normal(4, 2, seed=1), wrt=(0, 1))
add("spatial.geometric_slerp", np.asarray([1.0, 0.0]), np.asarray([0.6, 0.8]), 0.4, wrt=1)
add("interpolate.CubicSpline", ROW, do=lambda y: interpolate.CubicSpline(KNOTS, y)(0.5 * KNOTS))
add("interpolate.PchipInterpolator", ROW, do=lambda y: interpolate.PchipInterpolator(KNOTS, y)(1.5))
add("interpolate.Akima1DInterpolator", ROW, do=lambda y: interpolate.Akima1DInterpolator(KNOTS, y)(1.5))
add("interpolate.BarycentricInterpolator", ROW, do=lambda y: interpolate.BarycentricInterpolator(KNOTS, y)(1.5))
add("interpolate.interp1d", ROW, do=lambda y: interpolate.interp1d(KNOTS, y)(1.5))
add("interpolate.make_interp_spline", ROW, do=lambda y: interpolate.make_interp_spline(KNOTS, y)(1.5))
add("interpolate.BSpline", ROW, do=lambda c: interpolate.BSpline(np.arange(10.0), c, 3)(4.5))
add("interpolate.PPoly", SQUARE, do=lambda c: interpolate.PPoly(c, np.arange(4.0))(1.5))
add(
    "interpolate.RegularGridInterpolator",
    X,
    do=lambda v: interpolate.RegularGridInterpolator((np.arange(3.0), np.arange(6.0)), v)((1.2, 3.4)),
)
add("interpolate.RBFInterpolator", ROW, do=lambda y: interpolate.RBFInterpolator(normal(6, 2), y)(np.zeros((1, 2))))
add("interpolate.griddata", ROW, do=lambda v: interpolate.griddata(normal(6, 2), v, (0.1, 0.1)))
add("interpolate.AAA", ROW, do=lambda y: interpolate.AAA(KNOTS, y)(1.5))

# -- clusters, graphs, constants
add("cluster.vq.whiten", X)
add("cluster.vq.vq", X, X[:2] + 0.1, do=lambda x, c: cluster.vq.vq(x, c)[1], wrt=(0, 1))
add("cluster.vq.kmeans", X, X[:2] + 0.1, wrt=(0, 1))
add("cluster.hierarchy.linkage", X)
add("cluster.hierarchy.cophenet", X, do=lambda x: cluster.hierarchy.cophenet(cluster.hierarchy.linkage(x)))
add("sparse.csgraph.shortest_path", np.abs(SPD))
add("constants.convert_temperature", ROW, "Celsius", "Fahrenheit")
add("constants.lambda2nu", C)
add("constants.nu2lambda", C)
