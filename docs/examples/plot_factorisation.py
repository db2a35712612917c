"""
Factors of a matrix that need not fit into memory
=================================================

A table of four million entries in chunks is approximated by a product of two thin matrices. dask holds the table and
goes through it chunk by chunk; the factors are small. Value and gradient of the loss are computed in one pass over
the data.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import agnograd as ag
from agnograd import plugins

ROWS, COLUMNS, RANK = 8_000, 500, 5

# %%
# The table: what is random in it comes chunk by chunk, and is never there as a whole.

rng = da.random.default_rng(0)
left = rng.normal(size=(ROWS, RANK), chunks=(2_000, RANK))
right = np.random.default_rng(1).normal(size=(RANK, COLUMNS))
table = left @ right + 0.5 * rng.normal(size=(ROWS, COLUMNS), chunks=(2_000, COLUMNS))
table

# %%
# The best factor for the rows, given one for the columns, is a linear fit. What is left is a function of a small
# matrix, and the gradient is with respect to that. Nothing is computed yet.


def loss(columns, table):
    rows = table @ columns.T @ ag.linalg.inv(columns @ columns.T)
    return ag.mean((table - rows @ columns) ** 2)


start = np.random.default_rng(2).normal(size=(RANK, COLUMNS))
value, gradient = ag.value_and_grad(loss)(start, table)
gradient

# %%
# L-BFGS asks for value and gradient together, which are one pass over the table each time.

course = []


def both(flat):
    value, gradient = ag.compute(*ag.value_and_grad(loss)(flat.reshape(RANK, COLUMNS), table))
    course.append(float(value))
    return float(value), np.asarray(gradient).ravel()


found = minimize(both, np.linalg.qr(start.T)[0].T.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 25})
factor = np.linalg.qr(found.x.reshape(RANK, COLUMNS).T)[0].T
print(f"mean square: {course[0]:.3f} at first, {course[-1]:.4f} at last; the noise has {0.5**2:.2f}")

# %%
# A part of the table, on each library of this machine: the same loss, and how far is its gradient from NumPy's?

small, gradients = table[:2_000].compute(), {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = [ag.asarray(ag.to_backend(x, name)) for x in (start, small)]
        value, gradient = ag.compute(*ag.value_and_grad(loss)(*arrays))
        gradients[name] = np.asarray(ag.to_backend(gradient, "numpy"))
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

fig, (first, second) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
first.plot(course, "o-", label="loss")
first.axhline(0.25 * (1 - RANK / COLUMNS), color="0.5", linestyle="--", label="noise")
first.set(xlabel="pass over the data", ylabel="mean square", yscale="log")
first.legend()
angles = np.arccos(np.clip(np.linalg.svd(np.linalg.qr(right.T)[0].T @ factor.T)[1], -1, 1))
second.bar(range(1, RANK + 1), np.degrees(angles))
second.set(xlabel="direction", ylabel="angle to the true factor, degrees")
plt.show()
