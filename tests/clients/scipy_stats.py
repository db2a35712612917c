"""scipy.stats on tensors."""

from __future__ import annotations

import numpy as np
import scipy
from clients.case import Table, normal, uniform
from scipy import stats

scipy_stats = Table("SciPy", scipy)
add = scipy_stats

X = normal(3, 8)
Y = normal(3, 8, seed=1) + 0.5 * X
Z = normal(3, 8, seed=2) * 1.5
LONG = normal(3, 24)
POSITIVE = uniform(3, 8, low=0.5, high=3.0)
OTHER = uniform(3, 8, low=0.7, high=2.5, seed=1)
SHARES = POSITIVE / np.sum(POSITIVE, axis=0)
EXPECTED = np.full((3, 8), 1 / 3)
ANGLES = uniform(3, 8, low=0.2, high=1.4)
P_VALUES = uniform(6, low=0.02, high=0.8)
ROW = normal(12)
COLUMN = normal(12, seed=1) + 0.4 * ROW


def directional(x):
    """Direction and length of a mean of directions."""
    result = stats.directional_stats(x)
    return result.mean_direction, result.mean_resultant_length


def interval(test):
    """The confidence interval of a test in place of its result."""

    def call(*args, **options):
        result = test(*args, **options).confidence_interval()
        return result.low, result.high

    return call


# -- moments and averages
for name in ("gmean", "hmean"):
    add(f"stats.{name}", POSITIVE)
    add(f"stats.{name}:weights", POSITIVE, weights=OTHER)
add("stats.pmean", POSITIVE, 3)
add("stats.pmean:weights", POSITIVE, 1.7, weights=OTHER)
add("stats.sem", X)
add("stats.kurtosis", X)
add("stats.kurtosis:unbiased", X, axis=1, bias=False)
add("stats.skew", X)
add("stats.skew:unbiased", X, axis=1, bias=False)
add("stats.moment", X, 3, axis=1)
add("stats.moment:several", X, [1, 2, 3, 4], axis=1)
add("stats.moment:about a center", X, 3, center=0.3)
add("stats.describe", X, axis=1)
add("stats.kstat", ROW, 4)
add("stats.kstat:rows", X, 3, axis=1)
add("stats.kstatvar", ROW, 2)
add("stats.lmoment", X, axis=1)
add("stats.lmoment:second", X, order=2, axis=1)
add("stats.expectile", ROW, 0.3)
add("stats.trim_mean", X, 0.2, axis=1)
add("stats.tmean", X, (-1.0, 1.0))
add("stats.tvar", X, (-1.0, 1.0), zero_safe=True)
add("stats.tstd", X, (-1.0, 1.0), axis=1, zero_safe=True)
add("stats.tsem", X, (-1.5, 1.5), axis=1, zero_safe=True)
add("stats.tmin", X, -0.5)
add("stats.tmax", X, 0.5)
add("stats.sigmaclip", ROW, 1.5, 1.5)
add("stats.variation", POSITIVE)
add("stats.variation:ddof", POSITIVE, axis=1, ddof=1)
add("stats.iqr", X, axis=1)
add("stats.iqr:range", X, axis=1, rng=(10, 80))
add("stats.median_abs_deviation", X, axis=1)
add("stats.median_abs_deviation:scale", X, axis=1, scale="normal")
add(
    "stats.quantile",
    X,
    0.3,
    axis=1,
    do=lambda x, p, axis: stats.quantile(x, x.__array_namespace__().asarray(p), axis=axis),
)
add(
    "stats.quantile:method",
    X,
    0.3,
    do=lambda x, p: stats.quantile(x, x.__array_namespace__().asarray(p), method="hazen"),
)
add("stats.gstd", POSITIVE, axis=1)
add("stats.zscore", X)
add("stats.zscore:ddof", X, axis=1, ddof=1)
add("stats.gzscore", POSITIVE, axis=1)
add("stats.zmap", X, Y, wrt=(0, 1))
add("stats.entropy", SHARES, special=True)
add("stats.entropy:relative", SHARES, OTHER, wrt=(0, 1))
add("stats.differential_entropy", X, axis=1)
add("stats.differential_entropy:van es", X, axis=1, method="van es")
add("stats.differential_entropy:ebrahimi", X, axis=1, method="ebrahimi")
add("stats.circmean", ANGLES)
add("stats.circvar", ANGLES, axis=1)
add("stats.circstd", ANGLES, axis=1)
add("stats.circstd:normalize", ANGLES, axis=1, normalize=True)
add(
    "stats.directional_stats",
    X,
    do=directional,
)
add("stats.boxcox_llf", 0.7, POSITIVE, wrt=1, axis=1)
add("stats.yeojohnson_llf", 0.7, X, wrt=1, axis=1)
add("stats.boxcox", POSITIVE[0], 0.7)
add("stats.yeojohnson", X[0], 0.7)
add("stats.winsorize", X[0], do=lambda x: stats.mstats.winsorize(x, (0.1, 0.1)))
add("stats.trimboth", ROW, 0.1)
add("stats.trim1", ROW, 0.1)
add("stats.rankdata", X, axis=1)
add("stats.percentileofscore", ROW, 0.2)
add("stats.scoreatpercentile", ROW, 30)
add("stats.cumfreq", ROW)
add("stats.relfreq", ROW)
add("stats.binned_statistic", ROW, COLUMN, bins=3, wrt=1)
add("stats.energy_distance", ROW, COLUMN)
add("stats.wasserstein_distance", ROW, COLUMN)
add("stats.bws_test", ROW, COLUMN, do=lambda x, y: stats.bws_test(x, y).statistic)
add("stats.median_test", ROW, COLUMN)
add("stats.mode", ROW)

