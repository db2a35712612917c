"""Special functions for agnograd, differentiable on every backend: ``agnograd.special`` and ``xp.special``.

Values are those of the backend's own library (SciPy, ``cupyx.scipy.special``); derivatives are written once, in the
modules of this package, in names of the array API standard and in one another.

Formulas are those of the NIST *Digital Library of Mathematical Functions*, https://dlmf.nist.gov, whose equations are
named as "DLMF 7.2.1".
"""

__version__ = "0.1.0"
