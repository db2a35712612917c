"""
Two photographs of one thing: registration
==========================================

One picture is turned, shifted and a little larger. Which motion brings it back? The picture is looked up between its
pixels, which is differentiable, and least squares finds the motion from coarse to fine.

Run on NumPy.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image

import agnograd as ag

picture = load_sample_image("flower.jpg").mean(axis=2)[40:400:3, 120:480:3] / 255.0
size = picture.shape[0]
grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij"))

# %%
# Bilinear interpolation: indices are whole numbers and have no derivative, weights have one.


def looked_up(picture, places):
    at = (places + 1) * (size - 1) / 2
    whole = np.clip(np.floor(np.asarray(ag.stop_gradient(at).tolist())), 0, size - 2)
    i, j = whole.astype(int)
    u, v = at[0] - whole[0], at[1] - whole[1]
    rows = (1 - u) * picture[i, j] + u * picture[i + 1, j], (1 - u) * picture[i, j + 1] + u * picture[i + 1, j + 1]
    return (1 - v) * rows[0] + v * rows[1]


def moved(picture, motion):
    c, s = ag.cos(motion["turn"]) * motion["size"], ag.sin(motion["turn"]) * motion["size"]
    places = ag.stack([c * grid[0] - s * grid[1] + motion["down"], s * grid[0] + c * grid[1] + motion["right"]])
    return looked_up(picture, places)


truth = {name: np.asarray(value) for name, value in {"turn": 0.35, "size": 0.9, "down": 0.12, "right": -0.08}.items()}
other = np.asarray(moved(picture, truth))

# %%
# From coarse to fine: blurred pictures have wide valleys.

inside = np.hypot(*grid) < 0.8
motion = {name: np.asarray(1.0 if name == "size" else 0.0) for name in truth}
for width in (12, 6, 2, 0.5):
    a, b = gaussian_filter(picture, width), gaussian_filter(other, width)

    def residual(motion, a=a, b=b):
        return ag.where(inside, moved(a, motion) - b, 0.0).reshape((-1,))

    motion = ag.optimize.least_squares(residual, motion).x
    print(width, {name: round(float(value), 4) for name, value in motion.items()})

# %%

fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
before, after = picture - other, np.asarray(moved(picture, motion)) - other
for ax, title, shown in zip(
    axes, ("picture", "the other", "difference", "after"), (picture, other, before, after), strict=True
):
    signed = title in ("difference", "after")
    ax.imshow(shown, cmap="PuOr" if signed else "gray", vmin=-0.6 if signed else 0, vmax=0.6 if signed else 1)
    ax.set(title=title)
    ax.set_axis_off()
plt.show()
