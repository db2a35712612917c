"""scipy.special: all functions that SciPy dispatches to ``xp.special``, and those that it writes in the standard."""

from __future__ import annotations

import scipy
from clients.case import Table, normal, uniform

scipy_special = Table("SciPy", scipy)


def special(name, *args, **options):
    """Add a function that needs the plugin; the floating-point arguments are differentiated, unless said otherwise."""
    options.setdefault("wrt", tuple(i for i, x in enumerate(args) if hasattr(x, "dtype") and x.dtype.kind == "f"))
    scipy_special(f"special.{name}", *args, special=True, **options)


ANY = normal(2, 3)
POSITIVE = uniform(2, 3, low=0.5, high=3.0)
OTHER = uniform(2, 3, low=0.7, high=2.5, seed=1)
THIRD = uniform(2, 3, low=0.6, high=1.9, seed=2)
UNIT = uniform(2, 3)
DEGREES = uniform(2, 3, low=10, high=80)
COMPLEX = normal(3, dtype=complex)

scipy_special("special.xlogy", ANY, POSITIVE, wrt=(0, 1))
scipy_special("special.rel_entr", POSITIVE, OTHER, wrt=(0, 1))
scipy_special("special.logsumexp", ANY)
scipy_special("special.logsumexp:axis", ANY, axis=1, keepdims=True)
scipy_special("special.logsumexp:weights", ANY, axis=0, b=ANY, return_sign=True)
scipy_special(
    "special.logsumexp:of weights", ANY, POSITIVE, wrt=(0, 1), do=lambda x, b: scipy.special.logsumexp(x, b=b)
)
scipy_special("special.logsumexp:complex", COMPLEX)
scipy_special("special.softmax", ANY, axis=1)
scipy_special("special.log_softmax", ANY, axis=1)

for name in (
    *("cosm1", "erf", "erfc", "erfcx", "exp10", "exp2", "expit", "exprel", "gamma", "huber", "i0", "i0e", "i1", "i1e"),
    *("log_ndtr", "ndtr", "rgamma", "sinc"),
):
    special(name, *((OTHER, ANY) if name == "huber" else (ANY,)))
for name in (
    *("cbrt", "entr", "exp1", "expi", "gammaln", "j0", "j1", "k0", "k0e", "k1", "k1e", "loggamma", "psi", "spence"),
    *("y0", "y1"),
):
    special(name, POSITIVE)
for name in ("ellipk", "ellipkm1", "erfinv", "logit", "ndtri"):
    special(name, UNIT)
for name in ("cosdg", "cotdg", "sindg", "tandg"):
    special(name, DEGREES)
special("zetac", POSITIVE + 1)
special("zeta", POSITIVE + 1, OTHER, wrt=1)
special("zeta:parameters", POSITIVE + 1, OTHER, wrt=0)
special("expn", 2, POSITIVE)
special("polygamma", 2, POSITIVE)
special("multigammaln", POSITIVE + 2, 3)
special("pseudo_huber", OTHER, ANY)
special("xlog1py", ANY, POSITIVE)
special("kl_div", POSITIVE, OTHER)
special("betaln", POSITIVE, OTHER)
special("binom", POSITIVE + 3, OTHER)
special("boxcox", POSITIVE, ANY)
special("boxcox1p", POSITIVE, ANY)
special("inv_boxcox", UNIT, POSITIVE)
special("inv_boxcox1p", UNIT, POSITIVE)
special("poch", POSITIVE, OTHER)
special("gammainc", POSITIVE, OTHER, wrt=1)
special("gammainc:parameters", POSITIVE, OTHER, wrt=0)
special("gammaincc", POSITIVE, OTHER, wrt=1)
special("gammaincc:parameters", POSITIVE, OTHER, wrt=0)
special("gammaincinv", POSITIVE, UNIT, wrt=1)
special("gammaincinv:parameters", POSITIVE, UNIT, wrt=0)
special("gammainccinv", POSITIVE, UNIT, wrt=1)
special("gammainccinv:parameters", POSITIVE, UNIT, wrt=0)
special("betainc", POSITIVE, OTHER, UNIT, wrt=2)
special("betainc:parameters", POSITIVE, OTHER, UNIT, wrt=(0, 1))
special("betaincc", POSITIVE, OTHER, UNIT, wrt=2)
special("betaincc:parameters", POSITIVE, OTHER, UNIT, wrt=(0, 1))
special("betaincinv", POSITIVE, OTHER, UNIT, wrt=2)
special("betaincinv:parameters", POSITIVE, OTHER, UNIT, wrt=(0, 1))
special("chdtr", POSITIVE, OTHER, wrt=1)
special("chdtr:parameters", POSITIVE, OTHER, wrt=0)
special("chdtrc", POSITIVE, OTHER, wrt=1)
special("chdtrc:parameters", POSITIVE, OTHER, wrt=0)
special("chdtri", POSITIVE, UNIT, wrt=1)
special("chdtri:parameters", POSITIVE, UNIT, wrt=0)
special("stdtr", POSITIVE, ANY, wrt=1)
special("stdtr:parameters", POSITIVE, ANY, wrt=0)
special("stdtrit", POSITIVE, UNIT, wrt=1)
special("stdtrit:parameters", POSITIVE, UNIT, wrt=0)
special("hyp1f1", POSITIVE, OTHER, THIRD, wrt=2)
special("hyp1f1:parameters", POSITIVE, OTHER, THIRD, wrt=(0, 1))
special("radian", DEGREES, 7.0, 20.0)
special("gdtr", POSITIVE, OTHER, THIRD, wrt=(0, 2))
special("gdtr:parameters", POSITIVE, OTHER, THIRD, wrt=1)
special("gdtrc", POSITIVE, OTHER, THIRD, wrt=(0, 2))
special("gdtrc:parameters", POSITIVE, OTHER, THIRD, wrt=1)
special("fdtr", POSITIVE, OTHER, THIRD, wrt=2)
special("fdtr:parameters", POSITIVE, OTHER, THIRD, wrt=(0, 1))
special("fdtrc", POSITIVE, OTHER, THIRD, wrt=2)
special("fdtrc:parameters", POSITIVE, OTHER, THIRD, wrt=(0, 1))
special("fdtri", POSITIVE, OTHER, UNIT, wrt=2)
special("fdtri:parameters", POSITIVE, OTHER, UNIT, wrt=(0, 1))
special("pdtr", 2.0, POSITIVE)
special("pdtrc", 2.0, POSITIVE)
special("pdtri", 2, UNIT)
special("bdtr", 2.0, 5, UNIT)
special("bdtrc", 2.0, 5, UNIT)
special("bdtri", 2.0, 5, UNIT)
special("nbdtr", 2, 5, UNIT)
special("nbdtrc", 2, 5, UNIT)
special("nbdtri", 2, 5, UNIT)
special("lpmv", 1.0, 2.0, UNIT)
special("yn", 2, POSITIVE)
