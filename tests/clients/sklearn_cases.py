"""scikit-learn on tensors, with ``array_api_dispatch=True``."""

from __future__ import annotations

import numpy as np
import sklearn
from clients.case import Table, normal, uniform
from sklearn import (
    calibration,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    manifold,
    metrics,
    mixture,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn import cluster as clusters
from sklearn.utils import extmath

sklearn_cases = Table("scikit-learn", sklearn)

X = normal(12, 3)
NEW = normal(5, 3, seed=1)
POSITIVE = uniform(12, 3, low=0.5, high=3.0)
TARGET = normal(12, seed=2)
TARGETS = normal(12, 2, seed=2)
LABELS = np.arange(12) % 2
THREE = np.arange(12) % 3
SHIFTED = X + LABELS[:, None] * np.asarray([1.5, -0.5, 1.0])
SCORES = uniform(12, seed=4)
WEIGHTS = uniform(12, seed=5)
SIMPLEX = POSITIVE / np.sum(POSITIVE, axis=1, keepdims=True)


def add(name, *args, do=None, **options):
    """A case that runs under dispatch."""
    function = do
    if function is None:
        function = sklearn
        for part in name.partition(":")[0].split("."):
            function = getattr(function, part)

    def call(*arguments, **keywords):
        with sklearn.config_context(array_api_dispatch=True):
            return function(*arguments, **keywords)

    sklearn_cases(name, *args, do=call, **options)


def fitted(name, estimator, use, *args, **options):
    """A case of an estimator: `use` of what was fitted to the arguments; the last one is new data if it asks for it."""
    wants_new = use.__code__.co_argcount == 2
    wrt = options.pop("wrt", 0)

    def call(*arguments):
        arguments, new = (arguments[:-1], arguments[-1:]) if wants_new else (arguments, ())
        return use(sklearn.clone(estimator).fit(*arguments), *new)

    add(name, *args, *((NEW,) if wants_new else ()), do=call, wrt=wrt, **options)


# -- preprocessing
for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler()):
    name = f"preprocessing.{type(scaler).__name__}"
    zero_safe = name.endswith("StandardScaler")
    fitted(name, scaler, lambda s, new: s.transform(new), X, wrt=(0, 1), zero_safe=zero_safe)
    fitted(f"{name}:inverse", scaler, lambda s, new: s.inverse_transform(new), X, wrt=(0, 1), zero_safe=zero_safe)
fitted(
    "preprocessing.StandardScaler:moments",
    preprocessing.StandardScaler(),
    lambda s: (s.mean_, s.var_, s.scale_),
    X,
    zero_safe=True,
)
fitted("preprocessing.RobustScaler", preprocessing.RobustScaler(), lambda s, new: s.transform(new), X)
for norm in ("l1", "l2", "max"):
    add(f"preprocessing.normalize:{norm}", X, norm=norm)
    fitted(
        f"preprocessing.Normalizer:{norm}", preprocessing.Normalizer(norm), lambda s, new: s.transform(new), X, wrt=1
    )
add("preprocessing.scale", X)
add("preprocessing.minmax_scale", X)
add("preprocessing.maxabs_scale", X)
add("preprocessing.robust_scale", X)
add("preprocessing.quantile_transform", X, n_quantiles=4)
add("preprocessing.power_transform", X)
add("preprocessing.binarize", X)
add("preprocessing.add_dummy_feature", X)
fitted("preprocessing.Binarizer", preprocessing.Binarizer(), lambda s, new: s.transform(new), X, wrt=1)
fitted(
    "preprocessing.KernelCenterer", preprocessing.KernelCenterer(), lambda s, new: s.transform(new), X[:3], wrt=(0, 1)
)
for degree in (2, 3):
    fitted(
        f"preprocessing.PolynomialFeatures:{degree}",
        preprocessing.PolynomialFeatures(degree),
        lambda s, new: s.transform(new),
        X,
        wrt=1,
    )
fitted(
    "preprocessing.SplineTransformer",
    preprocessing.SplineTransformer(),
    lambda s, new: s.transform(0.3 * new),
    X,
    wrt=1,
)
fitted("preprocessing.PowerTransformer", preprocessing.PowerTransformer(), lambda s, new: s.transform(new), X)
fitted(
    "preprocessing.FunctionTransformer",
    preprocessing.FunctionTransformer(lambda x: x**2),
    lambda s, new: s.transform(new),
    X,
    wrt=1,
)
fitted("impute.SimpleImputer", impute.SimpleImputer(), lambda s, new: s.transform(new), X, wrt=1)

