"""
Where was it hot? The heat equation backwards
=============================================

Heat spreads, and details are lost. From thermometers that were read late, find the temperature at the beginning: an
inverse problem, which is solved by descending through all time steps. What is saved for the way back is kept small by
checkpoints.

Run on NumPy.
"""

import matplotlib.pyplot as plt
import numpy as np

import agnograd as ag

SIZE, STEPS, RATE = 32, 20, 0.2


def spread(heat, steps):
    """Explicit steps on a grid whose edges are kept at zero."""
    for _ in range(steps):
        padded = ag.concat([ag.zeros_like(heat[:1]), heat, ag.zeros_like(heat[:1])])
        padded = ag.concat([ag.zeros_like(padded[:, :1]), padded, ag.zeros_like(padded[:, :1])], axis=1)
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        heat = heat + RATE * (around - 4 * heat)
    return heat


# %%
# Two hot plates, and a thermometer at each third point of a grid.

truth = np.zeros((SIZE, SIZE))
truth[6:12, 5:14] = 1.0
truth[18:27, 17:22] = 0.7
rng = np.random.default_rng(0)
place = rng.random(truth.shape) < 0.3
read = np.where(place, spread(truth, STEPS) + 0.001 * rng.normal(size=truth.shape), 0.0)

# %%
# The loss: what thermometers should show, and that neighbours are alike but for edges (*total variation*). The
# solution is checkpointed: five steps at a time are run again on the way back, so that memory is that of five steps.


def solution(heat):
    for _ in range(STEPS // 5):
        heat = ag.checkpoint(spread, heat, 5)
    return heat


def loss(heat):
    heat = heat.reshape((SIZE, SIZE)) if heat.ndim == 1 else heat
    fit = ag.sum(ag.where(place, solution(heat) - read, 0.0) ** 2)
    edges = ag.sum(ag.sqrt((heat[1:, :-1] - heat[:-1, :-1]) ** 2 + (heat[:-1, 1:] - heat[:-1, :-1]) ** 2 + 1e-4))
    return 1e3 * fit + 0.02 * edges


found = ag.optimize.minimize(loss, np.zeros((SIZE, SIZE)), method="L-BFGS-B", options={"maxiter": 150})
print(f"error: {np.abs(found.x - truth).mean():.3f}, at the beginning {truth.mean():.3f}")

# %%

fig, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
pictures = {
    "at the beginning": truth,
    "when it was read": spread(truth, STEPS),
    "thermometers": np.where(place, read, np.nan),
    "found": found.x,
}
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture, cmap="inferno", vmin=0, vmax=1 if title in ("at the beginning", "found") else None)
    ax.set(title=title)
    ax.set_axis_off()
plt.show()
