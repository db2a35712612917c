"""
A Gaussian process that finds its own length scale
==================================================

A Gaussian process says how sure it is. Its length scale, amplitude and noise are found where the data are most
probable: the gradient of the logarithm of the marginal likelihood goes through a Cholesky factorisation and a
triangular solve.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU. PyTorch's and JAX's arrays, by plugins,
give the same.
"""

import matplotlib.pyplot as plt
import numpy as np

import agnograd as ag
from agnograd import plugins

rng = np.random.default_rng(1)
x = np.sort(rng.uniform(0, 10, 40))
x = x[(x < 4) | (x > 6)]
y = np.sin(x) * np.exp(-0.1 * x) + 0.1 * rng.normal(size=x.size)

# %%
# Parameters are logarithms, so that they may be any number.


def kernel(params, a, b):
    distance = (a[:, None] - b[None, :]) / ag.exp(params["length"])
    return ag.exp(2 * params["height"] - 0.5 * distance**2)


def unlikelihood(params, x, y, eye):
    covariance = kernel(params, x, x) + (ag.exp(2 * params["noise"]) + 1e-8) * eye
    lower = ag.linalg.cholesky(covariance)
    white = ag.linalg.solve(lower, y)
    return 0.5 * ag.sum(white**2) + ag.sum(ag.log(ag.linalg.diagonal(lower)))


# %%
# SciPy's BFGS, on each library.

start = {"length": 0.5, "height": 0.0, "noise": -1.0}
found = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        data = [ag.asarray(ag.to_backend(part, name)) for part in (x, y, np.eye(x.size))]
        params = {key: ag.to_backend(np.asarray(value), name) for key, value in start.items()}
        result = ag.optimize.minimize(unlikelihood, params, args=tuple(data))
        found[name] = {key: float(ag.to_backend(value, "numpy")) for key, value in result.x.items()}
        print(name, {key: round(float(np.exp(value)), 4) for key, value in found[name].items()})

# %%
# How sure it is of its own parameters tells the Hessian at the minimum.

flat, restore = ag.ravel_tree({key: np.asarray(value) for key, value in found["numpy"].items()})
hessian = ag.hessian(lambda p: unlikelihood(restore(p), x, y, np.eye(x.size)))(flat)
errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
for key, value, error in zip(sorted(start), flat, errors, strict=True):
    print(f"{key}: {np.exp(value):.3f}, a factor of {np.exp(error):.2f} either way")

# %%


def predicted(params, at):
    covariance = kernel(params, x, x) + np.exp(2 * params["noise"]) * np.eye(x.size)
    across = kernel(params, at, x)
    solved = np.linalg.solve(covariance, np.column_stack([y, across.T]))
    variance = np.exp(2 * params["height"]) - np.sum(across * solved[:, 1:].T, axis=1)
    return across @ solved[:, 0], np.sqrt(np.maximum(variance, 0))


at = np.linspace(-1, 11, 300)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for ax, title, params in zip(axes, ("guess", "found"), (start, found["numpy"]), strict=True):
    mean, deviation = predicted({key: np.asarray(value) for key, value in params.items()}, at)
    ax.fill_between(at, mean - 2 * deviation, mean + 2 * deviation, alpha=0.25)
    ax.plot(at, mean)
    ax.plot(x, y, "k.", markersize=4)
    ax.set(title=title, xlabel="x")
plt.show()
