"""
Choosing penalties by gradient: an implicit layer
=================================================

Ridge regression has a penalty for each feature, and validation data tell which are good. The fit is the solution of a
system of equations; its derivative with respect to the penalties follows from the implicit function theorem, without
going back through a solver.

Run on NumPy.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import agnograd as ag

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


def fitted(penalties):
    def condition(weights):
        errors = features[fit] @ weights - target[fit]
        return features[fit].T @ errors / fit.size + ag.exp(penalties) * weights

    return ag.implicit.custom_root(condition, np.zeros(features.shape[1]), ag.implicit.newton, ag.implicit.dense)


def loss(penalties, rows=validate):
    return ag.mean((features[rows] @ fitted(penalties) - target[rows]) ** 2)


# %%

start = np.full(features.shape[1], np.log(0.1))
found = ag.optimize.minimize(loss, start, bounds=[(-9, 6)] * start.size, method="L-BFGS-B", options={"maxiter": 60})
single = min((float(loss(np.full(40, p))), p) for p in np.linspace(-6, 4, 21))[1]
results = {
    "one penalty": np.full(40, single),
    "forty penalties": found.x,
}
for name, penalties in results.items():
    print(f"{name}: error {float(loss(penalties, test)):.3f} on data that were not used")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, (name, penalties) in zip(axes, results.items(), strict=True):
    weights = np.asarray(fitted(penalties))
    ax.bar(range(10), abs(weights[:10]), label="of the data")
    ax.bar(range(10, 40), abs(weights[10:]), label="noise")
    ax.set(title=name, xlabel="feature", ylabel="weight")
axes[0].legend()
plt.show()
