"""
Logistic regression on every array library
==========================================

Is a tumour malignant? Thirty measurements of 569 of them, and a probability that is fitted to them by gradient
descent. The model is written once, for whatever library its arrays belong to, and fitted on each library of this
machine.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU. PyTorch's and JAX's arrays, by plugins, give
the same.
"""

# %%
# The data come with scikit-learn.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import agnograd as ag
from agnograd import plugins

features, labels = load_breast_cancer(return_X_y=True)
features = (features - features.mean(axis=0)) / features.std(axis=0)
train = np.random.default_rng(0).random(labels.size) < 0.7

# %%
# The negative logarithm of the likelihood, in a form that does not overflow: :math:`\log(1 + e^z)` is ``logaddexp(0,
# z)``.


def loss(params, x, y):
    z = x @ params["w"] + params["b"]
    return ag.mean(ag.logaddexp(z, ag.zeros_like(z)) - y * z) + 1e-3 * ag.sum(params["w"] ** 2)


def fit(x, y, params, steps=60, rate=2.0):
    course = []
    for _ in range(steps):
        value, gradient = ag.value_and_grad(loss)(params, x, y)
        params = ag.tree.map(lambda p, g: p - rate * g, params, gradient)
        # On dask this computes the step; without it the graph would grow from step to step.
        value, params = ag.compute(value, params)
        course.append(float(value))
    return params, course


# %%
# On each library the same numbers.

names = [name for name in ("numpy", "dask", "strict", "cupy") if plugins.manager.unavailable(name) is None]
courses, found = {}, {}
for name in names:
    x, y, w, b = (
        ag.asarray(ag.to_backend(part, name))
        for part in (features[train], labels[train] * 1.0, np.zeros(30), np.zeros(()))
    )
    found[name], courses[name] = fit(x, y, {"w": w, "b": b})

for name in names:
    print(f"{name}: loss {courses[name][-1]:.6f}")

# %%
# What it has learned, on tumours that it has not seen.

w = np.asarray(ag.to_backend(found["numpy"]["w"], "numpy"))
z = features[~train] @ w + float(found["numpy"]["b"])
benign = labels[~train] == 1
print(f"right: {np.mean((z > 0) == benign):.1%}")

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for i, name in enumerate(names):
    left.plot(courses[name], linewidth=8 - 2 * i, alpha=0.6, label=name)
left.set(xlabel="step", ylabel="loss", yscale="log")
left.legend()
bins = np.linspace(z.min(), z.max(), 40)
right.hist([z[benign], z[~benign]], bins, stacked=True, label=["benign", "malignant"])
right.axvline(0, color="0.3", linewidth=1)
right.set(xlabel="log-odds of being benign", ylabel="tumours")
right.legend()
plt.show()
