"""All cases."""

from clients.extra_cases import extra_cases
from clients.other_cases import other_cases
from clients.scipy_other import scipy_other
from clients.scipy_signal import scipy_signal
from clients.scipy_special import scipy_special
from clients.scipy_stats import scipy_stats
from clients.sklearn_cases import sklearn_cases

CASES = [*scipy_special, *scipy_stats, *scipy_signal, *scipy_other, *sklearn_cases, *extra_cases, *other_cases]
