"""
Bayesian inference by Hamiltonian Monte Carlo
=============================================

Sampling from a distribution as a ball that rolls over its landscape: the force is the gradient of the logarithm of
the density. Many chains run at once, by ``vmap``.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import agnograd as ag
from agnograd import plugins

# %%
# A robust regression: does the progress of diabetes depend on body mass? Errors have Student's distribution, so that
# a few patients do not decide. Unknown are intercept, slope and the width of the errors.

table = load_diabetes(as_frame=False)
mass = table.data[:, 2] / table.data[:, 2].std()
progress = (table.target - table.target.mean()) / table.target.std()


def density(position, mass, progress):
    intercept, slope, width = position[0], position[1], ag.exp(position[2])
    errors = (progress - intercept - slope * mass) / width
    likelihood = ag.sum(-2.5 * ag.log1p(errors**2 / 4)) - progress.shape[0] * position[2]
    return likelihood - 0.5 * ag.sum(position**2)


force = ag.vmap(ag.grad(density), in_axes=(0, None, None))
height = ag.vmap(density, in_axes=(0, None, None))

# %%
# Leapfrog steps, then Metropolis' choice, for 32 chains together.


def trajectory(position, momentum, data, step=0.04, count=8):
    momentum = momentum + 0.5 * step * force(position, *data)
    for i in range(count):
        position = position + step * momentum
        momentum = momentum + step * (1.0 if i < count - 1 else 0.5) * force(position, *data)
    return position, momentum


rng = np.random.default_rng(0)
data = mass, progress
position = rng.normal(size=(32, 3)) * 0.3
draws, accepted = [], []
for i in range(250):
    momentum = rng.normal(size=position.shape)
    proposal, turned = trajectory(position, momentum, data)
    gain = height(proposal, *data) - height(position, *data) - 0.5 * np.sum(turned**2 - momentum**2, axis=1)
    taken = np.log(rng.random(32)) < gain
    position = np.where(taken[:, None], proposal, position)
    if i >= 50:
        draws.append(position)
        accepted.append(taken.mean())
draws = np.stack(draws)
print(f"accepted: {np.mean(accepted):.0%}")

# %%
# One more trajectory, on each library of this machine: how far are positions and momenta from NumPy's?

ends = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = [ag.asarray(ag.to_backend(x, name)) for x in (position, momentum, mass, progress)]
        ends[name] = [np.asarray(ag.to_backend(x, "numpy")) for x in trajectory(*arrays[:2], arrays[2:])]
        print(name, *(f"{np.max(np.abs(x - y)):.0e}" for x, y in zip(ends[name], ends["numpy"], strict=True)))

# %%
# Whether the chains agree tells :math:`\\hat R`, which should be close to 1.

within = draws.var(axis=0, ddof=1).mean(axis=0)
between = draws.mean(axis=0).var(axis=0, ddof=1)
print("R:", np.sqrt(1 + between / within).round(3))

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
flat = draws.reshape(-1, 3)
across, up = flat[:, 1], np.exp(flat[:, 2])
extent = (*np.quantile(across, [0.001, 0.999]), *np.quantile(up, [0.001, 0.999]))
left.hexbin(across, up, gridsize=30, cmap="Blues", extent=extent)
left.set(xlabel="slope", ylabel="width of the errors")
at = np.linspace(mass.min(), mass.max(), 2)
right.plot(mass, progress, ".", color="0.7", markersize=4)
for a, b, _ in flat[:: len(flat) // 60]:
    right.plot(at, a + b * at, color="C0", alpha=0.15)
right.set(xlabel="body mass", ylabel="progress of diabetes")
plt.show()