# -- linear models
SVD = linear_model.Ridge(solver="svd", alpha=0.7)
fitted("linear_model.Ridge", SVD, lambda m, new: m.predict(new), X, TARGET, wrt=(0, 1, 2))
fitted("linear_model.Ridge:coefficients", SVD, lambda m: (m.coef_, m.intercept_), X, TARGET, wrt=(0, 1))
fitted("linear_model.Ridge:several targets", SVD, lambda m, new: m.predict(new), X, TARGETS, wrt=(0, 1, 2))
fitted(
    "linear_model.Ridge:no intercept",
    linear_model.Ridge(solver="svd", fit_intercept=False),
    lambda m: m.coef_,
    X,
    TARGET,
    wrt=(0, 1),
)
fitted("linear_model.Ridge:weights", SVD, lambda m: m.coef_, X, TARGET, WEIGHTS, wrt=(0, 1, 2))
fitted("linear_model.Ridge:cholesky", linear_model.Ridge(solver="cholesky"), lambda m: m.coef_, X, TARGET)
fitted("linear_model.RidgeCV", linear_model.RidgeCV(), lambda m, new: m.predict(new), X, TARGET, wrt=(0, 1, 2))
fitted("linear_model.RidgeCV:coefficients", linear_model.RidgeCV([0.3, 3.0]), lambda m: m.coef_, X, TARGET, wrt=(0, 1))
fitted(
    "linear_model.RidgeClassifier",
    linear_model.RidgeClassifier(solver="svd"),
    lambda m, new: m.decision_function(new),
    SHIFTED,
    LABELS,
    wrt=(0, 2),
)
fitted("linear_model.RidgeClassifierCV", linear_model.RidgeClassifierCV(), lambda m: m.coef_, SHIFTED, THREE)
fitted("linear_model.LinearRegression", linear_model.LinearRegression(), lambda m: m.coef_, X, TARGET)
fitted("linear_model.LogisticRegression", linear_model.LogisticRegression(), lambda m: m.coef_, SHIFTED, LABELS)
fitted(
    "linear_model.LogisticRegression:predictions",
    linear_model.LogisticRegression(solver="lbfgs"),
    lambda m, new: m.predict_proba(new),
    SHIFTED,
    LABELS,
)
fitted("linear_model.PoissonRegressor", linear_model.PoissonRegressor(), lambda m: m.coef_, X, POSITIVE[:, 0])
for model in (
    *(linear_model.Lasso(), linear_model.ElasticNet(), linear_model.BayesianRidge(), linear_model.HuberRegressor()),
    *(linear_model.Lars(), linear_model.SGDRegressor(), linear_model.ARDRegression(), linear_model.TheilSenRegressor()),
    *(kernel_ridge.KernelRidge(), svm.SVR(), tree.DecisionTreeRegressor(), neighbors.KNeighborsRegressor()),
    *(gaussian_process.GaussianProcessRegressor(), ensemble.RandomForestRegressor(n_estimators=2)),
    *(cross_decomposition.PLSRegression(), neural_network.MLPRegressor(max_iter=2)),
):
    module = type(model).__module__.split(".")[1]
    fitted(f"{module}.{type(model).__name__}", model, lambda m, new: m.predict(new), X, TARGET)

# -- decomposition and discriminants
for solver in ("full", "covariance_eigh", "randomized"):
    fitted(
        f"decomposition.PCA:{solver}",
        decomposition.PCA(2, svd_solver=solver, random_state=0),
        lambda p, new: p.inverse_transform(p.transform(new)),
        X,
        wrt=(0, 1),
    )
