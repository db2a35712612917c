"""
Choosing penalties by gradient: an implicit layer
=================================================

Ridge regression has a penalty for each feature, and validation data tell which are good. The fit is the solution of a
system of equations; its derivative with respect to the penalties follows from the implicit function theorem, without
going back through a solver.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import agnograd as ag
from agnograd import plugins

features, target = load_diabetes(return_X_y=True)
rng = np.random.default_rng(0)
# Thirty features that mean nothing join the ten that do.
features = np.column_stack([features / features.std(axis=0), rng.normal(size=(features.shape[0], 30))])
target = (target - target.mean()) / target.std()
order = rng.permutation(target.size)
fit, validate, test = order[:90], order[90:260], order[260:]

# %%
# The weights are where the gradient of the penalised loss is zero. ``fixed_point``, ``newton`` and ``custom_root``
# take such conditions; this one is linear in the weights, and Newton's method needs one step.


def fitted(penalties, x, y):
    def condition(weights):
        return x.T @ (x @ weights - y) / y.shape[0] + ag.exp(penalties) * weights

    return ag.implicit.custom_root(condition, ag.zeros_like(penalties), ag.implicit.newton, ag.implicit.dense)


def loss(penalties, x, y, others, theirs):
    return ag.mean((others @ fitted(penalties, x, y) - theirs) ** 2)


# %%

data = features[fit], target[fit], features[validate], target[validate]
start = np.full(features.shape[1], np.log(0.1))
found = ag.optimize.minimize(
    loss, start, args=data, bounds=[(-9, 6)] * start.size, method="L-BFGS-B", options={"maxiter": 60}
)
single = min((float(loss(np.full(40, p), *data)), p) for p in np.linspace(-6, 4, 21))[1]
results = {
    "one penalty": np.full(40, single),
    "forty penalties": found.x,
}
for name, penalties in results.items():
    error = float(loss(penalties, *data[:2], features[test], target[test]))
    print(f"{name}: error {error:.3f} on data that were not used")

# %%
# On each library of this machine: the error on the validation data, and how far its gradient is from NumPy's.

gradients = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = [ag.asarray(ag.to_backend(x, name)) for x in (start, *data)]
        value, gradient = ag.compute(*ag.value_and_grad(loss)(*arrays))
        gradients[name] = np.asarray(ag.to_backend(gradient, "numpy"))
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, (name, penalties) in zip(axes, results.items(), strict=True):
    weights = np.asarray(fitted(penalties, *data[:2]))
    ax.bar(range(10), abs(weights[:10]), label="of the data")
    ax.bar(range(10, 40), abs(weights[10:]), label="noise")
    ax.set(title=name, xlabel="feature", ylabel="weight")
axes[0].legend()
plt.show()