# -- tests
add("stats.ttest_1samp", X, 0.2, axis=1, special=True)
add("stats.ttest_1samp:one-sided", X, 0.2, alternative="less", special=True)
add("stats.ttest_1samp:interval", X, 0.2, axis=1, do=interval(stats.ttest_1samp), special=True)
add("stats.ttest_ind", X, Y, axis=1, wrt=(0, 1), special=True)
add("stats.ttest_ind:Welch", X, Z, axis=1, equal_var=False, wrt=(0, 1), special=True)
add("stats.ttest_ind:interval", X, Y, axis=1, do=interval(stats.ttest_ind), wrt=(0, 1), special=True)
add("stats.ttest_ind:trimmed", X, Y, axis=1, trim=0.1, wrt=(0, 1), special=True)
add("stats.ttest_ind_from_stats", POSITIVE, OTHER, 5, OTHER, POSITIVE, 7, wrt=(0, 1, 3, 4), special=True)
add("stats.ttest_rel", X, Y, axis=1, wrt=(0, 1), special=True)
add("stats.ttest_rel:interval", X, Y, axis=1, do=interval(stats.ttest_rel), wrt=(0, 1), special=True)
add("stats.pearsonr", X, Y, axis=1, wrt=(0, 1), special=True)
add("stats.pearsonr:one-sided", X, Y, axis=1, alternative="greater", wrt=(0, 1), special=True)
add("stats.pearsonr:interval", X, Y, axis=1, do=interval(stats.pearsonr), wrt=(0, 1), special=True)
add("stats.f_oneway", X, Y, Z, axis=1, wrt=(0, 1, 2), special=True)
add("stats.f_oneway:Welch", X, Y, Z, axis=1, equal_var=False, wrt=(0, 1, 2), special=True)
add("stats.alexandergovern", X, Y, Z, axis=1, wrt=(0, 1, 2), special=True)
add("stats.bartlett", X, Y, Z, axis=1, wrt=(0, 1, 2), special=True)
add("stats.levene", X, Y, Z, axis=1, wrt=(0, 1, 2), special=True)
add("stats.levene:mean", X, Y, Z, axis=1, center="mean", wrt=(0, 1, 2), special=True)
add("stats.levene:trimmed", X, Y, Z, axis=1, center="trimmed", proportiontocut=0.1, wrt=(0, 1, 2), special=True)
add("stats.fligner", X[:, :7], Y[:, :7], Z[:, :7], axis=1, wrt=(0, 1, 2))
add("stats.skewtest", LONG, axis=1, special=True)
add("stats.kurtosistest", LONG, axis=1, special=True)
add("stats.normaltest", LONG, axis=1, special=True)
add("stats.jarque_bera", LONG, axis=1, special=True)
add("stats.chisquare", POSITIVE, special=True)
add("stats.chisquare:expected", SHARES, EXPECTED, sum_check=False, special=True)
for kind in ("pearson", "log-likelihood", "freeman-tukey", "mod-log-likelihood", "neyman", "cressie-read"):
    add(f"stats.power_divergence:{kind}", POSITIVE, lambda_=kind, special=True)
add("stats.epps_singleton_2samp", X, Y, axis=1, wrt=(0, 1), special=True)
for kind in ("fisher", "pearson", "tippett", "stouffer", "mudholkar_george"):
    add(f"stats.combine_pvalues:{kind}", P_VALUES, method=kind, special=True)
