"""
Two photographs of one thing: registration
==========================================

One picture is turned, shifted and a little larger. Which motion brings it back? The picture is looked up between its
pixels, which is differentiable, and least squares finds the motion from coarse to fine.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image

import agnograd as ag
from agnograd import plugins

picture = load_sample_image("flower.jpg").mean(axis=2)[40:400:3, 120:480:3] / 255.0
size = picture.shape[0]
grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij"))

# %%
# Bilinear interpolation: indices are whole numbers and have no derivative, weights have one.


def looked_up(picture, places):
    at = (places + 1) * (size - 1) / 2
    whole = ag.clip(ag.floor(ag.stop_gradient(at)), 0, size - 2)
    u, v = at[0] - whole[0], at[1] - whole[1]
    xp = places.__array_namespace__()
    first = xp.astype(whole[0] * size + whole[1], xp.int64)

    def pixels(down, right):
        found = ag.take(ag.reshape(picture, (-1,)), ag.reshape(first + down * size + right, (-1,)))
        return ag.reshape(found, (size, size))

    left = (1 - u) * pixels(0, 0) + u * pixels(1, 0)
    return (1 - v) * left + v * ((1 - u) * pixels(0, 1) + u * pixels(1, 1))


def moved(picture, motion, grid):
    c, s = ag.cos(motion["turn"]) * motion["size"], ag.sin(motion["turn"]) * motion["size"]
    places = ag.stack([c * grid[0] - s * grid[1] + motion["down"], s * grid[0] + c * grid[1] + motion["right"]])
    return looked_up(picture, places)


truth = {name: np.asarray(value) for name, value in {"turn": 0.35, "size": 0.9, "down": 0.12, "right": -0.08}.items()}
other = np.asarray(moved(picture, truth, grid))

# %%
# From coarse to fine: blurred pictures have wide valleys.


def residual(motion, a, b, grid, inside):
    return ag.reshape(ag.where(inside, moved(a, motion, grid) - b, 0.0), (-1,))


inside = np.hypot(*grid) < 0.8
motion = {name: np.asarray(1.0 if name == "size" else 0.0) for name in truth}
for width in (12, 6, 2, 0.5):
    a, b = gaussian_filter(picture, width), gaussian_filter(other, width)

    motion = ag.optimize.least_squares(residual, motion, args=(a, b, grid, inside)).x
    print(width, {name: round(float(value), 4) for name, value in motion.items()})

# %%
# On each library of this machine: the sum of squares for a motion beside it, and how far its gradient is from NumPy's.

start, gradients = {**motion, "turn": motion["turn"] + 0.02}, {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        arrays = ag.tree.map(lambda x, name=name: ag.asarray(ag.to_backend(x, name)), (start, a, b, grid, inside))
        value, gradient = ag.compute(*ag.value_and_grad(lambda *args: ag.sum(residual(*args) ** 2))(*arrays))
        gradients[name] = np.stack([np.asarray(ag.to_backend(gradient[part], "numpy")) for part in start])
        print(f"{name}: {float(value):.6f}, {np.max(np.abs(gradients[name] - gradients['numpy'])):.0e}")

# %%

fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
before, after = picture - other, np.asarray(moved(picture, motion, grid)) - other
for ax, title, shown in zip(
    axes, ("picture", "the other", "difference", "after"), (picture, other, before, after), strict=True
):
    signed = title in ("difference", "after")
    ax.imshow(shown, cmap="PuOr" if signed else "gray", vmin=-0.6 if signed else 0, vmax=0.6 if signed else 1)
    ax.set(title=title)
    ax.set_axis_off()
plt.show()
