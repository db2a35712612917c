"""Derivatives of what a solver finds, by the implicit function theorem and not through its steps.

Where ``f(x, p) = 0`` and the derivative of `f` in `x` is invertible, the root is a function of `p` with

    dx = -(df/dx)^-1 (df/dp) dp

(Krantz and Parks, The Implicit Function Theorem, 2002; Blondel et al., Efficient and Modular Implicit Differentiation,
2022; for fixed points Christianson, Reverse accumulation and attractive fixed points, 1994). So the solver may be
anything, SciPy's or a loop with branches: it sees constants, nothing of it is kept, and its cost does not enter that of
a derivative, which is one linear system. The rules are operations again, and the linear system one more root, so that
derivatives of any order are exact in both modes, whatever solves the systems.

`custom_root` and `fixed_point` are the two functions; `newton` is a solver for the first, and `dense`, `cg` and
`gmres` solve linear systems.

Which parameters get derivatives
    Those in `params`, trees of arrays, always. And those that the function itself holds: variables of the enclosing
    functions, default values, arguments bound by `functools.partial`. What it reaches in another way (a global
    variable, an attribute of an object) raises if it is differentiated: nothing is lost silently.
Which derivatives there are none of
    With respect to the initial guess they are zero.
How exact they are
    They are the derivatives at the point that the solver returned, so as exact as that.

Authors of solvers take what a function holds out of it with `opened`, and see with `check_followed` that this was all.
"""

from agnograd.implicit.closures import opened
from agnograd.implicit.fixed_points import fixed_point
from agnograd.implicit.linear import cg, dense, gmres
from agnograd.implicit.newton import newton
from agnograd.implicit.roots import check_followed, custom_root

__all__ = ["cg", "check_followed", "custom_root", "dense", "fixed_point", "gmres", "newton", "opened"]
