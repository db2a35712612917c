"""SciPy for agnograd: linear algebra, convolution, interpolation, distributions, and what takes a function or a matrix.

Operations are found as ``agnograd.scipy.linalg.expm`` and ``xp.scipy.linalg.expm``, under SciPy's names. What is no
operation of arrays alone is imported: `agnograd_scipy.integrate` and `agnograd_scipy.sparse`.
"""

__version__ = "0.1.0"
