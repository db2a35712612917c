"""Densities and distributions of `scipy.stats`, differentiable in the argument and in all parameters.

Each is written in special functions of the plugin agnograd-special, after the definition in SciPy's documentation,
whose order of arguments and conventions outside of the support they have: a density is 0 there, its logarithm minus
infinity, and the derivatives of both are 0.
"""
