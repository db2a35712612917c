"""What refuses tensors that carry a gradient, and why: the capability table of third-party functions.

A row is a strict expectation: the call has to raise the error, or give the warning, that is named here. What starts to
work, what fails in another way and what loses a gradient in silence fails its test.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clients.case import Case


class Gap(NamedTuple):
    """Why a call does not work.

    Attributes
    ----------
    reason : str
        A phrase for the page of what works.
    error : str
        Name of the exception or of the warning; a pattern where there are several.
    """

    reason: str
    error: str


_COMPILED = "hands the array to compiled code"
_CONVERTED = Gap("converts its arguments to NumPy's arrays", "GradientLostError")
_MIXED = Gap("mixes NumPy's arrays with those of the argument's namespace", "TypeError")
_NUMBER = Gap("makes a Python number of an argument or of the result", "GradientLostWarning")
_NO_BUFFER = Gap(_COMPILED, "TypeError")
_NO_FLAGS = Gap(_COMPILED, "AttributeError|GradientLostError")  # which of them depends on the release
_NO_TYPE = Gap(_COMPILED, "ValueError")
_PARAMETER = Gap("agnograd-special has no derivative with respect to this argument", "MissingRuleError")
_UNDEFINED = Gap("the singular vectors of a matrix without full rank have no derivative: it is NaN", "NotFinite")
_DIFF = Gap("gives diff its order by position, which the standard does not", "TypeError")
_GRADIENT = Gap("needs gradient, which the standard does not have", "AttributeError")
_SCALAR = Gap("wants a Python number from the function", "ValueError")
_SOLVER = Gap("scikit-learn dispatches solver='svd' only", "ValueError")
_TRIM = Gap("SciPy trims NumPy's arrays only", "NotImplementedError")
_VECTOR = Gap("transposes a vector, which the standard refuses", "ValueError")
_WINDOWS = Gap("needs strides, which the standard does not have", "AttributeError")

# Ranks, counts and places: a result that no small change of the data changes.
CONSTANT = {
    ("SciPy", "ndimage.distance_transform_edt"),
    ("SciPy", "optimize.elementwise.bracket_root"),
    ("SciPy", "signal.square"),
    *(
        ("SciPy", f"stats.{name}")
        for name in (
            *("ansari", "brunnermunzel", "bws_test", "chatterjeexi", "cramervonmises_2samp", "fligner", "kruskal"),
            *("friedmanchisquare", "ks_2samp", "mannwhitneyu", "mood", "rankdata", "spearmanr", "spearmanrho"),
            "wilcoxon",
        )
    ),
    ("scikit-learn", "metrics.average_precision_score"),
    ("scikit-learn", "utils.extmath.density"),
}

# Whose second derivative is not what differences of the first are.
FIRST_ORDER = {
    ("SciPy", "optimize.elementwise.find_minimum"): "stops when the minimum is found, not its derivative",
    ("array-api-extra", "sinc:zero"): "writes 1 where x is 0, which has no second derivative",
}

# Without the plugin SciPy falls back to NumPy.
NO_SPECIAL = Gap("needs the plugin agnograd-special", "GradientLostError")

_ROWS: dict[tuple[str, Gap], str] = {
    ("SciPy", _PARAMETER): """
        special.zetac, special.zeta:parameters, special.hyp1f1:parameters,
    """,
    ("SciPy", _CONVERTED): """
        special.lpmv, stats.expectile, stats.boxcox, stats.yeojohnson, stats.winsorize, stats.trimboth,
        stats.trim1, stats.percentileofscore, stats.scoreatpercentile, stats.cumfreq, stats.relfreq,
        stats.binned_statistic, stats.energy_distance, stats.wasserstein_distance, stats.median_test,
        stats.kendalltau, stats.weightedtau, stats.linregress, stats.siegelslopes,
        stats.theilslopes, stats.ks_1samp, stats.cramervonmises, stats.tukey_hsd, stats.dunnett,
        stats.poisson_means_test, stats.norm.logpdf, stats.norm.pdf, stats.norm.cdf, stats.gamma.logpdf,
        stats.t.logpdf, stats.Normal, stats.Normal:mean, stats.multivariate_normal.logpdf, stats.gaussian_kde,
        stats.gaussian_kde:points, stats.ecdf, stats.logrank, signal.convolve:direct, signal.correlate:direct,
        signal.convolve2d, signal.correlate2d, signal.resample_poly, signal.decimate, signal.upfirdn,
        signal.detrend, signal.detrend:constant, signal.welch, signal.csd, signal.coherence, signal.periodogram,
        signal.spectrogram, signal.stft, signal.istft, signal.lombscargle, signal.czt, signal.zoom_fft,
        signal.wiener, signal.medfilt, signal.medfilt2d, signal.order_filter, signal.savgol_filter,
        signal.cspline1d, signal.qspline1d, signal.cspline2d, signal.symiirorder1, signal.sepfir2d,
        signal.find_peaks, signal.peak_widths, signal.unique_roots, signal.chirp, signal.sawtooth,
        signal.square, signal.sweep_poly, signal.lfilter, signal.lfilter_zi, signal.filtfilt, signal.sosfilt,
        signal.sosfilt_zi, signal.sosfiltfilt, signal.bilinear, signal.zpk2tf, signal.tf2sos, signal.zpk2sos,
        signal.sos2tf, signal.tf2ss, signal.residue, signal.firwin2, signal.firls, signal.remez,
        signal.place_poles, fft.dct:without a backend, ndimage.gaussian_filter, ndimage.uniform_filter,
        ndimage.convolve, ndimage.correlate, ndimage.sobel, ndimage.laplace, ndimage.median_filter,
        ndimage.maximum_filter, ndimage.shift, ndimage.zoom, ndimage.rotate, ndimage.map_coordinates,
        ndimage.affine_transform, ndimage.spline_filter, ndimage.fourier_gaussian, ndimage.center_of_mass,
        ndimage.sum_labels, integrate.simpson, integrate.solve_ivp, integrate.odeint, optimize.approx_fprime,
        optimize.newton, optimize.nnls, optimize.lsq_linear, optimize.linear_sum_assignment,
        optimize.isotonic_regression, linalg.det, linalg.inv, linalg.expm, linalg.cholesky, linalg.svdvals,
        linalg.eigvalsh, linalg.pinv, linalg.sqrtm, linalg.logm, linalg.norm, linalg.solve,
        linalg.solve_triangular, linalg.lstsq, linalg.companion, linalg.khatri_rao, spatial.distance.euclidean,
        spatial.distance.cityblock, spatial.distance.cosine, spatial.distance.correlation,
        spatial.distance.chebyshev, spatial.distance.canberra, spatial.distance.braycurtis,
        spatial.distance.minkowski, spatial.distance.cdist, spatial.distance.pdist,
        spatial.distance.mahalanobis, spatial.procrustes, spatial.geometric_slerp,
        interpolate.BarycentricInterpolator, interpolate.interp1d, interpolate.griddata, interpolate.AAA,
        cluster.vq.vq, cluster.vq.kmeans, cluster.hierarchy.linkage, cluster.hierarchy.cophenet,
        sparse.csgraph.shortest_path,
    """,
    ("SciPy", _TRIM): """
        stats.ttest_ind:trimmed,
    """,
    ("SciPy", _NO_BUFFER): """
        stats.shapiro,
    """,
    ("SciPy", _NO_TYPE): """
        signal.deconvolve,
    """,
    ("SciPy", _MIXED): """
        signal.cont2discrete, signal.lsim, signal.impulse, interpolate.CubicSpline,
        interpolate.PchipInterpolator, interpolate.Akima1DInterpolator, interpolate.make_interp_spline,
        interpolate.BSpline, interpolate.PPoly, interpolate.RegularGridInterpolator,
        interpolate.RBFInterpolator,
    """,
    ("SciPy", _NUMBER): """
        signal.iirfilter, signal.butter, signal.iirnotch, integrate.quad, optimize.brentq,
    """,
    ("SciPy", _SCALAR): """
        optimize.minimize,
    """,
    ("SciPy", _NO_FLAGS): """
        linalg.toeplitz, linalg.circulant, linalg.bandwidth, linalg.issymmetric,
    """,
    ("scikit-learn", _CONVERTED): """
        preprocessing.RobustScaler, preprocessing.scale, preprocessing.robust_scale,
        preprocessing.quantile_transform, preprocessing.power_transform, preprocessing.SplineTransformer,
        preprocessing.PowerTransformer, linear_model.LinearRegression, linear_model.LogisticRegression,
        linear_model.LogisticRegression:predictions, linear_model.PoissonRegressor, linear_model.Lasso,
        linear_model.ElasticNet, linear_model.BayesianRidge, linear_model.SGDRegressor,
        linear_model.ARDRegression, linear_model.TheilSenRegressor, kernel_ridge.KernelRidge,
        gaussian_process.GaussianProcessRegressor, decomposition.FastICA, decomposition.FactorAnalysis,
        decomposition.KernelPCA, decomposition.IncrementalPCA, decomposition.SparsePCA, decomposition.NMF,
        cluster.FeatureAgglomeration, discriminant_analysis.QuadraticDiscriminantAnalysis,
        naive_bayes.MultinomialNB, covariance.EmpiricalCovariance, covariance.LedoitWolf, covariance.OAS,
        covariance.MinCovDet, metrics.pairwise.haversine_distances, metrics.pairwise_distances:sqeuclidean,
        metrics.median_absolute_error:raw values, metrics.median_absolute_error, metrics.silhouette_score,
        utils.extmath.cartesian, utils.extmath.weighted_mode, feature_selection.SelectKBest, cluster.KMeans,
    """,
    ("scikit-learn", _SOLVER): """
        linear_model.Ridge:cholesky,
    """,
    ("scikit-learn", _MIXED): """
        linear_model.HuberRegressor, neural_network.MLPRegressor, kernel_approximation.RBFSampler,
    """,
    ("scikit-learn", _NO_FLAGS): """
        linear_model.Lars, tree.DecisionTreeRegressor, ensemble.RandomForestRegressor,
    """,
    ("scikit-learn", _NO_BUFFER): """
        svm.SVR, neighbors.KNeighborsRegressor, manifold.Isomap, isotonic.IsotonicRegression,
    """,
    ("scikit-learn", _VECTOR): """
        cross_decomposition.PLSRegression,
    """,
    ("scikit-learn", _NUMBER): """
        decomposition.PCA:score, metrics.mean_squared_error, metrics.mean_absolute_error,
        metrics.root_mean_squared_error, metrics.mean_absolute_percentage_error, metrics.r2_score,
        metrics.explained_variance_score, metrics.d2_absolute_error_score, metrics.max_error,
        metrics.mean_poisson_deviance, metrics.mean_gamma_deviance, metrics.d2_tweedie_score, metrics.log_loss,
        metrics.brier_score_loss, metrics.hinge_loss, metrics.d2_log_loss_score,
        metrics.calinski_harabasz_score, metrics.davies_bouldin_score, metrics.auc,
        model_selection.cross_val_score, calibration.CalibratedClassifierCV,
    """,
    ("scikit-learn", _DIFF): """
        metrics.roc_auc_score,
    """,
    ("scikit-learn", _UNDEFINED): """
        pipeline.make_pipeline:constant column,
    """,
    ("array-api-extra", _CONVERTED): """
        lazy_apply:as_numpy,
    """,
    ("einops", _CONVERTED): """
        asnumpy,
    """,
    ("xarray", _GRADIENT): """
        DataArray.differentiate,
    """,
    ("xarray", _CONVERTED): """
        DataArray.interp, DataArray.quantile,
    """,
    ("xarray", _WINDOWS): """
        DataArray.rolling,
    """,
}

GAPS: dict[tuple[str, str], Gap] = {
    (client, name.strip()): gap for (client, gap), names in _ROWS.items() for name in names.split(",") if name.strip()
}

# Gaps that a later release of the library has closed.
CLOSED: dict[tuple[str, str], tuple[int, int]] = {
    ("SciPy", name): (1, 18)
    for name in (
        *("integrate.simpson", "signal.lfilter_zi", "signal.sawtooth", "signal.sosfilt_zi", "signal.square"),
        *("stats.cumfreq", "stats.expectile", "stats.linregress", "stats.relfreq", "stats.shapiro"),
        *("stats.siegelslopes", "stats.theilslopes", "stats.ttest_ind:trimmed"),
    )
}


def gap_of(case: Case, special: bool = True) -> Gap | None:
    """Why a case does not work here; None if it does.

    Parameters
    ----------
    special : bool
        Whether agnograd-special is installed.
    """
    key = case.client, case.name
    gap = GAPS.get(key)
    if key in CLOSED and _installed(case.client) >= CLOSED[key]:
        gap = None
    return NO_SPECIAL if case.special and not special and gap in (None, _PARAMETER) else gap


@cache
def _installed(client: str) -> tuple[int, int]:
    major, minor, *_ = version(client).split(".")
    return int(major), int(minor)