fitted("decomposition.PCA", decomposition.PCA(2), lambda p: (p.explained_variance_, p.singular_values_, p.mean_), X)
fitted("decomposition.PCA:ratio", decomposition.PCA(), lambda p: p.explained_variance_ratio_, X)
fitted("decomposition.PCA:components", decomposition.PCA(2), lambda p: p.components_, X)
fitted("decomposition.PCA:transform", decomposition.PCA(2), lambda p, new: p.transform(new), X, wrt=(0, 1))
fitted("decomposition.PCA:whiten", decomposition.PCA(2, whiten=True), lambda p, new: p.transform(new), X, wrt=(0, 1))
fitted("decomposition.PCA:covariance", decomposition.PCA(2), lambda p: p.get_covariance(), X)
fitted("decomposition.PCA:precision", decomposition.PCA(2), lambda p: p.get_precision(), X)
fitted("decomposition.PCA:score_samples", decomposition.PCA(2), lambda p, new: p.score_samples(new), X, wrt=(0, 1))
fitted("decomposition.PCA:score", decomposition.PCA(2), lambda p, new: p.score(new), X, wrt=(0, 1))
fitted(
    "decomposition.TruncatedSVD",
    decomposition.TruncatedSVD(2, algorithm="randomized", random_state=0),
    lambda p: p.singular_values_,
    X,
)
for model in (
    *(decomposition.FastICA(2, random_state=0), decomposition.FactorAnalysis(2), decomposition.KernelPCA(2)),
    *(decomposition.IncrementalPCA(2), decomposition.SparsePCA(2), decomposition.NMF(2, init="random", random_state=0)),
    *(manifold.Isomap(n_neighbors=3), manifold.MDS(random_state=0, n_init=1), clusters.FeatureAgglomeration(2)),
):
    module = type(model).__module__.split(".")[1]
    fitted(
        f"{module}.{type(model).__name__}",
        model,
        lambda m: m.transform(POSITIVE) if hasattr(m, "transform") else m.embedding_,
        POSITIVE,
        zero_safe=isinstance(model, manifold.MDS),
    )
LDA = discriminant_analysis.LinearDiscriminantAnalysis(solver="svd")
fitted(
    "discriminant_analysis.LinearDiscriminantAnalysis",
    LDA,
    lambda m, new: m.decision_function(new),
    SHIFTED,
    LABELS,
    wrt=(0, 2),
)
fitted(
    "discriminant_analysis.LinearDiscriminantAnalysis:predict_proba",
    LDA,
    lambda m, new: m.predict_proba(new),
    SHIFTED,
    THREE,
    wrt=(0, 2),
)
fitted(
    "discriminant_analysis.LinearDiscriminantAnalysis:predict_log_proba",
    LDA,
    lambda m, new: m.predict_log_proba(new),
    SHIFTED,
    THREE,
    wrt=(0, 2),
)
fitted(
    "discriminant_analysis.LinearDiscriminantAnalysis:coefficients",
    LDA,
    lambda m: (m.coef_, m.intercept_),
    SHIFTED,
    LABELS,
)
fitted(
    "discriminant_analysis.QuadraticDiscriminantAnalysis",
    discriminant_analysis.QuadraticDiscriminantAnalysis(),
    lambda m, new: m.predict_log_proba(new),
    SHIFTED,
    LABELS,
)

# -- mixtures, Bayes, kernels
BAYES = naive_bayes.GaussianNB()
fitted("naive_bayes.GaussianNB", BAYES, lambda m, new: m.predict_proba(new), SHIFTED, LABELS, wrt=(0, 2))
fitted("naive_bayes.GaussianNB:logarithm", BAYES, lambda m, new: m.predict_log_proba(new), SHIFTED, THREE, wrt=(0, 2))
fitted(
    "naive_bayes.GaussianNB:joint", BAYES, lambda m, new: m.predict_joint_log_proba(new), SHIFTED, LABELS, wrt=(0, 2)
)
fitted("naive_bayes.GaussianNB:moments", BAYES, lambda m: (m.theta_, m.var_), SHIFTED, LABELS)
fitted(
    "naive_bayes.MultinomialNB", naive_bayes.MultinomialNB(), lambda m, new: m.predict_proba(new**2), POSITIVE, LABELS
)
MEANS = np.asarray([[0.5, 0.0, 0.3], [-0.5, 0.3, 0.0]])
START = {"means_init": MEANS, "weights_init": np.asarray([0.5, 0.5]), "init_params": "random", "random_state": 0}


def mixed(kind, x, use, new=None):
    """A mixture that starts from the same means in every namespace."""
    xp = x.__array_namespace__()
    start = {k: xp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in START.items()}
    eye = {"full": np.stack([np.eye(3)] * 2), "tied": np.eye(3), "diag": np.ones((2, 3)), "spherical": np.ones(2)}[kind]
    model = mixture.GaussianMixture(
        2, covariance_type=kind, precisions_init=xp.asarray(eye), max_iter=3, tol=0.0, **start
    )
    return use(model.fit(x)) if new is None else use(model.fit(x), new)


for kind in ("full", "tied", "diag", "spherical"):
    add(
        f"mixture.GaussianMixture:{kind}",
        SHIFTED,
        do=lambda x, kind=kind: mixed(kind, x, lambda m: (m.means_, m.covariances_, m.weights_)),
    )
