"""
Where was it hot? The heat equation backwards
=============================================

Heat spreads, and details are lost. From thermometers that were read late, find the temperature at the beginning: an
inverse problem, which is solved by descending through all time steps. What is saved for the way back is kept small by
checkpoints.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import matplotlib.pyplot as plt
import numpy as np

import agnograd as ag
from agnograd import plugins

SIZE, STEPS, RATE = 32, 20, 0.2

# %%
# Explicit steps on a grid. The second differences along an axis are a product with a matrix, and what is beyond the
# edges is zero.

second = np.eye(SIZE, k=1) - 2 * np.eye(SIZE) + np.eye(SIZE, k=-1)


def spread(heat, second, steps):
    for _ in range(steps):
        heat = heat + RATE * (second @ heat + heat @ second)
    return heat


# %%
# Two hot plates, and a thermometer at each third point of a grid.

truth = np.zeros((SIZE, SIZE))
truth[6:12, 5:14] = 1.0
truth[18:27, 17:22] = 0.7
rng = np.random.default_rng(0)
place = rng.random(truth.shape) < 0.3
read = np.where(place, spread(truth, second, STEPS) + 0.001 * rng.normal(size=truth.shape), 0.0)

# %%
# The loss: what thermometers should show, and that neighbours are alike but for edges (*total variation*). The
# solution is checkpointed: five steps at a time are run again on the way back, so that memory is that of five steps.


def solution(heat, second):
    for _ in range(STEPS // 5):
        heat = ag.checkpoint(spread, heat, second, 5)
    return heat


def loss(heat, second, place, read):
    fit = ag.sum(ag.where(place, solution(heat, second) - read, 0.0) ** 2)
    edges = ag.sum(ag.sqrt((heat[1:, :-1] - heat[:-1, :-1]) ** 2 + (heat[:-1, 1:] - heat[:-1, :-1]) ** 2 + 1e-4))
    return 1e3 * fit + 0.02 * edges


found = ag.optimize.minimize(
    loss, np.zeros((SIZE, SIZE)), args=(second, place, read), method="L-BFGS-B", options={"maxiter": 150}
)
print(f"error: {np.abs(found.x - truth).mean():.3f}, at the beginning {truth.mean():.3f}")

# %%
# The same loss on each library of this machine, and how far its gradient is from NumPy's.

gradients = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = [ag.asarray(ag.to_backend(x, name)) for x in (0.9 * found.x, second, place, read)]
        value, gradient = ag.compute(*ag.value_and_grad(loss)(*arrays))
        gradients[name] = np.asarray(ag.to_backend(gradient, "numpy"))
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
pictures = {
    "at the beginning": truth,
    "when it was read": spread(truth, second, STEPS),
    "thermometers": np.where(place, read, np.nan),
    "found": found.x,
}
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture, cmap="inferno", vmin=0, vmax=1 if title in ("at the beginning", "found") else None)
    ax.set(title=title)
    ax.set_axis_off()
plt.show()
