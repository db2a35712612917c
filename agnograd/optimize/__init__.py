"""SciPy's solvers on trees of parameters of any backend, with exact derivatives.

SciPy does the work, on vectors of double precision in the memory of the host. What agnograd adds is the way between
those and trees, gradients, Jacobians and products with Hessians. Complex parameters count as pairs of real ones.
SciPy is needed: ``pip install 'agnograd[optimize]'``.

What SciPy finds is constant: for derivatives of a solution with respect to something that the function depends on, see
`agnograd.implicit`, to which these functions are solvers like any other.
"""

from agnograd.optimize.minimisation import minimize
from agnograd.optimize.operators import hessian_operator, jacobian_operator
from agnograd.optimize.residuals import least_squares, root

__all__ = ["hessian_operator", "jacobian_operator", "least_squares", "minimize", "root"]