add(
    "mixture.GaussianMixture:score_samples",
    SHIFTED,
    NEW,
    wrt=(0, 1),
    do=lambda x, new: mixed("full", x, lambda m, y: m.score_samples(y), new),
)
add(
    "mixture.GaussianMixture:predict_proba",
    SHIFTED,
    NEW,
    wrt=(0, 1),
    do=lambda x, new: mixed("diag", x, lambda m, y: m.predict_proba(y), new),
)
fitted(
    "kernel_approximation.Nystroem",
    kernel_approximation.Nystroem(n_components=4, random_state=0),
    lambda m, new: m.transform(new),
    X,
    wrt=(0, 1),
)
fitted(
    "kernel_approximation.RBFSampler",
    kernel_approximation.RBFSampler(n_components=4, random_state=0),
    lambda m, new: m.transform(new),
    X,
    wrt=1,
)
for model in (
    covariance.EmpiricalCovariance(),
    covariance.LedoitWolf(),
    covariance.OAS(),
    covariance.MinCovDet(random_state=0),
):
    fitted(f"covariance.{type(model).__name__}", model, lambda m: m.covariance_, X)
add("covariance.empirical_covariance", X)
add("covariance.ledoit_wolf", X)

# -- pairwise
for name in (
    *("cosine_similarity", "cosine_distances", "euclidean_distances", "linear_kernel", "polynomial_kernel"),
    *("rbf_kernel", "sigmoid_kernel", "laplacian_kernel", "manhattan_distances"),
):
    add(f"metrics.pairwise.{name}", X, NEW, wrt=(0, 1))
add("metrics.pairwise.euclidean_distances:squared", X, NEW, squared=True, wrt=(0, 1))
add("metrics.pairwise.euclidean_distances:of one array", X, zero_safe=True)
add("metrics.pairwise.chi2_kernel", POSITIVE, np.abs(NEW), wrt=(0, 1))
add("metrics.pairwise.additive_chi2_kernel", POSITIVE, np.abs(NEW), wrt=(0, 1))
add("metrics.pairwise.haversine_distances", X[:, :2], NEW[:, :2], wrt=(0, 1))
add("metrics.pairwise.nan_euclidean_distances", X, NEW, wrt=(0, 1))
for name in ("euclidean", "cosine", "manhattan"):
    add(f"metrics.pairwise.paired_{name}_distances", X[:5], NEW, wrt=(0, 1))
for metric in ("euclidean", "cosine", "manhattan", "sqeuclidean"):
    add(f"metrics.pairwise_distances:{metric}", X, NEW, metric=metric, wrt=(0, 1))
for metric in ("rbf", "linear", "poly"):
    add(f"metrics.pairwise.pairwise_kernels:{metric}", X, NEW, metric=metric, wrt=(0, 1))
add("metrics.pairwise_distances_argmin_min", X, NEW, do=lambda x, y: metrics.pairwise_distances_argmin_min(x, y)[1])

