"""A few functions of each client on tensors over other libraries than NumPy."""

import pytest
from clients.check import check
from clients.tables import CASES

from agnograd import plugins

BACKENDS = [name for name in ("strict", "dask") if not plugins.manager.unavailable(name)]
NAMES = {
    "SciPy": (
        *("stats.skew", "stats.zscore", "stats.directional_stats", "stats.trim_mean", "stats.gmean:weights"),
        *("signal.hilbert", "signal.fftconvolve:same", "signal.freqz", "signal.resample", "integrate.trapezoid:points"),
        *("spatial.transform.Rotation.apply", "fft.fft", "fft.dct", "optimize.rosen_der", "special.logsumexp:axis"),
    ),
    "scikit-learn": (
        *("preprocessing.MinMaxScaler", "metrics.pairwise.rbf_kernel", "metrics.mean_squared_error:raw values"),
        *("linear_model.RidgeCV", "utils.extmath.softmax"),
    ),
    "array-api-extra": ("cov", "kron", "pad", "sinc", "create_diagonal", "at:set", "nan_to_num"),
    "einops": ("rearrange", "reduce:mean", "einsum"),
    "opt_einsum": ("contract:ij,jk,kl->il",),
    "autoray": ("do:tensordot",),
}
CHOSEN = [case for case in CASES if case.name in NAMES.get(case.client, ())]


def test_all_that_is_chosen_is_there():
    assert len(CHOSEN) == sum(map(len, NAMES.values()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: f"{case.client}-{case.name}")
def test_other_backends(case, backend):
    assert check(case, backend)