add("stats.combine_pvalues:weights", P_VALUES, method="stouffer", weights=OTHER[0, :6], special=True)
add("stats.false_discovery_control", P_VALUES)
add("stats.false_discovery_control:by", P_VALUES, method="by")
add("stats.kruskal", X, Y, Z, axis=1, wrt=(0, 1, 2))
add("stats.wilcoxon", ROW, COLUMN, wrt=(0, 1))
add("stats.mannwhitneyu", ROW, COLUMN, wrt=(0, 1))
add("stats.mood", X, Y, axis=1, wrt=(0, 1))
add("stats.ansari", ROW, COLUMN, wrt=(0, 1))
add("stats.brunnermunzel", ROW, COLUMN, wrt=(0, 1))
add("stats.friedmanchisquare", ROW, COLUMN, ROW * COLUMN, wrt=(0, 1, 2))
add("stats.spearmanrho", ROW, COLUMN, wrt=(0, 1))
add("stats.spearmanr", ROW, COLUMN, wrt=(0, 1))
add("stats.kendalltau", ROW, COLUMN, wrt=(0, 1))
add("stats.weightedtau", ROW, COLUMN, wrt=(0, 1))
add("stats.chatterjeexi", ROW, COLUMN, wrt=(0, 1))
add("stats.pointbiserialr", ROW > 0, COLUMN, wrt=1, special=True)
add("stats.linregress", ROW, COLUMN, wrt=(0, 1), special=True)
add("stats.siegelslopes", ROW, COLUMN, wrt=(0, 1), zero_safe=True)
add("stats.theilslopes", ROW, COLUMN, wrt=(0, 1))
add("stats.ks_1samp", ROW, stats.norm.cdf)
add("stats.ks_2samp", ROW, COLUMN, wrt=(0, 1))
add("stats.cramervonmises", ROW, stats.norm.cdf)
add("stats.cramervonmises_2samp", ROW, COLUMN, wrt=(0, 1))
add("stats.shapiro", ROW)
add("stats.tukey_hsd", ROW, COLUMN, wrt=(0, 1))
add("stats.dunnett", ROW, COLUMN, do=lambda x, y: stats.dunnett(x, control=y), wrt=(0, 1))
add("stats.quantile_test", ROW)
add("stats.poisson_means_test", 5, 20.0, 3, np.asarray(15.0), wrt=3)

# -- resampling


def mean(x, axis):
    """The statistic that is resampled."""
    return x.__array_namespace__().mean(x, axis=axis)


def difference(x, y, axis):
    """The statistic whose null distribution is sampled."""
    return mean(x, axis) - mean(y, axis)


def bootstrap(x, method):
    """Standard error, interval and distribution of a mean."""
    result = stats.bootstrap((x,), mean, n_resamples=20, method=method, rng=np.random.default_rng(0))
    return result.standard_error, result.confidence_interval, result.bootstrap_distribution


def permuted(x, y):
    """A difference of means, and those of permutations."""
    result = stats.permutation_test((x, y), difference, n_resamples=20, rng=np.random.default_rng(0))
    return result.statistic, result.null_distribution


def draw(size):
    """The sample of a null hypothesis."""
    return np.random.default_rng(0).normal(size=size)


add("stats.bootstrap:percentile", ROW, "percentile", do=bootstrap)
add("stats.bootstrap:basic", ROW, "basic", do=bootstrap)
add("stats.bootstrap:BCa", ROW, "BCa", do=bootstrap, special=True)
add(
    "stats.permutation_test",
    ROW,
    COLUMN,
    wrt=(0, 1),
    do=permuted,
)
add(
    "stats.monte_carlo_test",
    ROW,
    do=lambda x: (
        stats.monte_carlo_test(
            x, lambda size: x.__array_namespace__().asarray(draw(size)), mean, n_resamples=20
        ).statistic
    ),
)

# -- distributions
add("stats.norm.logpdf", ROW)
add("stats.norm.pdf", ROW, 0.2, 1.5)
add("stats.norm.cdf", ROW)
add("stats.gamma.logpdf", POSITIVE[0], 2.0)
add("stats.t.logpdf", ROW, 4.0)
add("stats.Normal", ROW, do=lambda x: stats.Normal(mu=0.2, sigma=1.5).logpdf(x))
add("stats.Normal:mean", np.asarray(0.3), do=lambda mu: stats.Normal(mu=mu, sigma=1.5).logpdf(0.4))
add("stats.multivariate_normal.logpdf", normal(4, 2), np.zeros(2))
add("stats.gaussian_kde", ROW, do=lambda x: stats.gaussian_kde(x)(0.3))
add("stats.gaussian_kde:points", ROW, do=lambda x: stats.gaussian_kde(COLUMN)(x))
add("stats.ecdf", ROW, do=lambda x: stats.ecdf(x).cdf.quantiles)
add("stats.logrank", POSITIVE[0], OTHER[0], wrt=(0, 1))
