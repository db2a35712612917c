"""
The colours of one picture in another: optimal transport
========================================================

What is the cheapest way to move the colours of one photograph to those of another? Sinkhorn's iteration gives it,
smoothed a little, and each colour goes where the gradient of the cost sends it.

Run on NumPy, dask and array-api-strict, and on CuPy where there is a GPU. PyTorch's and JAX's arrays, by plugins,
give the same.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

import agnograd as ag
from agnograd import plugins

china, flower = (picture[20:420:4, 120:520:4] / 255.0 for picture in load_sample_images().images)
rng = np.random.default_rng(0)
ours = china.reshape(-1, 3)[rng.choice(10_000, 300, replace=False)]
theirs = flower.reshape(-1, 3)[rng.choice(10_000, 300, replace=False)]

# %%
# The iteration in logarithms. Its result is the smoothed cost; the gradient with respect to the colours goes back
# through all iterations.


def cost(x, y, smoothing=0.01, iterations=40):
    distances = ag.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    share = -np.log(x.shape[0])
    f, g = ag.zeros_like(distances[:, 0]), ag.zeros_like(distances[0, :])
    for _ in range(iterations):
        f = -smoothing * ag.logsumexp((g[None, :] - distances) / smoothing + share, axis=1)
        g = -smoothing * ag.logsumexp((f[:, None] - distances) / smoothing + share, axis=0)
    return ag.mean(f) + ag.mean(g)


# %%
# On each library the same gradient.

gradients = {}
for name in ("numpy", "dask", "strict", "cupy"):
    if plugins.manager.unavailable(name) is None:
        x, y = ag.to_backend(ours, name), ag.to_backend(theirs, name)
        gradients[name] = np.asarray(ag.to_backend(ag.grad(cost)(x, y), "numpy"))
        print(name, f"{abs(gradients[name] - gradients['numpy']).max():.1e}")

# %%
# A colour moves against its gradient, half of which, times the number of colours, is the way to its partner. The
# other pixels go with the nearest colour that was drawn.

way = -0.5 * ours.shape[0] * gradients["numpy"]
nearest = ((china.reshape(-1, 1, 3) - ours) ** 2).sum(axis=2).argmin(axis=1)
moved = np.clip(china.reshape(-1, 3) + way[nearest], 0, 1)

fig, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
for ax, title, picture in zip(
    axes[0],
    ("picture", "its new colours", "where they are from"),
    (china, moved.reshape(china.shape), flower),
    strict=True,
):
    ax.imshow(picture)
    ax.set(title=title)
    ax.set_axis_off()
for ax, colours in zip(axes[1], (ours, np.clip(ours + way, 0, 1), theirs), strict=True):
    ax.scatter(colours[:, 0], colours[:, 2], c=colours, s=12)
    ax.set(xlabel="red", ylabel="blue", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
plt.show()