# -- metrics
RAW = {"multioutput": "raw_values"}
for name in (
    *("mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "mean_absolute_percentage_error"),
    *("r2_score", "explained_variance_score", "median_absolute_error", "d2_absolute_error_score"),
):
    add(f"metrics.{name}:raw values", TARGETS, TARGETS * 0.7 + 0.2 * normal(12, 2, seed=8), wrt=(0, 1), **RAW)
    add(f"metrics.{name}", TARGET, TARGET * 0.7 + SCORES, wrt=(0, 1))
add("metrics.mean_squared_log_error", POSITIVE, POSITIVE + SCORES[:, None], wrt=(0, 1), **RAW)
add("metrics.root_mean_squared_log_error", POSITIVE, POSITIVE + SCORES[:, None], wrt=(0, 1), **RAW)
add("metrics.mean_pinball_loss", TARGETS, TARGETS * 0.7, wrt=(0, 1), **RAW)
add("metrics.max_error", TARGET, TARGET * 0.7 + SCORES, wrt=(0, 1))
for name in ("mean_poisson_deviance", "mean_gamma_deviance", "d2_tweedie_score"):
    add(f"metrics.{name}", POSITIVE[:, 0], POSITIVE[:, 1], wrt=(0, 1))
add("metrics.log_loss", LABELS, SCORES, wrt=1)
add("metrics.brier_score_loss", LABELS, SCORES, wrt=1)
add("metrics.hinge_loss", LABELS, SCORES, wrt=1)
add("metrics.d2_log_loss_score", LABELS, SCORES, wrt=1)
add("metrics.roc_auc_score", LABELS, SCORES, wrt=1)
add("metrics.average_precision_score", LABELS, SCORES, wrt=1)
add("metrics.silhouette_score", X, LABELS)
add("metrics.calinski_harabasz_score", X, LABELS)
add("metrics.davies_bouldin_score", X, LABELS)
add("metrics.auc", np.arange(12.0), SCORES, wrt=1)

# -- tools


def projection(x):
    """Onto the range that was found, whose basis is no function of it."""
    basis = extmath.randomized_range_finder(x, size=2, n_iter=2, random_state=0)
    return basis @ basis.T


add("utils.extmath.softmax", X)
add("utils.extmath.row_norms", X)
add("utils.extmath.row_norms:squared", X, squared=True)
add("utils.extmath.squared_norm", X)
add("utils.extmath.safe_sparse_dot", X, NEW.T, wrt=(0, 1))
add("utils.extmath.fast_logdet", X[:3] @ X[:3].T)
add("utils.extmath.randomized_svd", X, do=lambda x: extmath.randomized_svd(x, 2, random_state=0)[1])
add(
    "utils.extmath.randomized_range_finder",
    X,
    do=projection,
)
add("utils.extmath.cartesian", X[:, 0], do=lambda x: extmath.cartesian((x, x)))
add("utils.extmath.weighted_mode", X[0], WEIGHTS[:3])
add("utils.extmath.density", X)
add("utils.extmath.stable_cumsum", TARGET)
add("utils.check_array", X, do=lambda x: sklearn.utils.check_array(x))
add("utils.resample", X, do=lambda x: sklearn.utils.resample(x, random_state=0))
add("utils.shuffle", X, do=lambda x: sklearn.utils.shuffle(x, random_state=0))
add("model_selection.train_test_split", X, do=lambda x: model_selection.train_test_split(x, random_state=0))
add(
    "model_selection.cross_val_predict",
    X,
    TARGET,
    wrt=(0, 1),
    do=lambda x, y: model_selection.cross_val_predict(SVD, x, y, cv=3),
)
add(
    "model_selection.cross_val_score",
    X,
    TARGET,
    wrt=(0, 1),
    do=lambda x, y: model_selection.cross_val_score(SVD, x, y, cv=3),
)
fitted(
    "feature_selection.VarianceThreshold",
    feature_selection.VarianceThreshold(),
    lambda m, new: m.transform(new),
    X,
    wrt=1,
)
fitted("feature_selection.SelectKBest", feature_selection.SelectKBest(k=2), lambda m: m.scores_, SHIFTED, LABELS)
fitted("isotonic.IsotonicRegression", isotonic.IsotonicRegression(), lambda m: m.predict(TARGET), TARGET, SCORES, wrt=1)
fitted(
    "calibration.CalibratedClassifierCV",
    calibration.CalibratedClassifierCV(LDA, method="temperature", cv=2, ensemble=False),
    lambda m, new: m.predict_proba(new),
    SHIFTED,
    LABELS,
)
fitted("cluster.KMeans", clusters.KMeans(2, random_state=0), lambda m: m.cluster_centers_, SHIFTED)

# -- pipelines
fitted(
    "pipeline.make_pipeline",
    pipeline.make_pipeline(preprocessing.MinMaxScaler(), decomposition.PCA(2), SVD),
    lambda m, new: m.predict(new),
    X,
    TARGET,
    wrt=(0, 1, 2),
)
fitted(
    "pipeline.make_pipeline:StandardScaler",
    pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(2), SVD),
    lambda m, new: m.predict(new),
    X,
    TARGET,
    wrt=(0, 1, 2),
    zero_safe=True,
)
fitted(
    "pipeline.make_pipeline:PolynomialFeatures",
    pipeline.make_pipeline(preprocessing.PolynomialFeatures(2, include_bias=False), SVD),
    lambda m: m[-1].coef_,
    X,
    TARGET,
    wrt=(0, 1),
)
fitted(
    "pipeline.make_pipeline:constant column",
    pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), SVD),
    lambda m: m[-1].coef_,
    X,
    TARGET,
)
fitted(
    "pipeline.make_union",
    pipeline.make_union(preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler()),
    lambda m, new: m.transform(new),
    X,
    wrt=(0, 1),
)
